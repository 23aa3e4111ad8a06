using WebhookEdge.Verdicts;

namespace WebhookEdge.Observability;

/// <summary>
/// What became of one route's requests: totals since the process started, and what happened lately. Metrics, page and API read these same numbers. Held by the
/// route's policy, so nothing is looked up; kept over reloads, so counters never go backwards. Counting takes no lock, allocates nothing and reads no clock: it
/// is told when the request ended.
/// </summary>
internal sealed class RouteStats
{
    /// <summary>Seconds that <see cref="Seconds"/> can be asked for.</summary>
    public const int SecondsKept = 120;

    /// <summary>Minutes that "lately" means, the one under way included.</summary>
    public const int Minutes = 5;

    /// <summary>A route's stages are timed for a hundred requests a second at most: all of them on a quiet route, and next to nothing of a busy core.</summary>
    private const int TimedPerSecond = 100;

    private static readonly int s_outcomes = Enum.GetValues<Outcome>().Length;

    private readonly RequestMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly long _timedEvery;
    private readonly WindowedCounts _seconds = new(128, s_outcomes);
    private readonly WindowedCounts _outcomes = new(8, s_outcomes);
    private readonly WindowedCounts _latency = new(8, LatencyBuckets.Count);
    private readonly WindowedCounts _reasons = new(8, RejectReasons.Count);
    private readonly WindowedCounts _wouldRefuse = new(8, RejectReasons.Count);
    private readonly WindowedCounts _statuses = new(8, 6);
    private readonly long[] _refused = new long[RejectReasons.Count];
    private readonly long[] _wouldRefuseTotals = new long[RejectReasons.Count];
    private readonly long[] _upstreamAnswers = new long[6];
    private long _accepted;
    private long _upstreamRefused;
    private long _challenges;
    private long _retries;
    private long _held;
    private long _timedAt = long.MinValue / 2;
    private long _deliveredAt;
    private long _failedAt;
    private int _failedStatus;
    private int _failedReason;
    private int _failuresInRow;

    public RouteStats(string route, RequestMetrics metrics, TimeProvider time)
    {
        Route = route;
        _metrics = metrics;
        _time = time;
        _timedEvery = time.TimestampFrequency / TimedPerSecond;
    }

    public string Route { get; }

    /// <summary>The revision in force has the route; one that was compiled and refused does not count.</summary>
    public bool IsInForce { get; set; }

    /// <summary>The route, or one of its checks, is in observe mode in the revision in force.</summary>
    public bool IsObserving { get; set; }

    /// <summary>Requests whose event the upstream took, since the process started.</summary>
    public long Accepted => Volatile.Read(ref _accepted);

    /// <summary>Requests to which the upstream gave another answer than 2xx.</summary>
    public long UpstreamRefused => Volatile.Read(ref _upstreamRefused);

    /// <summary>Senders' challenges that the gateway answered itself.</summary>
    public long Challenges => Volatile.Read(ref _challenges);

    /// <summary>Connection attempts that were repeated.</summary>
    public long Retries => Volatile.Read(ref _retries);

    /// <summary>Deliveries that are held now because the upstream refuses connections.</summary>
    public long HeldNow => Volatile.Read(ref _held);

    /// <summary>Time since the upstream last took an event; null = never.</summary>
    public TimeSpan? SinceDelivered => Since(ref _deliveredAt);

    public TimeSpan? SinceFailed => Since(ref _failedAt);

    /// <summary>The last failure: the upstream's status, or 0 and the reason.</summary>
    public (int Status, RejectReason Reason) LastFailure => (Volatile.Read(ref _failedStatus), (RejectReason)Volatile.Read(ref _failedReason));

    /// <summary>Failures since the last delivery.</summary>
    public int FailuresInRow => Volatile.Read(ref _failuresInRow);

    private long Minute => MinuteOf(_time.GetTimestamp());

    /// <summary>An answer of the upstream went back to the sender.</summary>
    /// <param name="endedAt">Timestamp of <see cref="TimeProvider.GetTimestamp"/>.</param>
    /// <param name="elapsed">From the request's head to the end of the answer.</param>
    /// <param name="status">What the upstream said.</param>
    /// <param name="accepted">The event counts as delivered.</param>
    /// <param name="bodyBytes">Length of the body that was forwarded.</param>
    public void Forwarded(long endedAt, TimeSpan elapsed, int status, bool accepted, long bodyBytes)
    {
        Interlocked.Increment(ref accepted ? ref _accepted : ref _upstreamRefused);
        var minute = Count(endedAt, accepted ? Outcome.Delivered : Outcome.Failed);
        _latency.Add(minute, LatencyBuckets.IndexOf(elapsed));
        _statuses.Add(minute, Math.Clamp(status / 100, 0, 5));
        CountUpstream(status);
        _metrics.RecordDuration(Route, accepted ? "accepted" : "upstream-refused", elapsed);
        _metrics.RecordBody(Route, bodyBytes);
        if (!accepted)
        {
            Fail(endedAt, status, RejectReason.NotDecided);
            return;
        }

        // No later delivery's time may be replaced by an earlier one's for long; the newest wins within a request's length.
        Volatile.Write(ref _deliveredAt, endedAt);
        if (Volatile.Read(ref _failuresInRow) != 0)
        {
            Volatile.Write(ref _failuresInRow, 0);
        }
    }

