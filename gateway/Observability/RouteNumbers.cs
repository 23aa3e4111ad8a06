using System.Diagnostics.Metrics;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Observability;

/// <summary>
/// What became of one route's requests, in plain numbers that a request adds to with one interlocked increment and a scrape reads. Held by the route's policy,
/// so nothing is looked up; outlives reloads, so counters never go backwards.
/// </summary>
internal sealed class RouteNumbers
{
    /// <summary>A route's stages are timed for a hundred requests a second at most: all of them on a quiet route, and next to nothing of a busy core.</summary>
    private const int TimedPerSecond = 100;

    private static readonly string[] Slugs = [.. Enum.GetValues<RejectReason>().Select(static reason => reason.Describe().Slug)];
    private static readonly string[] Classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];

    private readonly RequestMetrics _metrics;
    private readonly long _timedEvery;
    private readonly long[] _refused = new long[Slugs.Length];
    private readonly long[] _wouldRefuse = new long[Slugs.Length];
    private readonly long[] _upstream = new long[Classes.Length];
    private long _accepted;
    private long _upstreamRefused;
    private long _challenges;
    private long _retries;
    private long _held;
    private long _timedAt = long.MinValue / 2;

    public RouteNumbers(string route, RequestMetrics metrics, TimeProvider time)
    {
        Route = route;
        _metrics = metrics;
        _timedEvery = time.TimestampFrequency / TimedPerSecond;
    }

    public string Route { get; }

    /// <summary>The revision in force has the route; one that was compiled and refused does not count.</summary>
    public bool IsInForce { get; set; }

    /// <summary>The route, or one of its checks, is in observe mode in the revision in force.</summary>
    public bool IsObserving { get; set; }

    /// <param name="upstreamStatus">What the upstream answered, 0 when it was not asked or did not.</param>
    public void Refused(RejectReason reason, int upstreamStatus, TimeSpan elapsed)
    {
        Interlocked.Increment(ref _refused[(int)reason]);
        CountUpstream(upstreamStatus);
        _metrics.RecordDuration(Route, "refused", elapsed);
    }

    /// <param name="accepted">The upstream answered with a 2xx.</param>
    public void Forwarded(bool accepted, int upstreamStatus, long bodyBytes, TimeSpan elapsed)
    {
        Interlocked.Increment(ref accepted ? ref _accepted : ref _upstreamRefused);
        CountUpstream(upstreamStatus);
        _metrics.RecordDuration(Route, accepted ? "accepted" : "upstream-refused", elapsed);
        _metrics.RecordBody(Route, bodyBytes);
    }

    /// <summary>A sender's challenge that the gateway answered itself.</summary>
    public void Answered(TimeSpan elapsed)
    {
        Interlocked.Increment(ref _challenges);
        _metrics.RecordDuration(Route, "handshake", elapsed);
    }

    public void WouldRefuse(RejectReason reason) => Interlocked.Increment(ref _wouldRefuse[(int)reason]);

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

    internal long HeldNow => Volatile.Read(ref _held);

    /// <summary>Outcomes from the start, so that a first increase shows; reasons once they have occurred, so that a route is not thirty series.</summary>
    internal IEnumerable<Measurement<long>> Requests()
    {
        yield return Request(_accepted, "accepted", "none");
        yield return Request(_upstreamRefused, "upstream-refused", "none");
        if (_challenges > 0)
        {
            yield return Request(_challenges, "handshake", "none");
        }

        for (var reason = 0; reason < Slugs.Length; reason++)
        {
            if (Volatile.Read(ref _refused[reason]) is > 0 and var count)
            {
                yield return Request(count, "refused", Slugs[reason]);
            }
        }
    }

    internal IEnumerable<Measurement<long>> WouldRefuse()
    {
        for (var reason = 0; reason < Slugs.Length; reason++)
        {
            if (Volatile.Read(ref _wouldRefuse[reason]) is > 0 and var count)
            {
                yield return new(count, new("route", Route), new KeyValuePair<string, object?>("reason", Slugs[reason]));
            }
        }
    }

    internal IEnumerable<Measurement<long>> UpstreamAnswers()
    {
        for (var status = 0; status < Classes.Length; status++)
        {
            if (Volatile.Read(ref _upstream[status]) is > 0 and var count)
            {
                yield return new(count, new("route", Route), new KeyValuePair<string, object?>("status", Classes[status]));
            }
        }
    }

    internal Measurement<long> Retries() => new(Volatile.Read(ref _retries), new KeyValuePair<string, object?>("route", Route));

    private Measurement<long> Request(long count, string outcome, string reason) => new(count, new("route", Route), new("outcome", outcome), new("reason", reason));

    private void CountUpstream(int status)
    {
        if (status is >= 100 and < 600)
        {
            Interlocked.Increment(ref _upstream[(status / 100) - 1]);
        }
    }
}
