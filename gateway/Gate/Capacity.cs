namespace WebhookEdge.Gate;

/// <summary>
/// The gateway's two global bounds: requests in flight and bytes of bodies held. Both are counters with a ceiling, taken before and given
/// back after, so that what a stranger can make us hold is bounded however many routes and connections there are.
/// </summary>
internal sealed class Capacity
{
    private long _requests;
    private long _bytes;
    private long _maxRequests = 4096;
    private long _maxBytes = 256L * 1024 * 1024;

    /// <summary>Requests in flight.</summary>
    public long Requests => Volatile.Read(ref _requests);

    /// <summary>Bytes of bodies held.</summary>
    public long BufferedBytes => Volatile.Read(ref _bytes);

    /// <summary>Requests at most.</summary>
    public long MaxRequests => Volatile.Read(ref _maxRequests);

    /// <summary>Bytes of bodies at most.</summary>
    public long MaxBufferedBytes => Volatile.Read(ref _maxBytes);

    /// <summary>New ceilings; what is held already stays held.</summary>
    public void SetLimits(long maxRequests, long maxBytes)
    {
        Volatile.Write(ref _maxRequests, maxRequests);
        Volatile.Write(ref _maxBytes, maxBytes);
    }

    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _requests) <= Volatile.Read(ref _maxRequests))
        {
            return true;
        }

        Interlocked.Decrement(ref _requests);
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _requests);

    /// <summary>Reserves <paramref name="bytes"/> more for <paramref name="delivery"/>; they are given back by <see cref="Release"/>.</summary>
    public bool TryReserve(Delivery delivery, long bytes)
    {
        if (Interlocked.Add(ref _bytes, bytes) <= Volatile.Read(ref _maxBytes))
        {
            delivery.ReservedBytes += bytes;
            return true;
        }

        Interlocked.Add(ref _bytes, -bytes);
        return false;
    }

    public void Release(Delivery delivery)
    {
        Interlocked.Add(ref _bytes, -delivery.ReservedBytes);
        delivery.ReservedBytes = 0;
    }
}
