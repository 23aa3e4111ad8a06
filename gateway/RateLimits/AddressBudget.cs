using System.Threading.RateLimiting;
using WebhookEdge.Primitives;

namespace WebhookEdge.RateLimits;

/// <summary>
/// A fixed-window budget for every client address; an IPv6 network of /64 counts as one address, for that is what one customer gets, and those of one /48,
/// which is what one site gets, share <see cref="AddressesOfASite"/> such budgets. Unknown addresses share one. At most <c>maxAddresses</c> are told
/// apart: beyond that newcomers take the places of those longest unused (<see cref="AddressTable"/>), so a flood from any number of addresses neither costs
/// further memory nor spends a newcomer's budget. A call's work is bounded: it may run on a thread that sockets are served by.
/// </summary>
/// <remarks>
/// The library's PartitionedRateLimiter has no such bound, and visits every partition ten times a second.
/// </remarks>
internal sealed class AddressBudget : IDisposable
{
    public const int DefaultMaxAddresses = 65_536;

    /// <summary>Budgets of an address that the /64s of one /48 have together.</summary>
    public const int AddressesOfASite = 16;

    private readonly AddressTable _addresses;
    private readonly AddressTable _sites;

    /// <param name="permits">Requests per window, at least 1.</param>
    public AddressBudget(int permits, TimeSpan window, int maxAddresses = DefaultMaxAddresses)
    {
        Window = window;
        _addresses = new(maxAddresses, Options(permits));
        _sites = new(Math.Max(1, maxAddresses / 4), Options((int)Math.Min(int.MaxValue, (long)permits * AddressesOfASite)));

        FixedWindowRateLimiterOptions Options(int limit) => new() { PermitLimit = limit, Window = window, QueueLimit = 0, AutoReplenishment = false };
    }

    /// <summary>The length of a window: what a refused sender waits at most.</summary>
    public TimeSpan Window { get; }

    /// <summary>Addresses with a budget of their own.</summary>
    public int Tracked => _addresses.Count;

    /// <summary>Spends one permit. Granted, it allocates nothing unless the address is new.</summary>
    public bool TryAcquire(in ClientAddress client, out TimeSpan retryAfter)
    {
        var key = AddressKey.Of(client);
        if (!client.IsIPv6)
        {
            return TryAcquire(_addresses.GetOrAdd(key), out retryAfter);
        }

        // A /64 that has spent its own budget spends nothing of its site's; one that the site has no budget for gets no entry.
        var known = _addresses.Find(key);
        return (known is null || TryAcquire(known, out retryAfter))
            && TryAcquire(_sites.GetOrAdd(AddressKey.SiteOf(client)), out retryAfter)
            && (known is not null || TryAcquire(_addresses.GetOrAdd(key), out retryAfter));
    }

    public void Dispose()
    {
        _addresses.Dispose();
        _sites.Dispose();
    }

    private bool TryAcquire(FixedWindowRateLimiter limiter, out TimeSpan retryAfter)
    {
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
}
