using System.Collections.Concurrent;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Observability;

/// <summary>What became of a request, as the page draws it.</summary>
internal enum Fate
{
    /// <summary>The upstream answered 2xx.</summary>
    Delivered,

    /// <summary>Authentic, or as good as, and not delivered by this attempt: the upstream's other answers, and what the gateway could not do.</summary>
    Failed,

    /// <summary>Stopped by a rule.</summary>
    Refused,

    /// <summary>A copy of a delivered event, answered for the upstream.</summary>
    Duplicate,

    /// <summary>A sender's challenge.</summary>
    Answered,
}

/// <summary>
/// What happened on one route lately, for people who look at it now: counted where the verdict is written, kept over reloads. Counting allocates nothing,
/// takes no lock and reads no clock: it is told the timestamp at which the request ended.
/// </summary>
internal sealed class RouteActivity(TimeProvider time)
{
    /// <summary>Seconds that <see cref="Seconds"/> can be asked for.</summary>
    public const int SecondsKept = 120;

    /// <summary>Minutes that "lately" means, the one under way included.</summary>
    public const int Minutes = 5;

    private static readonly int s_fates = Enum.GetValues<Fate>().Length;
    private static readonly int s_reasons = Enum.GetValues<RejectReason>().Length;

    private readonly WindowedCounts _seconds = new(128, s_fates);
    private readonly WindowedCounts _fates = new(8, s_fates);
    private readonly WindowedCounts _latency = new(8, LatencyBuckets.Count);
    private readonly WindowedCounts _reasons = new(8, s_reasons);
    private readonly WindowedCounts _wouldRefuse = new(8, s_reasons);
    private readonly WindowedCounts _statuses = new(8, 6);
    private readonly long[] _totals = new long[s_fates];
    private readonly long[] _reasonTotals = new long[s_reasons];
    private readonly long[] _wouldRefuseTotals = new long[s_reasons];
    private long _deliveredAt;
    private long _failedAt;
    private int _failedStatus;
    private int _failedReason;
    private int _failuresInRow;

