using System.Threading.RateLimiting;
using WebhookEdge.Primitives;

namespace WebhookEdge.RateLimits;

/// <summary>
/// Limiters by address, a bounded number of them, in sets of <see cref="Ways"/>. A newcomer whose set is full takes the place of the limiter that is whole
/// again and was longest unused, or else of the one longest unused: nobody shares with others, and no call looks at more than one set.
/// </summary>
internal sealed class AddressTable : IDisposable
{
    private const int Ways = 16;

    private readonly Set?[] _sets;
    private readonly int _ways;
    private readonly FixedWindowRateLimiterOptions _options;
    private int _count;

    /// <param name="most">Addresses told apart at most; rounded down to whole sets.</param>
    public AddressTable(int most, FixedWindowRateLimiterOptions options)
    {
        _ways = Math.Clamp(most, 1, Ways);
        _sets = new Set?[Math.Max(1, most / _ways)];
        _options = options;
    }

    /// <summary>Addresses with a limiter.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>The limiter of <paramref name="key"/>; null when it has none.</summary>
    public FixedWindowRateLimiter? Find(AddressKey key)
    {
        if (Volatile.Read(ref SetOf(key)) is not { } set)
        {
            return null;
        }

        lock (set)
        {
            var at = set.IndexOf(key);
            return at < 0 ? null : set.Touch(at);
        }
    }

    public FixedWindowRateLimiter GetOrAdd(AddressKey key)
    {
        ref var place = ref SetOf(key);
        var set = Volatile.Read(ref place) ?? Interlocked.CompareExchange(ref place, new(_ways), null) ?? place!;
        lock (set)
        {
            var at = set.IndexOf(key);
            if (at < 0)
            {
                if (set.Count < _ways)
                {
                    at = set.Count++;
                    Interlocked.Increment(ref _count);
                }
                else
                {
                    at = set.Dispensable();
                }

                // The one before is not disposed: a request that holds it may still spend a permit. It has no timer to stop.
                set.Entries[at] = new(key, new(_options), 0);
            }

            return set.Touch(at);
        }
    }

    public void Dispose()
    {
        foreach (var set in _sets)
        {
            for (var i = 0; i < (set?.Count ?? 0); i++)
            {
                set!.Entries[i].Limiter.Dispose();
            }
        }
    }

    private ref Set? SetOf(AddressKey key) => ref _sets[(uint)key.GetHashCode() % (uint)_sets.Length];

    private record struct Entry(AddressKey Key, FixedWindowRateLimiter Limiter, long UsedAt);

    /// <summary>Read and written under its own lock.</summary>
    private sealed class Set(int ways)
    {
        private long _uses;

        public Entry[] Entries { get; } = new Entry[ways];

        public int Count { get; set; }

        public int IndexOf(AddressKey key)
        {
            for (var i = 0; i < Count; i++)
            {
                if (Entries[i].Key == key)
                {
                    return i;
                }
            }

            return -1;
        }

        public FixedWindowRateLimiter Touch(int at)
        {
            Entries[at].UsedAt = ++_uses;
            return Entries[at].Limiter;
        }

        /// <summary>The entry whose place a newcomer takes.</summary>
        public int Dispensable()
        {
            var chosen = 0;
            var isChosenIdle = false;
            for (var i = 0; i < Count; i++)
            {
                // Replenished when somebody asks rather than by a timer each; does nothing until the window is over.
                Entries[i].Limiter.TryReplenish();
                var isIdle = Entries[i].Limiter.IdleDuration is not null;
                if (isIdle == isChosenIdle ? Entries[i].UsedAt < Entries[chosen].UsedAt : isIdle)
                {
                    chosen = i;
                    isChosenIdle = isIdle;
                }
            }

            return chosen;
        }
    }
}
