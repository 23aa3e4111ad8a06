namespace WebhookEdge.Gate;

/// <summary>
/// The gateway's two global bounds, requests in flight and bytes of bodies held, and the shares in them: what a stranger can make us hold is bounded
/// however many routes and connections there are, and no stranger can hold all of it. All are counters with a ceiling, taken before and given back after.
/// <para>
/// A delivery that has passed every check up to its signature has proved itself, and its address with it for an hour (a secret must have been known; the
/// address alone proves nothing here). While neither has, one address may hold a sixteenth of each bound at most. And what fills the bounds is
/// stopped at different marks: strangers' bodies beyond <see cref="SmallBody"/> at three quarters, such bodies from an address that proved itself at
/// seven eighths, strangers' small bodies at fifteen sixteenths; the rest is left to small bodies from addresses that proved themselves. From three
/// quarters on the slowest bodies are given up (<see cref="SlowBodies"/>). What was proved is never given up and belongs to no share.
/// </para>
/// </summary>
internal sealed class Capacity
{
    /// <summary>Bodies up to this many bytes have a reserve.</summary>
    public const long SmallBody = 64 * 1024;

    public const string NoRequests = "concurrent requests";
    public const string NoBytes = "budget of buffered bodies";
    public const string NoRequestsForAddress = "this address's share of concurrent requests, until one of its events proves itself";
    public const string NoBytesForAddress = "this address's share of buffered bodies, until one of its events proves itself";
    public const string GivenUp = "the body came slowly and was given up to make room";

    /// <summary>However small the bounds, so many requests of one address are let in at once.</summary>
    private const long SmallestShare = 4;

    private readonly AddressShares _shares = new();
    private readonly long _frequency;
    private long _requests;
    private long _bytes;
    private long _maxRequests = 4096;
    private long _maxBytes = 256L * 1024 * 1024;

    private long _widestBody;

    public Capacity(TimeProvider time)
    {
        _frequency = time.TimestampFrequency;
        Bodies = new(this, time);
    }

    /// <summary>The bodies that are being waited for.</summary>
    public SlowBodies Bodies { get; }

    /// <summary>Requests in flight.</summary>
    public long Requests => Volatile.Read(ref _requests);

    /// <summary>Bytes of bodies held.</summary>
    public long BufferedBytes => Volatile.Read(ref _bytes);

    /// <summary>Requests at most.</summary>
    public long MaxRequests => Volatile.Read(ref _maxRequests);

    /// <summary>Bytes of bodies at most.</summary>
    public long MaxBufferedBytes => Volatile.Read(ref _maxBytes);

    /// <summary>New ceilings; what is held already stays held.</summary>
    /// <param name="widestBody">Bytes of the largest body that a route takes.</param>
    public void SetLimits(long maxRequests, long maxBytes, long widestBody)
    {
        Volatile.Write(ref _widestBody, widestBody);
        Volatile.Write(ref _maxRequests, maxRequests);
        Volatile.Write(ref _maxBytes, maxBytes);
    }

    /// <summary>Lets <paramref name="delivery"/> in, which must be open; if so, it leaves by <see cref="Leave"/>.</summary>
    public bool TryEnter(Delivery delivery)
    {
        var holding = delivery.Holding;
        var account = _shares.AccountOf(delivery.Client);
        var isStranger = !_shares.HasProved(account, SecondOf(delivery.StartedAt));
        holding.Account = account;
        var max = MaxRequests;
        var requests = Interlocked.Increment(ref _requests);
        if (requests > Mark(max, isStranger, isSmall: delivery.DeclaredLength is null or <= SmallBody))
        {
            Interlocked.Decrement(ref _requests);
            holding.Shortage = NoRequests;
            Bodies.MakeRoom();
            return false;
        }

        if (isStranger)
        {
            var share = Math.Max(max / 16, SmallestShare);
            var held = _shares.AddRequests(account, 1);
            if (held > share)
            {
                _shares.AddRequests(account, -1);
                Interlocked.Decrement(ref _requests);
                holding.Shortage = NoRequestsForAddress;
                Bodies.MakeRoom(account);
                return false;
            }

            holding.IsCharged = true;
        }

        holding.In = this;
        if (requests > max - (max / 4))
        {
            Bodies.MakeRoom();
        }

        return true;
    }