    /// <summary>The gateway itself answered, with a refusal.</summary>
    /// <param name="upstreamStatus">What the upstream had answered, 0 when it was not asked or did not.</param>
    public void Refused(long endedAt, TimeSpan elapsed, RejectReason reason, int upstreamStatus)
    {
        var outcome = reason.Describe().Outcome;
        Interlocked.Increment(ref _refused[(int)reason]);
        _reasons.Add(Count(endedAt, outcome), (int)reason);
        CountUpstream(upstreamStatus);
        _metrics.RecordDuration(Route, "refused", elapsed);
        if (outcome == Outcome.Failed)
        {
            Fail(endedAt, 0, reason);
        }
    }

    /// <summary>A sender's challenge was answered.</summary>
    public void Answered(long endedAt, TimeSpan elapsed)
    {
        Interlocked.Increment(ref _challenges);
        Count(endedAt, Outcome.Answered);
        _metrics.RecordDuration(Route, "handshake", elapsed);
    }

    /// <summary>Observe mode lets a request through that would have been refused; what became of it is told separately.</summary>
    public void WouldRefuse(long at, RejectReason reason)
    {
        Interlocked.Increment(ref _wouldRefuseTotals[(int)reason]);
        _wouldRefuse.Add(MinuteOf(at), (int)reason);
    }

    /// <summary>A connection attempt is repeated.</summary>
    public void Retried() => Interlocked.Increment(ref _retries);

    public void HoldBegins() => Interlocked.Increment(ref _held);

    public void HoldEnds() => Interlocked.Decrement(ref _held);

    /// <summary>Whether the request that began at <paramref name="startedAt"/> is one whose stages are timed.</summary>
    public bool ShouldTime(long startedAt)
    {
        if (startedAt - Volatile.Read(ref _timedAt) < _timedEvery)
        {
            return false;
        }

        Volatile.Write(ref _timedAt, startedAt);
        return true;
    }

    public void RecordStage(string stage, TimeSpan elapsed) => _metrics.RecordStage(Route, stage, elapsed);

    /// <summary>Requests since the process started.</summary>
    public long Total(Outcome outcome)
    {
        var total = outcome switch
        {
            Outcome.Delivered => Accepted,
            Outcome.Failed => UpstreamRefused,
            Outcome.Answered => Challenges,
            _ => 0,
        };
        for (var reason = 0; reason < _refused.Length; reason++)
        {
            total += ((RejectReason)reason).Describe().Outcome == outcome ? Volatile.Read(ref _refused[reason]) : 0;
        }

        return total;
    }

    public long Total(RejectReason reason) => Volatile.Read(ref _refused[(int)reason]);

    public long WouldRefuseTotal(RejectReason reason) => Volatile.Read(ref _wouldRefuseTotals[(int)reason]);

    /// <summary>Answers of the upstream since the process started by first digit, 1 to 5.</summary>
    public long UpstreamAnswers(int firstDigit) => Volatile.Read(ref _upstreamAnswers[firstDigit]);

    /// <summary>Requests of the last <see cref="Minutes"/>.</summary>
    public int Lately(Outcome outcome) => _outcomes.Sum(Minute, (int)outcome, Minutes);

    public int Lately(RejectReason reason) => _reasons.Sum(Minute, (int)reason, Minutes);

    public int WouldRefuseLately(RejectReason reason) => _wouldRefuse.Sum(Minute, (int)reason, Minutes);

    /// <summary>Answers of the upstream in the last <see cref="Minutes"/> by first digit; 0 holds what is none.</summary>
    public int StatusesLately(int firstDigit) => _statuses.Sum(Minute, firstDigit, Minutes);

    /// <summary>Requests of one outcome in each of the last <paramref name="seconds"/> whole seconds, oldest first.</summary>
    public int[] Seconds(Outcome outcome, int seconds)
    {
        var now = SecondOf(_time.GetTimestamp());
        var counts = new int[Math.Min(seconds, SecondsKept)];
        for (var i = 0; i < counts.Length; i++)
        {
            counts[i] = _seconds.Of(now - counts.Length + i, (int)outcome);
        }

        return counts;
    }

    /// <summary>Durations of forwarded requests in the last <see cref="Minutes"/>, by <see cref="LatencyBuckets"/>.</summary>
    public int[] Latencies()
    {
        var minute = Minute;
        var counts = new int[LatencyBuckets.Count];
        for (var i = 0; i < counts.Length; i++)
        {
            counts[i] = _latency.Sum(minute, i, Minutes);
        }

        return counts;
    }

    private long Count(long endedAt, Outcome outcome)
    {
        var second = SecondOf(endedAt);
        _seconds.Add(second, (int)outcome);
        var minute = second / 60;
        _outcomes.Add(minute, (int)outcome);
        return minute;
    }

    private void CountUpstream(int status)
    {
        if (status is >= 100 and < 600)
        {
            Interlocked.Increment(ref _upstreamAnswers[status / 100]);
        }
    }

    private void Fail(long endedAt, int status, RejectReason reason)
    {
        Interlocked.Increment(ref _failuresInRow);
        Volatile.Write(ref _failedStatus, status);
        Volatile.Write(ref _failedReason, (int)reason);
        Volatile.Write(ref _failedAt, endedAt);
    }

    private long SecondOf(long timestamp) => timestamp / _time.TimestampFrequency;

    private long MinuteOf(long timestamp) => SecondOf(timestamp) / 60;

    private TimeSpan? Since(ref long at) => Volatile.Read(ref at) is not 0 and var timestamp ? _time.GetElapsedTime(timestamp) : null;
}
