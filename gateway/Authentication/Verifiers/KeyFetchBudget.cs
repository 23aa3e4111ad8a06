using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// How many fetches of unknown keys a route may cause, and one address on it. A route's strangers share <see cref="RouteBurst"/>, of which the last
/// <see cref="NewcomersShare"/> are for addresses that asked for nothing lately: a few addresses cannot spend what a sender seen for the first time needs.
/// Addresses whose deliveries were proved lately have a purse of their own on top. Names that were good before do not come here at all.
/// </summary>
/// <remarks>
/// An IPv6 network of /48 counts as one address: whoever has one may have all of it. An address costs memory only while it owes a fetch that was granted,
/// so strangers cannot fill the table. Not safe for concurrent use; <see cref="RemoteKeys"/> calls under its lock.
/// </remarks>
internal sealed class KeyFetchBudget(TimeProvider time)
{
    /// <summary>Fetches for strangers of a route at once, after a quiet time.</summary>
    public const int RouteBurst = 16;

    /// <summary>How many of these only addresses get that have spent nothing of their own.</summary>
    public const int NewcomersShare = 8;

    /// <summary>Fetches for one address at once.</summary>
    public const int AddressBurst = 4;

    /// <summary>Fetches at once for all proved addresses of a route together.</summary>
    public const int ProvedBurst = 8;

    private const int MaxProved = 256;
    private const int ManyAddresses = 64;

    /// <summary>A route's strangers get another fetch in each of these.</summary>
    public static readonly TimeSpan RoutePace = TimeSpan.FromSeconds(2);

    /// <summary>An address gets another in each of these.</summary>
    public static readonly TimeSpan AddressPace = TimeSpan.FromSeconds(15);

    /// <summary>A line about held-back fetches is written no more often than this for each route.</summary>
    public static readonly TimeSpan TellEvery = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan ProvedPace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ProvedFor = TimeSpan.FromHours(24);

    private readonly Dictionary<string, RouteShare> _routes = new(StringComparer.Ordinal);

    /// <summary>Spends one fetch.</summary>
    /// <param name="heldBack">When refused: how many were refused since the last line about it, or 0 when no line is due.</param>
    public bool TryTake(string route, in ClientAddress client, out long heldBack)
    {
        heldBack = 0;
        var now = time.GetTimestamp();
        var share = ShareOf(route, now);
        var key = new AddressKey(client);
        var address = share.Addresses.GetValueOrDefault(key) ?? new Purse(AddressBurst, AddressPace, now);
        address.Fill(time, now);
        var isNewcomer = address.Tokens >= AddressBurst;
        if (address.Tokens >= 1 && (TakeAsProved(share, key, now) || share.Strangers.TryTake(time, now, isNewcomer ? 0 : NewcomersShare)))
        {
            address.Tokens--;
            share.Addresses[key] = address;
            Forget(share, now);
            return true;
        }

        share.HeldBack++;
        if (share.ToldAt is not { } told || time.GetElapsedTime(told, now) >= TellEvery)
        {
            (heldBack, share.HeldBack, share.ToldAt) = (share.HeldBack, 0, now);
        }

        return false;
    }

    /// <summary>A delivery from this address was proved by a fetched key.</summary>
    public void Proved(string route, in ClientAddress client)
    {
        var now = time.GetTimestamp();
        var proved = ShareOf(route, now).Proved;
        var key = new AddressKey(client);
        if (proved.Count >= MaxProved && !proved.ContainsKey(key))
        {
            proved.Remove(proved.MinBy(static address => address.Value).Key);
        }

        proved[key] = now;
    }

    private bool TakeAsProved(RouteShare share, AddressKey key, long now) =>
        share.Proved.TryGetValue(key, out var at) && time.GetElapsedTime(at, now) < ProvedFor && share.ProvedPurse.TryTake(time, now, leave: 0);

    private RouteShare ShareOf(string route, long now)
    {
        if (!_routes.TryGetValue(route, out var share))
        {
            _routes[route] = share = new(new(RouteBurst, RoutePace, now), new(ProvedBurst, ProvedPace, now));
        }

        return share;
    }

    /// <summary>An address whose purse is full again is like one never seen. Grants are few, so few addresses are there to be looked at.</summary>
    private void Forget(RouteShare share, long now)
    {
        if (share.Addresses.Count <= ManyAddresses)
        {
            return;
        }

        foreach (var (key, purse) in share.Addresses)
        {
            purse.Fill(time, now);
            if (purse.Tokens >= AddressBurst)
            {
                share.Addresses.Remove(key);
            }
        }
    }

    private sealed class RouteShare(Purse strangers, Purse proved)
    {
        public Purse Strangers => strangers;

        public Purse ProvedPurse => proved;

        public Dictionary<AddressKey, Purse> Addresses { get; } = [];

        /// <summary>Address → timestamp of its latest proof.</summary>
        public Dictionary<AddressKey, long> Proved { get; } = [];

        public long HeldBack { get; set; }

        public long? ToldAt { get; set; }
    }

    private sealed class Purse(int burst, TimeSpan pace, long filledAt)
    {
        private long _filledAt = filledAt;

        public double Tokens { get; set; } = burst;

        public void Fill(TimeProvider time, long now)
        {
            Tokens = Math.Min(burst, Tokens + (time.GetElapsedTime(_filledAt, now) / pace));
            _filledAt = now;
        }

        /// <summary>Takes one, if at least <paramref name="leave"/> stay.</summary>
        public bool TryTake(TimeProvider time, long now, int leave)
        {
            Fill(time, now);
            if (Tokens < 1 + leave)
            {
                return false;
            }

            Tokens--;
            return true;
        }
    }

    private readonly record struct AddressKey
    {
        private readonly ulong _value;
        private readonly byte _family;

        public AddressKey(in ClientAddress client)
        {
            _value = client.IsIPv6 ? (ulong)(client.Value >> 80) : (ulong)client.Value;
            _family = client.IsIPv6 ? (byte)6 : client.IsKnown ? (byte)4 : (byte)0;
        }
    }
}
