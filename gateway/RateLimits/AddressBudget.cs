using System.Collections.Concurrent;
using System.Threading.RateLimiting;
using WebhookEdge.Gate;

namespace WebhookEdge.RateLimits;

/// <summary>
/// A fixed-window budget for every client address; an IPv6 network of /64 counts as one address, for that is what one customer gets. Unknown
/// addresses share one budget. At most <c>maxAddresses</c> are told apart: a flood from more makes newcomers share one budget, and costs no
/// further memory. An address whose budget is whole again is indistinguishable from a new one, so that is when it may be forgotten.
/// </summary>
/// <remarks>
/// The library's PartitionedRateLimiter has no such bound, and visits every partition ten times a second.
/// </remarks>
internal sealed class AddressBudget : IDisposable
{
    public const int DefaultMaxAddresses = 65_536;

    private readonly ConcurrentDictionary<AddressKey, FixedWindowRateLimiter> _limiters = new();
    private readonly FixedWindowRateLimiter _overflow;
    private readonly FixedWindowRateLimiterOptions _options;
    private readonly TimeProvider _time;
    private readonly int _maxAddresses;
    private readonly long _sweepEvery;
    private int _count;
    private long _nextSweep;

    /// <param name="permits">Requests per window, at least 1.</param>
    public AddressBudget(int permits, TimeSpan window, TimeProvider time, int maxAddresses = DefaultMaxAddresses)
    {
        _options = new() { PermitLimit = permits, Window = window, QueueLimit = 0, AutoReplenishment = false };
        _overflow = new(_options);
        _time = time;
        _maxAddresses = maxAddresses;
        _sweepEvery = time.TimestampFrequency;
    }

    /// <summary>The length of a window: what a refused sender waits at most.</summary>
    public TimeSpan Window => _options.Window;

    /// <summary>Addresses with a budget of their own.</summary>
    public int Tracked => Volatile.Read(ref _count);

    /// <summary>Spends one permit. Granted, it allocates nothing unless the address is new.</summary>
    public bool TryAcquire(in ClientAddress client, out TimeSpan retryAfter)
    {
        var limiter = LimiterOf(new(client));

        // Replenished when somebody asks rather than by a timer each; does nothing until the window is over.
        limiter.TryReplenish();
        using var lease = limiter.AttemptAcquire();
        retryAfter = TimeSpan.Zero;
        if (lease.IsAcquired)
        {
            return true;
        }

        retryAfter = lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : Window;
        return false;
    }

    public void Dispose()
    {
        _overflow.Dispose();
        foreach (var (_, limiter) in _limiters)
        {
            limiter.Dispose();
        }
    }

    private FixedWindowRateLimiter LimiterOf(AddressKey key)
    {
        if (_limiters.TryGetValue(key, out var limiter))
        {
            return limiter;
        }

        if (Volatile.Read(ref _count) >= _maxAddresses)
        {
            Sweep();
        }

        // Reserved before it is added, so that concurrent newcomers cannot pass the bound together.
        if (Interlocked.Increment(ref _count) > _maxAddresses)
        {
            Interlocked.Decrement(ref _count);
            return _overflow;
        }

        var added = new FixedWindowRateLimiter(_options);
        limiter = _limiters.GetOrAdd(key, added);
        if (!ReferenceEquals(limiter, added))
        {
            Interlocked.Decrement(ref _count);
            added.Dispose();
        }

        return limiter;
    }

    /// <summary>Forgets addresses whose budget is whole; at most once a second, by one thread, and only when there is no room.</summary>
    private void Sweep()
    {
        var now = _time.GetTimestamp();
        var due = Volatile.Read(ref _nextSweep);
        if (now < due || Interlocked.CompareExchange(ref _nextSweep, now + _sweepEvery, due) != due)
        {
            return;
        }

        foreach (var (key, limiter) in _limiters)
        {
            limiter.TryReplenish();

            // Not disposed: a request that holds it may still spend a permit, which is one too many at worst. It has no timer to stop.
            if (limiter.IdleDuration is not null && _limiters.TryRemove(key, out _))
            {
                Interlocked.Decrement(ref _count);
            }
        }
    }

    /// <summary>IPv4: the address; IPv6: its upper half; unknown: zero.</summary>
    private readonly struct AddressKey : IEquatable<AddressKey>
    {
        private readonly ulong _value;
        private readonly byte _family;

        public AddressKey(in ClientAddress client)
        {
            _value = client.IsIPv6 ? (ulong)(client.Value >> 64) : (ulong)client.Value;
            _family = client.IsIPv6 ? (byte)6 : client.IsKnown ? (byte)4 : (byte)0;
        }

        public bool Equals(AddressKey other) => _value == other._value && _family == other._family;

        public override bool Equals(object? obj) => obj is AddressKey other && Equals(other);

        public override int GetHashCode() => HashCode.Combine(_value, _family);
    }
}
