using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>
/// The only place where a verdict becomes a response, a metric, a log line and a journal entry. A stranger reads a status, a request id and,
/// where it helps, Retry-After; everything else is for the operator.
/// </summary>
internal sealed class VerdictWriter(GatewayMetrics metrics, RejectJournal journal, RouteActivities activities, LogThrottle throttle, TimeProvider time, ILogger<VerdictWriter> logger)
{
    private const string RequestIdHeader = "X-Request-Id";
    private const int LongestLoggedPath = 256;
    private const int LongestLoggedMethod = 32;

    private static readonly ReadOnlyMemory<byte> DuplicateBody = "{\"duplicate\":true}"u8.ToArray();
    private static readonly StringValues OneSecond = "1";

    /// <summary>Refuses. The response must not have started; whatever an earlier attempt left on it is cleared.</summary>
    public Task RejectAsync(HttpContext context, Delivery? delivery, Verdict verdict, long startedAt)
    {
        var row = verdict.Reason.Describe();
        var policy = delivery?.Policy ?? RoutePolicy.None;
        var route = policy.RouteId.Length == 0 ? "none" : policy.RouteId;
        var status = policy.StatusOf(verdict.Reason);
        Record(context, delivery, verdict.Reason, verdict.Detail, status, route, observed: false);
        var endedAt = time.GetTimestamp();
        (policy.Activity ?? activities.Unrouted).Refused(endedAt, verdict.Reason);
        (policy.Numbers ?? metrics.Requests.None).Refused(verdict.Reason, delivery?.UpstreamStatus ?? 0, time.GetElapsedTime(startedAt, endedAt));
        delivery?.EndWatch("refused", row.Slug, status, context.TraceIdentifier);
        policy.Attempts?.Refused(delivery!, verdict.Reason, status);
        if (logger.IsEnabled(row.Level) && throttle.Allows((delivery?.Policy.LogLines ?? throttle.Unrouted).Refused(route, verdict.Reason)))
        {
            logger.Refused(
                row.Level, MethodOf(context), PathOf(context), route, delivery is null ? "unknown" : delivery.Client.ToString(), row.Slug, verdict.Detail ?? "no more to say", status, context.TraceIdentifier, delivery?.EventKey ?? "none");
        }

        var response = context.Response;
        if (response.HasStarted)
        {
            // Only a forward that broke off in the middle comes here: the sender must not mistake half an answer for a whole one.
            context.Abort();
            return Task.CompletedTask;
        }

        response.Clear();
        response.StatusCode = status;
        response.Headers[RequestIdHeader] = context.TraceIdentifier;
        var closes = (verdict.Reason == RejectReason.BodyTooLarge || delivery is { BodyBroken: true } || IsLeftUnread(context)) && (HttpProtocol.IsHttp11(context.Request.Protocol) || HttpProtocol.IsHttp10(context.Request.Protocol));

        // What follows a transfer coding of HTTP/1.0 may be a body to somebody else.
        closes |= delivery is { Ambiguous: true } && HttpProtocol.IsHttp10(context.Request.Protocol);
        if (closes)
        {
            // The server will not read the rest of this body. Said out loud, so that the sender's pool does not put its next event on a dying connection.
            response.Headers.Connection = "close";
        }

        if (verdict.RetryAfter is { } retryAfter)
        {
            response.Headers.RetryAfter = retryAfter <= TimeSpan.FromSeconds(1) ? OneSecond : ((long)Math.Ceiling(retryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }

        if (verdict.Reason == RejectReason.Duplicate && status is >= 200 and < 300)
        {
            response.Headers["X-Webhook-Duplicate"] = "true";
        }

        // RFC 9110 §15.3.5 and §15.3.6: these two have no content.
        if (verdict.Reason == RejectReason.Duplicate && status is >= 200 and < 300 and not (StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent))
        {
            response.ContentType = "application/json";
            response.ContentLength = DuplicateBody.Length;
            return response.BodyWriter.WriteAsync(DuplicateBody).AsTask();
        }

        response.ContentLength = 0;

        // Where the sender has left, the server begins no answer by itself, and does not read that the connection is to be closed: it would take what is left of
        // the body for the next request, or find its own read of it still open and log that as a fault.
        return !closes ? Task.CompletedTask : delivery is { BodyUnreadable: true } ? EndAsync(context) : response.StartAsync();
    }

    /// <summary>Answers a sender's challenge. Whatever its type says, no browser may take it for a page of ours.</summary>
    public Task AnswerAsync(HttpContext context, Delivery delivery, PreparedAnswer answer, long startedAt)
    {
        var route = delivery.Policy.RouteId;
        var endedAt = time.GetTimestamp();
        delivery.Policy.Activity?.Answered(endedAt);
        delivery.Policy.Numbers?.Answered(time.GetElapsedTime(startedAt, endedAt));
        delivery.EndWatch("handshake", "none", answer.Status, context.TraceIdentifier);
        if (throttle.Allows(delivery.Policy.LogLines.Challenge(route)))
        {
            logger.ChallengeAnswered(MethodOf(context), PathOf(context), route, delivery.Client.ToString(), answer.Status, context.TraceIdentifier);
        }

        var response = context.Response;
        response.StatusCode = answer.Status;
        response.Headers[RequestIdHeader] = context.TraceIdentifier;
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.CacheControl = "no-store";
        if (answer.HeaderName is { } name)
        {
            response.Headers[name] = answer.HeaderValue;
        }

        if (answer.ContentType is { } type)
        {
            response.ContentType = type;
        }

        // RFC 9110 §8.6: a 204 has no length to tell.
        response.ContentLength = answer.Status == StatusCodes.Status204NoContent ? null : answer.Body.Length;
        return answer.Body.IsEmpty ? Task.CompletedTask : response.BodyWriter.WriteAsync(answer.Body).AsTask();
    }

    /// <summary>Records a delivery whose answer came from the upstream and is already on its way.</summary>
    public void Forwarded(HttpContext context, Delivery delivery, ForwardOutcome outcome, long startedAt)
    {
        var endedAt = time.GetTimestamp();
        var elapsed = time.GetElapsedTime(startedAt, endedAt);
        delivery.Policy.Activity?.Forwarded(endedAt, elapsed, outcome.Status, outcome.Accepted);
        delivery.Policy.Numbers?.Forwarded(outcome.Accepted, outcome.Status, delivery.Body.Length, elapsed);
        delivery.EndWatch(outcome.Accepted ? "accepted" : "upstream-refused", "none", outcome.Status, context.TraceIdentifier);
        delivery.Policy.Attempts?.Forwarded(delivery, outcome.Accepted);
        if (!outcome.Accepted && throttle.Allows(delivery.Policy.LogLines.UpstreamRefused(delivery.Policy.RouteId)))
        {
            logger.UpstreamRefused(MethodOf(context), PathOf(context), delivery.Policy.RouteId, delivery.Client.ToString(), outcome.Status, context.TraceIdentifier, delivery.EventKey);
        }

        if (logger.IsEnabled(LogLevel.Debug))
        {
            logger.Forwarded(MethodOf(context), PathOf(context), delivery.Policy.RouteId, delivery.Client.ToString(), outcome.Status, context.TraceIdentifier, delivery.EventKey);
        }
    }

    /// <summary>Records what observe mode lets through, before it is forwarded.</summary>
    public void Observed(HttpContext context, Delivery delivery)
    {
        var row = delivery.WouldRefuse.Describe();
        Record(context, delivery, delivery.WouldRefuse, null, row.Status, delivery.Policy.RouteId, observed: true);
        delivery.Policy.Activity?.Observed(time.GetTimestamp(), delivery.WouldRefuse);
        delivery.Policy.Numbers?.WouldRefuse(delivery.WouldRefuse);
        if (throttle.Allows(delivery.Policy.LogLines.WouldRefuse(delivery.Policy.RouteId, delivery.WouldRefuse)))
        {
            logger.WouldRefuse(MethodOf(context), PathOf(context), delivery.Policy.RouteId, delivery.Client.ToString(), row.Slug, context.TraceIdentifier);
        }
    }

    /// <summary>Sends the answer and ends the connection, before the server comes to read on.</summary>
    private static async Task EndAsync(HttpContext context)
    {
        await context.Response.CompleteAsync();
        context.Abort();
    }

    private static string MethodOf(HttpContext context)
    {
        var method = context.Request.Method;
        return LogText.Printable(method.Length <= LongestLoggedMethod ? method : method[..LongestLoggedMethod]);
    }

    /// <summary>A declared body beyond what the server will read here is not read to its end.</summary>
    private static bool IsLeftUnread(HttpContext context) =>
        context.Request.Headers.ContentLength is { } declared && context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize is { } most && declared > most;

    private static string PathOf(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
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
            time.GetUtcNow(), route, reason, detail, status, delivery?.Client ?? default, request.Method, request.RawTarget, delivery?.Body.Length ?? 0, context.TraceIdentifier, delivery?.EventKey, observed)
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
