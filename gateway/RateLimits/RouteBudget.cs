using System.Threading.RateLimiting;

namespace WebhookEdge.RateLimits;

/// <summary>
/// A route's budget of authentic deliveries over a sliding window, so that two bursts on either side of a boundary do not add up. Up to
/// <c>queue</c> deliveries wait for the window to move, first come first served.
/// </summary>
internal sealed class RouteBudget : IDisposable
{
    private readonly SlidingWindowRateLimiter _limiter;

    /// <param name="permits">Deliveries per window, at least 1.</param>
    public RouteBudget(int permits, TimeSpan window, int queue)
    {
        Window = window;
        Queue = queue;
        _limiter = new(new()
        {
            PermitLimit = permits,
            Window = window,

            // Eight steps a window, but none shorter than ten milliseconds: each step is a timer tick.
            SegmentsPerWindow = (int)Math.Clamp(window.TotalMilliseconds / 10, 1, 8),
            QueueLimit = queue,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
            AutoReplenishment = true,
        });
    }

    public TimeSpan Window { get; }

    public int Queue { get; }

    /// <summary>Spends one permit if there is one and nobody waits for it. Granted, it allocates nothing.</summary>
    public bool TryAcquire(out TimeSpan retryAfter)
    {
        using var lease = _limiter.AttemptAcquire();
        return Read(lease, out retryAfter);
    }

    /// <summary>Waits for a permit in the queue; refused at once when the queue is full.</summary>
    /// <returns>Null when granted, else when to try again.</returns>
    /// <exception cref="OperationCanceledException">The wait was ended; no permit was spent.</exception>
    public async ValueTask<TimeSpan?> WaitAsync(CancellationToken cancellationToken)
    {
        using var lease = await _limiter.AcquireAsync(1, cancellationToken);
        return Read(lease, out var retryAfter) ? null : retryAfter;
    }

    public void Dispose() => _limiter.Dispose();

    private bool Read(RateLimitLease lease, out TimeSpan retryAfter)
    {
        retryAfter = TimeSpan.Zero;
        if (lease.IsAcquired)
        {
            return true;
        }

        retryAfter = lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) && wait > TimeSpan.Zero ? wait : Window;
        return false;
    }
}
