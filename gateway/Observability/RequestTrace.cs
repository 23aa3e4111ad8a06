using System.Diagnostics;
using System.Net.Http.Headers;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Observability;

/// <summary>
/// Follows one request stage by stage: how long each took, and, when tracing is on, what it said. Kept with the pooled delivery; in use for requests that are
/// traced or whose stages are timed, and absent for the others.
/// </summary>
internal sealed class RequestTrace
{
    private TimeProvider _time = TimeProvider.System;
    private RouteStats? _stats;
    private long _at;

    /// <summary>The request's span; null when it is not traced.</summary>
    public Activity? Activity { get; private set; }

    /// <summary>For the replay store; <c>default</c> when the request is not recorded, for then a link would lead nowhere.</summary>
    public TraceRef Reference => Activity is { Recorded: true } activity ? TraceRef.Of(activity) : default;

    /// <param name="stats">Null when the stages are not timed.</param>
    public void Begin(TimeProvider time, RouteStats? stats, Activity? activity, long startedAt)
    {
        _time = time;
        _stats = stats;
        Activity = activity;
        _at = startedAt;
    }

    /// <summary>The stage is over that began when the one before it was.</summary>
    public void Passed(string stage, in Verdict verdict)
    {
        Mark(stage);
        if (Activity is { IsAllDataRequested: true } activity)
        {
            var word = verdict.Passed ? "passed" : verdict.Answer is not null ? "answered" : verdict.Reason.Describe().Slug;
            activity.AddEvent(new(stage, default,
                verdict.Detail is { } detail ? new() { { "verdict", word }, { "detail", detail } } : new() { { "verdict", word } }));
        }
    }

    /// <summary>A stage in observe mode passed, and this is what it would have said.</summary>
    public void WouldRefuse(RejectReason reason)
    {
        if (Activity is { IsAllDataRequested: true } activity)
        {
            activity.AddEvent(new("would-refuse", default, new() { { "reason", reason.Describe().Slug } }));
        }
    }

    /// <summary>The upstream has answered, or has not within the route's time.</summary>
    /// <param name="status">0 when it did not answer.</param>
    public void Forwarded(int status)
    {
        Mark("forward");
        if (Activity is { IsAllDataRequested: true } activity)
        {
            activity.AddEvent(new("forward", default, new() { { "status", status } }));
        }
    }

    /// <summary>Writes our context on the forwarded request in place of the sender's.</summary>
    public void Propagate(HttpRequestHeaders headers)
    {
        if (Activity is { Id: { } id })
        {
            headers.Remove("traceparent");
            headers.Remove("tracestate");
            headers.TryAddWithoutValidation("traceparent", id);
        }
    }

    /// <summary>Says how the request ended.</summary>
    /// <param name="outcome">As in the metric: accepted, upstream-refused, refused, handshake.</param>
    /// <param name="first">The delivery of which this one is a copy.</param>
    public void Ended(string outcome, string reason, int status, string requestId, string? eventKey, TraceRef first)
    {
        if (Activity is not { IsAllDataRequested: true } activity)
        {
            return;
        }

        activity.SetTag("http.response.status_code", status);
        activity.SetTag("webhookedge.outcome", outcome);
        activity.SetTag("webhookedge.reason", reason);
        activity.SetTag("webhookedge.request_id", requestId);
        if (eventKey is not null)
        {
            activity.SetTag("webhookedge.event_key", eventKey);
        }

        if (first.IsKnown)
        {
            activity.AddLink(new(first.ToContext()));
            activity.SetTag("webhookedge.first_trace_id", first.ToContext().TraceId.ToHexString());
        }

        if (status >= 500)
        {
            activity.SetStatus(ActivityStatusCode.Error, reason);
        }
    }

    /// <summary>The span ends; this can be used for another request.</summary>
    public void Close()
    {
        Activity?.Dispose();
        Activity = null;
        _stats = null;
    }

    private void Mark(string stage)
    {
        if (_stats is { } stats)
        {
            var now = _time.GetTimestamp();
            stats.RecordStage(stage, _time.GetElapsedTime(_at, now));
            _at = now;
        }
    }
}
