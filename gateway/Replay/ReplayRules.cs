namespace WebhookEdge.Replay;

/// <summary>How a route treats duplicates.</summary>
/// <param name="Ttl">How long a delivered event is remembered.</param>
/// <param name="Timeout">The route's time from the last body byte to the answer; waiting ends with it.</param>
/// <param name="Closed">Refuse while the store is away, instead of going on with this process's memory.</param>
internal sealed record ReplayRules(TimeSpan Ttl, TimeSpan Timeout, bool Closed = false)
{
    /// <summary>A copy of a delivery in flight waits for its outcome; false for a route that only observes, which must delay nobody.</summary>
    public bool Waits { get; init; } = true;

    /// <summary>Longer than any delivery can take, so that a live owner never outlives its claim.</summary>
    public TimeSpan Lease { get; } = Timeout + TimeSpan.FromSeconds(1.5);
}
