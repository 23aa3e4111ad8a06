using Microsoft.AspNetCore.Http;
using WebhookEdge.Observability;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>
/// What becomes of an exception that nothing has caught: a counted refusal, and a stack trace now and then. Out of here comes none, for the server would
/// write each of them into the log, as often as a stranger likes.
/// </summary>
internal sealed class LastResort(VerdictWriter writer, TimeProvider time, ILogger<LastResort> logger)
{
    private readonly LogInterval _traces = new(time, TimeSpan.FromSeconds(10));

    /// <summary>Answers, or ends the connection where an answer has begun. Never throws.</summary>
    /// <param name="delivery">Null outside of every route.</param>
    /// <param name="startedAt">Timestamp of the request's head; null when it is not known.</param>
    public async Task AnswerAsync(HttpContext context, Delivery? delivery, Exception exception, long? startedAt)
    {
        try
        {
            var verdict = exception switch
            {
                BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => Verdict.Reject(RejectReason.BodyTooLarge, "counted length"),
                BadHttpRequestException => Verdict.Reject(RejectReason.RequestMalformed, "the server could not read it"),
                OperationCanceledException or IOException when context.RequestAborted.IsCancellationRequested => Verdict.Reject(RejectReason.SenderHungUp),
                _ => Verdict.Reject(RejectReason.CheckFailed, exception.GetType().Name),
            };
            if (verdict.Reason == RejectReason.CheckFailed)
            {
                Trace(exception, context, delivery);
            }

            if (delivery is not null && exception is BadHttpRequestException)
            {
                delivery.BodyBroken = true;
            }

            await writer.RejectAsync(context, delivery, verdict, startedAt ?? time.GetTimestamp());
        }
        catch (Exception second)
        {
            Trace(second, context, delivery);
            End(context);
        }
    }

    /// <summary>For what fails after the answer: said, and the connection ended, because nobody knows in which state it is. Never throws.</summary>
    public void CloseFailed(HttpContext context, Exception exception)
    {
        Trace(exception, context, null);
        End(context);
    }

    private static void End(HttpContext context)
    {
        try
        {
            context.Abort();
        }
        catch (Exception e) when (e is InvalidOperationException or ObjectDisposedException)
        {
            // The server has ended it already.
        }
    }

    private void Trace(Exception exception, HttpContext context, Delivery? delivery)
    {
        if (_traces.TryEnter(out var unsaid))
        {
            logger.RequestFailed(exception, delivery?.Policy.RouteId ?? "none", context.TraceIdentifier, unsaid);
        }
    }
}
