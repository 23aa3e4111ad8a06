using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>
/// Spares deliveries the wait for a store that is away. It opens when of the calls of the last one to two seconds at least <see cref="LeastFailures"/>
/// failed and more failed than
/// succeeded, so that one slow call closes no store to everybody. It stays open for one to two seconds (drawn anew each time, so that replicas do not probe
/// in step); then a single
/// caller is let through as a probe, and any success closes it. What counts as a failure is the caller's to say: a store that answers is not away, whatever
/// it answers about one key.
/// </summary>
internal sealed class StoreBreaker(TimeProvider time, Random jitter)
{
    /// <summary>Fewer failures within the window never open it.</summary>
    public const int LeastFailures = 3;

    /// <summary>The window is the half that is running and the one before it.</summary>
    private static readonly TimeSpan s_half = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private long _openUntil;
    private int _probing;

    // Under _gate.
    private long _halfBegan;
    private (int Failed, int Succeeded) _now;
    private (int Failed, int Succeeded) _before;

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
        lock (_gate)
        {
            if (_openUntil == 0)
            {
                Turn();
                _now.Succeeded++;
                return false;
            }

            // What failed before says nothing about the store that is back.
            (_now, _before) = (default, default);
            Volatile.Write(ref _openUntil, 0);
            Volatile.Write(ref _probing, 0);
            return true;
        }
    }

    /// <summary>Opens when that was one failure too many, or stays open for another pause. Answers whether this opened it.</summary>
    /// <param name="pause">How long it is open; zero when it is not.</param>
    public bool Failed(out TimeSpan pause)
    {
        lock (_gate)
        {
            pause = TimeSpan.Zero;
            var wasClosed = _openUntil == 0;
            if (wasClosed)
            {
                Turn();
                _now.Failed++;
                var failed = _now.Failed + _before.Failed;
                if (failed < LeastFailures || failed <= _now.Succeeded + _before.Succeeded)
                {
                    return false;
                }
            }

            pause = TimeSpan.FromMilliseconds(1_000 + jitter.Next(1_000));

            // Never 0, which means closed.
            Volatile.Write(ref _openUntil, Math.Max(1, time.After(time.GetTimestamp(), pause)));
            Volatile.Write(ref _probing, 0);
            return wasClosed;
        }
    }

    private void Turn()
    {
        var now = time.GetTimestamp();
        var halves = time.GetElapsedTime(_halfBegan, now) / s_half;
        if (halves < 1)
        {
            return;
        }

        _before = halves < 2 ? _now : default;
        _now = default;
        _halfBegan = now;
    }
}
