namespace WebhookEdge.AllowLists;

/// <summary>
/// When a source is asked next: after its refresh time, after a failure sooner, or because an address was missed, which request threads ask for.
/// </summary>
internal sealed class CheckSchedule(TimeProvider time, Random random)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan QuietTime = TimeSpan.FromMinutes(1);

    // Touched by the one running check only.
    private int _failures;

    // Read by request threads. Monotonic timestamps; _checkedAt 0 = never.
    private long _dueAt = time.GetTimestamp();
    private long _checkedAt;
    private int _requested;

    /// <summary>Time until the next check is due, zero when it is.</summary>
    public TimeSpan Wait
    {
        get
        {
            var wait = Volatile.Read(ref _requested) != 0 ? TimeSpan.Zero : time.GetElapsedTime(time.GetTimestamp(), Volatile.Read(ref _dueAt));
            return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
        }
    }

    /// <summary>Asks for a check out of turn. True when one is due because of it, and was not before.</summary>
    public bool Request()
    {
        if (Volatile.Read(ref _requested) != 0)
        {
            return false;
        }

        var checkedAt = Volatile.Read(ref _checkedAt);
        return (checkedAt == 0 || time.GetElapsedTime(checkedAt) >= QuietTime) && Interlocked.Exchange(ref _requested, 1) == 0;
    }

    public void Begins()
    {
        Volatile.Write(ref _requested, 0);

        // Counted from its begin as well: whoever misses an address between the moment in which a list is loaded and the end of the check asks for no other.
        Volatile.Write(ref _checkedAt, time.GetTimestamp());
    }

    public void Succeeded() => _failures = 0;

    /// <summary>How long to wait after one more failure, at most <paramref name="most"/>.</summary>
    public TimeSpan Backoff(TimeSpan most)
    {
        var doubled = FirstRetry * Math.Pow(2, Math.Min(_failures++, 20));
        var capped = doubled < most ? doubled : most;

        // A fifth up or down, so that gateways that started together do not ask together.
        return capped * (0.8 + (0.4 * random.NextDouble()));
    }

    /// <param name="delay">Until the next check.</param>
    public void Ends(TimeSpan delay)
    {
        var now = time.GetTimestamp();
        Volatile.Write(ref _dueAt, now + (long)(delay.TotalSeconds * time.TimestampFrequency));
        Volatile.Write(ref _checkedAt, now);

        // Whoever asked while this check ran has been served by it.
        Volatile.Write(ref _requested, 0);
    }
}
