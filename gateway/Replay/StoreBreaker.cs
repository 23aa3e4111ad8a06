namespace WebhookEdge.Replay;

/// <summary>
/// Spares deliveries the wait for a store that is away. One failure opens it for one to two seconds (drawn anew each time, so that replicas do
/// not probe in step); then a single caller is let through as a probe, and any success closes it.
/// </summary>
internal sealed class StoreBreaker(TimeProvider time, Random jitter)
{
    private long _openUntil;
    private int _probing;

    /// <summary>0 closed, 1 half-open, 2 open; for the gauge.</summary>
    public int State => Volatile.Read(ref _openUntil) switch
    {
        0 => 0,
        var until when time.GetTimestamp() < until => 2,
        _ => 1,
    };

    /// <summary>May the store be called now? Whoever is told yes reports <see cref="Succeeded"/>, <see cref="Failed"/> or <see cref="Abandon"/>.</summary>
    public bool TryEnter()
    {
        var until = Volatile.Read(ref _openUntil);
        return until == 0 || (time.GetTimestamp() >= until && Interlocked.CompareExchange(ref _probing, 1, 0) == 0);
    }

    /// <summary>The call was not made after all: somebody else may probe.</summary>
    public void Abandon() => Volatile.Write(ref _probing, 0);

    /// <summary>Answers whether this closed the breaker.</summary>
    public bool Succeeded()
    {
        if (Volatile.Read(ref _openUntil) == 0)
        {
            return false;
        }

        var closed = Interlocked.Exchange(ref _openUntil, 0) != 0;
        Volatile.Write(ref _probing, 0);
        return closed;
    }

    /// <summary>Opens, or stays open for another pause. Answers whether it was closed before.</summary>
    public bool Failed(out TimeSpan pause)
    {
        lock (jitter)
        {
            pause = TimeSpan.FromMilliseconds(1_000 + jitter.Next(1_000));
        }

        // Never 0, which means closed.
        var until = Math.Max(1, time.GetTimestamp() + (long)(pause.TotalSeconds * time.TimestampFrequency));
        var opened = Interlocked.Exchange(ref _openUntil, until) == 0;
        Volatile.Write(ref _probing, 0);
        return opened;
    }
}
