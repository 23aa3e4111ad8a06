using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>How near a route's failures are to the point at which its sender gives up; what the gauges, the admin listener and the page show.</summary>
/// <param name="Provider">The preset whose policy counts.</param>
/// <param name="Limit">Attempts the sender makes of one event.</param>
/// <param name="WorstEvent">Key of the event with the most failed attempts, 64 hex digits; null when none has failed.</param>
/// <param name="Attempts">How many attempts of it have failed.</param>
/// <param name="Failing">Events whose last attempt failed and that the sender will send again.</param>
/// <param name="NearLimit">Events of which one attempt is left.</param>
/// <param name="GivenUp">Events since the start of which none was left.</param>
/// <param name="InARow">Deliveries of this route, of whatever event, that have failed since the last that did not.</param>
/// <param name="SwitchesOffAfter">So many in a row and the sender switches the webhook off; null = no such number is documented.</param>
internal readonly record struct AttemptReading(string Route, string Provider, int Limit, string? WorstEvent, int Attempts, int Failing, int NearLimit,
    long GivenUp, int InARow, int? SwitchesOffAfter);

/// <summary>Instruments about single routes beside their requests. The tag <c>route</c> is bounded by the configuration.</summary>
internal sealed class RouteMetrics
{
    private readonly Counter<long> _untracked;
    private Func<IEnumerable<AttemptReading>> _attempts = static () => [];

    public RouteMetrics(Meter meter)
    {
        meter.CreateObservableCounter("webhookedge.attempts.given_up", GivenUp, "{event}",
            "Events of which the sender has made its last attempt, and it failed.");
        _untracked = meter.CreateCounter<long>("webhookedge.attempts.untracked", "{attempt}", "Failed attempts of events for which the watch had no room.");
        meter.CreateLiveGauge("webhookedge.attempts.near_limit", "{event}",
            "Events of which the sender will make one more attempt; routes whose sender's limit is known.", () => Attempts(static r => r.NearLimit));
        meter.CreateLiveGauge("webhookedge.attempts.failing", "{event}",
            "Events whose last attempt failed and that will be sent again; routes whose sender's limit is known.", () => Attempts(static r => r.Failing));
        meter.CreateLiveGauge("webhookedge.attempts.in_a_row", "{delivery}",
            "Deliveries that failed since the last that did not; routes whose sender's limit is known.", () => Attempts(static r => r.InARow));
    }

    /// <summary>Tells the gauges where to find the readings of failed attempts; the last caller wins.</summary>
    public void WatchAttempts(Func<IEnumerable<AttemptReading>> readings) => Volatile.Write(ref _attempts, readings);

    public void Untracked(string route) => _untracked.Add(1, new KeyValuePair<string, object?>("route", route));

    private IEnumerable<Measurement<long>> GivenUp()
    {
        foreach (var reading in Volatile.Read(ref _attempts)())
        {
            yield return new(reading.GivenUp, new KeyValuePair<string, object?>("route", reading.Route));
        }
    }

    private IEnumerable<Measurement<double>> Attempts(Func<AttemptReading, int> value)
    {
        foreach (var reading in Volatile.Read(ref _attempts)())
        {
            yield return new(value(reading), new KeyValuePair<string, object?>("route", reading.Route));
        }
    }
}
