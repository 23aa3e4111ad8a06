using Microsoft.AspNetCore.Http.Features;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>
/// The one place that tells everybody what became of a request: the route's numbers, its trace, the failed attempts of its events, the journal and the log.
/// </summary>
internal sealed class OutcomeRecorder(GatewayMetrics metrics, RejectJournal journal, LogThrottle throttle, TimeProvider time, ILogger<OutcomeRecorder> logger)
{
    private const int LongestLoggedPath = 256;
    private const int LongestLoggedMethod = 32;

    /// <summary>The request was refused, and the sender reads <paramref name="status"/>.</summary>
    /// <param name="delivery">Null outside of every route.</param>
    public void Refused(HttpContext context, Delivery? delivery, in Verdict verdict, int status, long startedAt)
    {
        var row = verdict.Reason.Describe();
        var policy = delivery?.Policy ?? RoutePolicy.None;
        var route = policy.RouteId.Length == 0 ? RequestMetrics.NoRoute : policy.RouteId;
        Record(context, delivery, verdict.Reason, verdict.Detail, status, route, observed: false);
        var endedAt = time.GetTimestamp();
        (policy.Stats ?? metrics.Requests.Unrouted).Refused(endedAt, time.GetElapsedTime(startedAt, endedAt), verdict.Reason, delivery?.UpstreamStatus ?? 0);
        delivery?.EndTrace("refused", row.Slug, status, context.TraceIdentifier);
        if (delivery is not null && (row.Proof == SenderProof.Proved || (row.Proof == SenderProof.ProvedWithKey && delivery.EventKey is not null)))
        {
            TellAttempts(delivery, status is >= 200 and < 300);
        }

        if (logger.IsEnabled(row.Level) && throttle.Allows((delivery?.Policy.LogLines ?? throttle.Unrouted).Refused(route, verdict.Reason)))
        {
            logger.Refused(
                row.Level, MethodOf(context), PathOf(context), route, delivery is null ? "unknown" : delivery.Client.ToString(), row.Slug,
                verdict.Detail ?? "no more to say", status, context.TraceIdentifier, delivery?.EventKeyText ?? "none");
        }
    }

    /// <summary>A sender's challenge was answered.</summary>
    public void Answered(HttpContext context, Delivery delivery, int status, long startedAt)
    {
        var route = delivery.Policy.RouteId;
        var endedAt = time.GetTimestamp();
        delivery.Policy.Stats?.Answered(endedAt, time.GetElapsedTime(startedAt, endedAt));
        delivery.EndTrace("handshake", "none", status, context.TraceIdentifier);
        if (throttle.Allows(delivery.Policy.LogLines.Challenge(route)))
        {
            logger.ChallengeAnswered(MethodOf(context), PathOf(context), route, delivery.Client.ToString(), status, context.TraceIdentifier);
        }
    }

    /// <summary>The upstream's answer is on its way to the sender.</summary>
    public void Forwarded(HttpContext context, Delivery delivery, ForwardOutcome outcome, long startedAt)
    {
        var route = delivery.Policy.RouteId;
        var endedAt = time.GetTimestamp();
        delivery.Policy.Stats?.Forwarded(endedAt, time.GetElapsedTime(startedAt, endedAt), outcome.Status, outcome.Accepted, delivery.Body.Length);
        delivery.EndTrace(outcome.Accepted ? "accepted" : "upstream-refused", "none", outcome.Status, context.TraceIdentifier);
        TellAttempts(delivery, outcome.Accepted);
        if (!outcome.Accepted && throttle.Allows(delivery.Policy.LogLines.UpstreamRefused(route)))
        {
            logger.UpstreamRefused(MethodOf(context), PathOf(context), route, delivery.Client.ToString(), outcome.Status, context.TraceIdentifier,
                delivery.EventKeyText);
        }

        if (logger.IsEnabled(LogLevel.Debug))
        {
            logger.Forwarded(MethodOf(context), PathOf(context), route, delivery.Client.ToString(), outcome.Status, context.TraceIdentifier,
                delivery.EventKeyText);
        }
    }

    /// <summary>Observe mode lets the request through; told before it is forwarded.</summary>
    public void Observed(HttpContext context, Delivery delivery)
    {
        var row = delivery.WouldRefuse.Describe();
        var route = delivery.Policy.RouteId;
        Record(context, delivery, delivery.WouldRefuse, null, row.Status, route, observed: true);
        delivery.Policy.Stats?.WouldRefuse(time.GetTimestamp(), delivery.WouldRefuse);
        if (throttle.Allows(delivery.Policy.LogLines.WouldRefuse(route, delivery.WouldRefuse)))
        {
            logger.WouldRefuse(MethodOf(context), PathOf(context), route, delivery.Client.ToString(), row.Slug, context.TraceIdentifier);
        }
    }

    /// <summary>What observe mode let through unproved says nothing about the sender's events.</summary>
    private static bool IsAuthentic(Delivery delivery) =>
        delivery.Trust > TrustLevel.Observed
        && (delivery.WouldRefuse == RejectReason.NotDecided || delivery.WouldRefuse.Describe().Proof == SenderProof.Proved);

    private static void TellAttempts(Delivery delivery, bool accepted)
    {
        if (delivery.Policy.Attempts is not { } attempts || (accepted && !attempts.AwaitsSuccess) || !IsAuthentic(delivery))
        {
            return;
        }

        // A route budget refuses before the key was made, and a route with replay off makes none.
        var key = delivery.EventKey ?? delivery.Policy.KeyOf?.Invoke(delivery);
        if (accepted)
        {
            attempts.Succeeded(key);
        }
        else
        {
            attempts.Failed(key);
        }
    }

    private static string MethodOf(HttpContext context)
    {
        var method = context.Request.Method;
        return LogText.Printable(method.Length <= LongestLoggedMethod ? method : method[..LongestLoggedMethod]);
    }

    private static string PathOf(HttpContext context)
    {
        var target = RawTarget.Shown(context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        var end = target.IndexOf('?', StringComparison.Ordinal);
        end = Math.Min(end < 0 ? target.Length : end, LongestLoggedPath);
        return LogText.Printable(end == target.Length ? target : target[..end]);
    }

    private void Record(HttpContext context, Delivery? delivery, RejectReason reason, string? detail, int status, string route, bool observed)
    {
        var request = context.Features.GetRequiredFeature<IHttpRequestFeature>();
#pragma warning disable RS0030 // Beside the resolver's answer, the operator is shown what it started from.
        var remote = context.Connection.RemoteIpAddress;
#pragma warning restore RS0030
        var entry = new JournalEntry(
            time.GetUtcNow(), route, reason, detail, status, delivery?.Client ?? default, request.Method, RawTarget.Shown(request.RawTarget),
            delivery?.Body.Length ?? 0, context.TraceIdentifier, delivery?.EventKeyText, observed)
        {
            Peer = ProxiedAddress.SocketPeerOf(remote),
            Named = ClientAddress.From(remote as ProxiedAddress),
            Forwarded = request.Headers["X-Forwarded-For"],
            BelievesForwarded = delivery?.Policy.Addresses.BelievesForwarded ?? false,
            DeclaredBytes = delivery?.DeclaredLength,
        };
        journal.Add(entry, delivery is null ? default : delivery.HeaderLinesSeen);
    }
}
