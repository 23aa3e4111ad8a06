using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>
/// The only place where a verdict becomes a response. A stranger reads a status, a request id and, where it helps, Retry-After; everything else is for the
/// operator, and <see cref="OutcomeRecorder"/> tells it.
/// </summary>
internal sealed class VerdictWriter(OutcomeRecorder recorder)
{
    private const string RequestIdHeader = "X-Request-Id";

    private static readonly ReadOnlyMemory<byte> DuplicateBody = "{\"duplicate\":true}"u8.ToArray();
    private static readonly StringValues OneSecond = "1";

    /// <summary>Refuses. The response must not have started; whatever an earlier attempt left on it is cleared.</summary>
    public Task RejectAsync(HttpContext context, Delivery? delivery, Verdict verdict, long startedAt)
    {
        var status = (delivery?.Policy ?? RoutePolicy.None).StatusOf(verdict.Reason);
        recorder.Refused(context, delivery, verdict, status, startedAt);
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
        var closes = (verdict.Reason == RejectReason.BodyTooLarge || delivery is { BodyBroken: true } || IsLeftUnread(context))
            && (HttpProtocol.IsHttp11(context.Request.Protocol) || HttpProtocol.IsHttp10(context.Request.Protocol));

        // What follows a transfer coding of HTTP/1.0 may be a body to somebody else.
        closes |= delivery is { Ambiguous: true } && HttpProtocol.IsHttp10(context.Request.Protocol);
        if (closes)
        {
            // The server will not read the rest of this body. Said out loud, so that the sender's pool does not put its next event on a dying connection.
            response.Headers.Connection = "close";
        }

        if (verdict.RetryAfter is { } retryAfter)
        {
            response.Headers.RetryAfter = retryAfter <= TimeSpan.FromSeconds(1) ? OneSecond
                : ((long)Math.Ceiling(retryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }

        if (verdict.Reason == RejectReason.Duplicate && status is >= 200 and < 300)
        {
            response.Headers["X-Webhook-Duplicate"] = "true";
        }

        // RFC 9110 §15.3.5 and §15.3.6: these two have no content.
        if (verdict.Reason == RejectReason.Duplicate
            && status is >= 200 and < 300 and not (StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent))
        {
            response.ContentType = "application/json";
            response.ContentLength = DuplicateBody.Length;
            return response.BodyWriter.WriteAsync(DuplicateBody).AsTask();
        }

        response.ContentLength = 0;

        // Where the sender has left, the server begins no answer by itself, and does not read that the connection is to be closed: it would take what is left
        // of the body for the next request, or find its own read of it still open and log that as a fault.
        return !closes ? Task.CompletedTask : delivery is { BodyUnreadable: true } ? EndAsync(context) : response.StartAsync();
    }

    /// <summary>Answers a sender's challenge. Whatever its type says, no browser may take it for a page of ours.</summary>
    public Task AnswerAsync(HttpContext context, Delivery delivery, PreparedAnswer answer, long startedAt)
    {
        recorder.Answered(context, delivery, answer.Status, startedAt);
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

    /// <summary>Sends the answer and ends the connection, before the server comes to read on.</summary>
    private static async Task EndAsync(HttpContext context)
    {
        await context.Response.CompleteAsync();
        context.Abort();
    }

    /// <summary>A declared body beyond what the server will read here is not read to its end.</summary>
    private static bool IsLeftUnread(HttpContext context) =>
        context.Request.Headers.ContentLength is { } declared && context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize is { } most
        && declared > most;
}