    /// <summary>
    /// The delivery has passed its checks: what it holds counts against no share any more, and if it proved that its sender knows a secret, its address
    /// need not prove itself for an hour. What observe mode let through has proved nothing.
    /// </summary>
    public void Prove(Delivery delivery)
    {
        var holding = delivery.Holding;
        if (delivery.Trust >= TrustLevel.Authenticated)
        {
            _shares.Prove(holding.Account, SecondOf(delivery.StartedAt));
        }
        else if (delivery.WouldRefuse != Verdicts.RejectReason.NotDecided)
        {
            return;
        }

        Uncharge(delivery);
    }

    /// <summary>Gives back what <see cref="TryEnter"/> took. Once.</summary>
    public void Leave(Delivery delivery)
    {
        Uncharge(delivery);
        delivery.Holding.In = null;
        Interlocked.Decrement(ref _requests);
    }

    /// <summary>Reserves <paramref name="bytes"/> more for <paramref name="delivery"/>; they are given back by <see cref="Release"/>.</summary>
    public bool TryReserve(Delivery delivery, long bytes)
    {
        var holding = delivery.Holding;
        var max = MaxBufferedBytes;
        var own = delivery.ReservedBytes + bytes;
        var isSmall = own <= SmallBody && delivery.DeclaredLength is null or <= SmallBody;
        var total = Interlocked.Add(ref _bytes, bytes);

        // A body that is alone always fits, however small the bound.
        if (total > max || (total > own && total > Mark(max, holding.IsCharged, isSmall)))
        {
            Interlocked.Add(ref _bytes, -bytes);
            holding.Shortage = NoBytes;
            Bodies.MakeRoom();
            return false;
        }

        if (holding.IsCharged)
        {
            // Small bodies have a reserve in the share too: who shares an address with a stranger that fills it can still prove itself.
            var share = ShareOf(max, delivery.Policy.BodyLimit);
            var held = _shares.AddBytes(holding.Account, bytes);
            if (held > own && held > (isSmall ? share : share - (share / 4)))
            {
                _shares.AddBytes(holding.Account, -bytes);
                Interlocked.Add(ref _bytes, -bytes);
                holding.Shortage = NoBytesForAddress;
                Bodies.MakeRoom(holding.Account);
                return false;
            }
        }

        delivery.ReservedBytes = own;
        if (total > max - (max / 4))
        {
            Bodies.MakeRoom();
        }

        return true;
    }

    public void Release(Delivery delivery)
    {
        if (delivery.Holding.IsCharged)
        {
            _shares.AddBytes(delivery.Holding.Account, -delivery.ReservedBytes);
        }

        Interlocked.Add(ref _bytes, -delivery.ReservedBytes);
        delivery.ReservedBytes = 0;
    }

    /// <summary>How much would have to go so that a sixteenth below the first mark is free again; nothing when negative.</summary>
    public (long Requests, long Bytes) Excess() => (Requests - (MaxRequests * 11 / 16), BufferedBytes - (MaxBufferedBytes / 16 * 11));

    /// <summary>The same of one address's share, down to three quarters of it; of the widest share, because what is within it must not be given up.</summary>
    public (long Requests, long Bytes) ExcessOf(AddressAccount account)
    {
        var (requests, bytes) = _shares.Held(account);
        return (requests - (Math.Max(MaxRequests / 16, SmallestShare) * 3 / 4), bytes - (ShareOf(MaxBufferedBytes, Volatile.Read(ref _widestBody)) / 4 * 3));
    }

    /// <summary>How far the bound may be filled by such a body. Whole where a bound is too small to be parted.</summary>
    private static long Mark(long max, bool isStranger, bool isSmall) =>
        max - (isStranger ? max / (isSmall ? 16 : 4) : isSmall ? 0 : max / 8);

    /// <summary>
    /// Bytes that one address may hold on a route that takes bodies of <paramref name="bodyLimit"/>: however small the bound, one such body and a half.
    /// </summary>
    private static long ShareOf(long max, long bodyLimit) => Math.Max(max / 16, bodyLimit * 3 / 2);

    private void Uncharge(Delivery delivery)
    {
        var holding = delivery.Holding;
        if (holding.IsCharged)
        {
            holding.IsCharged = false;
            _shares.AddRequests(holding.Account, -1);
            _shares.AddBytes(holding.Account, -delivery.ReservedBytes);
        }
    }

    private uint SecondOf(long timestamp) => (uint)(timestamp / _frequency);
}
