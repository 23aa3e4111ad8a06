using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>What became of requests. Tags: <c>route</c> (configured ids and "none"), <c>outcome</c>, <c>reason</c>, <c>status</c> class.</summary>
internal sealed class RequestMetrics(Meter meter)
{
    private readonly Counter<long> _requests = meter.CreateCounter<long>("webhookedge.requests", "{request}", "Requests by route, outcome and reason.");
    private readonly Histogram<double> _duration = meter.CreateHistogram<double>("webhookedge.request.duration", "s", "Time from the request's head to the end of the answer.");
    private readonly Histogram<long> _bodySize = meter.CreateHistogram<long>("webhookedge.request.body.size", "By", "Size of bodies that were read whole.");
    private readonly Counter<long> _wouldRefuse = meter.CreateCounter<long>("webhookedge.would_refuse", "{request}", "Requests that observe mode let through.");
    private readonly Counter<long> _held = meter.CreateCounter<long>("webhookedge.upstream.held", "{retry}", "Connection attempts repeated while the upstream refused.");

    public void Refused(string route, string reason, TimeSpan elapsed)
    {
        _requests.Add(1, new("route", route), new("outcome", "refused"), new("reason", reason));
        if (_duration.Enabled)
        {
            _duration.Record(elapsed.TotalSeconds, new("route", route), new KeyValuePair<string, object?>("outcome", "refused"));
        }
    }

    public void Forwarded(string route, string outcome, long bodyBytes, TimeSpan elapsed)
    {
        _requests.Add(1, new("route", route), new("outcome", outcome), new("reason", "none"));
        if (_duration.Enabled)
        {
            _duration.Record(elapsed.TotalSeconds, new("route", route), new KeyValuePair<string, object?>("outcome", outcome));
        }

        if (_bodySize.Enabled)
        {
            _bodySize.Record(bodyBytes, new KeyValuePair<string, object?>("route", route));
        }
    }

    /// <summary>A sender's challenge that the gateway answered itself.</summary>
    public void Answered(string route, TimeSpan elapsed)
    {
        _requests.Add(1, new("route", route), new("outcome", "handshake"), new("reason", "none"));
        if (_duration.Enabled)
        {
            _duration.Record(elapsed.TotalSeconds, new("route", route), new KeyValuePair<string, object?>("outcome", "handshake"));
        }
    }

    public void WouldRefuse(string route, string reason) => _wouldRefuse.Add(1, new("route", route), new KeyValuePair<string, object?>("reason", reason));

    public void Held(string route) => _held.Add(1, new KeyValuePair<string, object?>("route", route));
}
