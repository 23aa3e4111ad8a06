using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Observability;

/// <summary>What the gateway as a whole holds and may hold, as the gauges show it.</summary>
internal readonly record struct CapacityReading(long Requests, long MaxRequests, long Bytes, long MaxBytes, long GivenUp);

/// <summary>
/// What became of requests. Tags: <c>route</c> (configured ids and "none"), <c>outcome</c>, <c>reason</c>, <c>stage</c>, <c>status</c> class. Whatever every
/// request counts is a number of <see cref="RouteStats"/> that is read when somebody collects; only what needs a distribution is measured as it happens.
/// </summary>
internal sealed class RequestMetrics
{
    /// <summary>The route of requests that match none.</summary>
    public const string NoRoute = "none";

    private static readonly InstrumentAdvice<double> Seconds = new() { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
        2.5, 5, 10] };
    private static readonly InstrumentAdvice<double> ShortSeconds = new() { HistogramBucketBoundaries = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005,
        0.001, 0.0025, 0.01, 0.1, 1, 10] };
    private static readonly InstrumentAdvice<long> Bytes = new() { HistogramBucketBoundaries = [256, 1024, 4096, 16 * 1024, 64 * 1024, 256 * 1024, 1024 * 1024,
        4 * 1024 * 1024] };

    private static readonly string[] Classes = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

    private readonly TimeProvider _time;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _stage;
    private readonly Histogram<long> _bodySize;
    private readonly ConcurrentDictionary<string, RouteStats> _routes = new(StringComparer.Ordinal);
    private Func<CapacityReading> _capacity = static () => default;

    public RequestMetrics(Meter meter, TimeProvider time)
    {
        _time = time;
        Unrouted = new(NoRoute, this, time);
        _duration = meter.CreateHistogram("webhookedge.request.duration", "s", "Time from the request's head to the end of the answer.", tags: null, Seconds);
        _stage = meter.CreateHistogram("webhookedge.stage.duration", "s",
            "Time in one stage of the gate, or at the upstream (forward); of at most a hundred requests a second for each route.", tags: null, ShortSeconds);
        _bodySize = meter.CreateHistogram("webhookedge.request.body.size", "By", "Size of the bodies of forwarded requests.", tags: null, Bytes);
        meter.CreateObservableCounter("webhookedge.requests", () => All.SelectMany(Requests), "{request}", "Requests by route, outcome and reason.");
        meter.CreateObservableCounter("webhookedge.would_refuse", () => All.SelectMany(WouldRefuse), "{request}", "Requests that observe mode let through.");
        meter.CreateObservableCounter("webhookedge.upstream.held", () => InForce.Select(static route => Tagged(route, route.Retries)), "{retry}",
            "Connection attempts repeated while the upstream refused.");
        meter.CreateObservableCounter("webhookedge.upstream.answers", () => InForce.SelectMany(UpstreamAnswers), "{answer}",
            "Answers of the upstream by class of status.");
        meter.CreateLiveGauge("webhookedge.held", "{request}", "Deliveries held now because the upstream refuses connections.",
            () => InForce.Select(static route => Of(route, route.HeldNow)));
        meter.CreateLiveGauge("webhookedge.observing", null,
            "1 for a route that is in observe mode, wholly or in one of its checks: it lets through what it would refuse.", () =>
            InForce.Select(static route => Of(route, route.IsObserving ? 1 : 0)));
        meter.CreateObservableGauge("webhookedge.in_flight", () => _capacity().Requests, "{request}", "Requests in the gateway now.");
        meter.CreateObservableGauge("webhookedge.in_flight.limit", () => _capacity().MaxRequests, "{request}",
            "Requests the gateway takes at once; more are refused as overloaded.");
        meter.CreateObservableCounter("webhookedge.bodies.given_up", () => _capacity().GivenUp, "{request}",
            "Bodies that came slowly and were given up to make room; their senders read overloaded.");
        meter.CreateObservableGauge("webhookedge.buffered", () => _capacity().Bytes, "By", "Bytes of bodies held now.");
        meter.CreateObservableGauge("webhookedge.buffered.limit", () => _capacity().MaxBytes, "By",
            "Bytes of bodies the gateway holds at once; more are refused as overloaded.");
    }

    /// <summary>Numbers of requests that match no route.</summary>
    public RouteStats Unrouted { get; }

    private IEnumerable<RouteStats> InForce => _routes.Values.Where(static route => route.IsInForce);

    private IEnumerable<RouteStats> All => InForce.Append(Unrouted);

    /// <summary>The numbers of a route; the same object in every revision that has it.</summary>
    public RouteStats Of(string route) => _routes.GetOrAdd(route, static (id, self) => new(id, self, self._time), this);

    /// <summary>Tells the gauges where to look.</summary>
    public void WatchCapacity(Func<CapacityReading> reading) => _capacity = reading;

    /// <summary>Says after a reload which routes there are; the numbers of others are forgotten.</summary>
    public void Retain(IReadOnlyDictionary<string, bool> observing)
    {
        foreach (var (id, numbers) in _routes)
        {
            if (observing.TryGetValue(id, out var isObserving))
            {
                numbers.IsObserving = isObserving;
                numbers.IsInForce = true;
            }
            else
            {
                _routes.TryRemove(id, out _);
            }
        }
    }

    internal void RecordDuration(string route, string outcome, TimeSpan elapsed)
    {
        if (_duration.Enabled)
        {
            _duration.Record(elapsed.TotalSeconds, new("route", route), new KeyValuePair<string, object?>("outcome", outcome));
        }
    }

    internal void RecordBody(string route, long bytes)
    {
        if (_bodySize.Enabled)
        {
            _bodySize.Record(bytes, new KeyValuePair<string, object?>("route", route));
        }
    }

    internal void RecordStage(string route, string stage, TimeSpan elapsed) =>
        _stage.Record(elapsed.TotalSeconds, new("route", route), new KeyValuePair<string, object?>("stage", stage));

    /// <summary>Outcomes from the start, so that a first increase shows; reasons once they have occurred, so that a route is not thirty series.</summary>
    private static IEnumerable<Measurement<long>> Requests(RouteStats route)
    {
        yield return Request(route, route.Accepted, "accepted", "none");
        yield return Request(route, route.UpstreamRefused, "upstream-refused", "none");
        if (route.Challenges is > 0 and var challenges)
        {
            yield return Request(route, challenges, "handshake", "none");
        }

        foreach (var reason in Enum.GetValues<RejectReason>())
        {
            if (route.Total(reason) is > 0 and var count)
            {
                yield return Request(route, count, "refused", reason.Describe().Slug);
            }
        }
    }

    private static IEnumerable<Measurement<long>> WouldRefuse(RouteStats route)
    {
        foreach (var reason in Enum.GetValues<RejectReason>())
        {
            if (route.WouldRefuseTotal(reason) is > 0 and var count)
            {
                yield return new(count, new("route", route.Route), new KeyValuePair<string, object?>("reason", reason.Describe().Slug));
            }
        }
    }

    private static IEnumerable<Measurement<long>> UpstreamAnswers(RouteStats route)
    {
        for (var digit = 1; digit <= 5; digit++)
        {
            if (route.UpstreamAnswers(digit) is > 0 and var count)
            {
                yield return new(count, new("route", route.Route), new KeyValuePair<string, object?>("status", Classes[digit]));
            }
        }
    }

    private static Measurement<long> Request(RouteStats route, long count, string outcome, string reason) =>
        new(count, new("route", route.Route), new("outcome", outcome), new("reason", reason));

    private static Measurement<long> Tagged(RouteStats route, long value) => new(value, new KeyValuePair<string, object?>("route", route.Route));

    private static Measurement<double> Of(RouteStats route, double value) => new(value, new KeyValuePair<string, object?>("route", route.Route));
}