    /// <summary>An answer of the upstream went back to the sender.</summary>
    /// <param name="endedAt">Timestamp of <see cref="TimeProvider.GetTimestamp"/>.</param>
    /// <param name="elapsed">From the request's head to the end of the answer.</param>
    /// <param name="status">What the upstream said.</param>
    /// <param name="accepted">The event counts as delivered.</param>
    public void Forwarded(long endedAt, TimeSpan elapsed, int status, bool accepted)
    {
        var minute = Count(endedAt, accepted ? Fate.Delivered : Fate.Failed);
        _latency.Add(minute, LatencyBuckets.IndexOf(elapsed));
        _statuses.Add(minute, Math.Clamp(status / 100, 0, 5));
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

    public void Refused(long endedAt, RejectReason reason)
    {
        var fate = FateOf(reason);
        var minute = Count(endedAt, fate);
        _reasons.Add(minute, (int)reason);
        Interlocked.Increment(ref _reasonTotals[(int)reason]);
        if (fate == Fate.Failed)
        {
            Fail(endedAt, 0, reason);
        }
    }

    /// <summary>Observe mode lets a request through that would have been refused; what became of it is told separately.</summary>
    public void Observed(long at, RejectReason reason)
    {
        _wouldRefuse.Add(MinuteOf(at), (int)reason);
        Interlocked.Increment(ref _wouldRefuseTotals[(int)reason]);
    }

    public void Answered(long endedAt) => Count(endedAt, Fate.Answered);

    /// <summary>Requests since the process started.</summary>
    public long Total(Fate fate) => Volatile.Read(ref _totals[(int)fate]);

    /// <summary>Requests of the last <see cref="Minutes"/>.</summary>
    public int Lately(Fate fate) => _fates.Sum(Minute, (int)fate, Minutes);

    public long Total(RejectReason reason) => Volatile.Read(ref _reasonTotals[(int)reason]);

    public int Lately(RejectReason reason) => _reasons.Sum(Minute, (int)reason, Minutes);

    public long WouldRefuseTotal(RejectReason reason) => Volatile.Read(ref _wouldRefuseTotals[(int)reason]);

    public int WouldRefuseLately(RejectReason reason) => _wouldRefuse.Sum(Minute, (int)reason, Minutes);

    /// <summary>Answers of the upstream in the last <see cref="Minutes"/> by first digit; 0 holds what is none.</summary>
    public int StatusesLately(int firstDigit) => _statuses.Sum(Minute, firstDigit, Minutes);

    /// <summary>Requests of one fate in each of the last <paramref name="seconds"/> whole seconds, oldest first.</summary>
    public int[] Seconds(Fate fate, int seconds)
    {
        var now = SecondOf(time.GetTimestamp());
        var counts = new int[Math.Min(seconds, SecondsKept)];
        for (var i = 0; i < counts.Length; i++)
        {
            counts[i] = _seconds.Of(now - counts.Length + i, (int)fate);
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

    /// <summary>Time since the upstream last took an event; null = never.</summary>
    public TimeSpan? SinceDelivered => Since(ref _deliveredAt);

    public TimeSpan? SinceFailed => Since(ref _failedAt);

    /// <summary>The last failure: the upstream's status, or 0 and the reason.</summary>
    public (int Status, RejectReason Reason) LastFailure => (Volatile.Read(ref _failedStatus), (RejectReason)Volatile.Read(ref _failedReason));

    /// <summary>Failures since the last delivery.</summary>
    public int FailuresInRow => Volatile.Read(ref _failuresInRow);

    /// <summary>Whether a refusal hits a delivery that would, or well might, have been accepted: then it is the operator's affair.</summary>
    public static Fate FateOf(RejectReason reason) => reason switch
    {
        RejectReason.Duplicate => Fate.Duplicate,
        RejectReason.NotDecided or RejectReason.AllowListUnavailable or RejectReason.TooManyForRoute or RejectReason.Overloaded or RejectReason.SigningKeyUnavailable
            or RejectReason.DuplicateInFlight or RejectReason.ReplayStoreDown or RejectReason.UpstreamUnreachable or RejectReason.UpstreamTimeout or RejectReason.UpstreamFailed
            or RejectReason.CheckFailed or RejectReason.SenderHungUp => Fate.Failed,
        _ => Fate.Refused,
    };

    private long Minute => MinuteOf(time.GetTimestamp());

    private long Count(long endedAt, Fate fate)
    {
        var second = SecondOf(endedAt);
        _seconds.Add(second, (int)fate);
        var minute = second / 60;
        _fates.Add(minute, (int)fate);
        Interlocked.Increment(ref _totals[(int)fate]);
        return minute;
    }

    private void Fail(long endedAt, int status, RejectReason reason)
    {
        Interlocked.Increment(ref _failuresInRow);
        Volatile.Write(ref _failedStatus, status);
        Volatile.Write(ref _failedReason, (int)reason);
        Volatile.Write(ref _failedAt, endedAt);
    }

    private long SecondOf(long timestamp) => timestamp / time.TimestampFrequency;

    private long MinuteOf(long timestamp) => SecondOf(timestamp) / 60;

    private TimeSpan? Since(ref long at) => Volatile.Read(ref at) is not 0 and var timestamp ? time.GetElapsedTime(timestamp) : null;
}

/// <summary>The activity of every route by id, so that a reload does not forget it.</summary>
internal sealed class RouteActivities(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, RouteActivity> _byRoute = new(StringComparer.Ordinal);

    /// <summary>Requests that no route took.</summary>
    public RouteActivity Unrouted { get; } = new(time);

    public RouteActivity Of(string routeId) => _byRoute.GetOrAdd(routeId, static (_, time) => new(time), time);

    /// <summary>Forgets routes that are no longer in force. One that comes back begins anew.</summary>
    public void Retain(IEnumerable<string> routeIds)
    {
        var inUse = routeIds.ToHashSet(StringComparer.Ordinal);
        foreach (var id in _byRoute.Keys)
        {
            if (!inUse.Contains(id))
            {
                _byRoute.TryRemove(id, out _);
            }
        }
    }
}
