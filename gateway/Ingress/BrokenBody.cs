using System.IO.Pipelines;
using WebhookEdge.Gate;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Ingress;

/// <summary>
/// What the server throws at whoever reads a body that does not come to its end: one kind of exception for each protocol, framing and way of leaving.
/// Each is a refusal, and the reader is left as the server needs it: it drains what is left of a body, and logs in full when it cannot.
/// </summary>
internal static class BrokenBody
{
    /// <summary>Whether <paramref name="exception"/> tells of the sender's body, and not of a fault of ours.</summary>
    public static bool Is(Exception exception) =>
        exception is BadHttpRequestException or IOException or OperationCanceledException or InvalidOperationException;

    /// <summary>Why the body is refused.</summary>
    /// <param name="exception">One of those that <see cref="Is"/> knows, thrown by a read.</param>
    public static Verdict Refuse(Delivery delivery, Exception exception)
    {
        delivery.BodyBroken = true;
        if (exception is BadHttpRequestException bad)
        {
            return Refuse(bad, delivery.DeclaredLength is not null);
        }

        if (exception is InvalidOperationException)
        {
            // Trailers are read with the body, and what they hold is decoded as text: this is what the server throws where it cannot. It would not drain this
            // body either, and would log that.
            delivery.BodyUnreadable = true;
            return Verdict.Reject(RejectReason.RequestMalformed, "trailers");
        }

        Leave(delivery.BodyReader);

        // A stream that the sender resets, and a connection that ends, have no such causes.
        return exception.InnerException switch
        {
            OverflowException => Verdict.Reject(RejectReason.RequestMalformed, "chunk framing"),

            // RFC 9113 §8.1.1: more or less data than content-length says. The server's type is not public.
            { } cause when cause.GetType().Name == "Http2StreamErrorException" =>
                Verdict.Reject(RejectReason.RequestMalformed, "not as much data as content-length says"),
            _ => Verdict.Reject(RejectReason.BodyIncomplete, "the sender hung up"),
        };
    }

    /// <summary>Ends a read under way. Throws nothing: in a callback of a timer or of a token nobody would catch it, and the process would end.</summary>
    public static void EndRead(PipeReader reader)
    {
        try
        {
            reader.CancelPendingRead();
        }
        catch (Exception)
        {
            // The server refuses once the request is aborted, and then the read has ended already.
        }
    }

    private static Verdict Refuse(BadHttpRequestException exception, bool isDeclared) => exception.StatusCode switch
    {
        StatusCodes.Status413PayloadTooLarge => Verdict.Reject(RejectReason.BodyTooLarge, "counted length"),

        // A body of a declared length has no framing of its own that could be wrong: it can only end too early. Chunks can do both.
        StatusCodes.Status400BadRequest when isDeclared || exception.Message.StartsWith("Unexpected end of request content", StringComparison.Ordinal) =>
            Verdict.Reject(RejectReason.BodyIncomplete, "the body was cut off"),
        StatusCodes.Status400BadRequest => Verdict.Reject(RejectReason.RequestMalformed, "chunk framing"),
        StatusCodes.Status408RequestTimeout => Verdict.Reject(RejectReason.BodyIncomplete, "the body came too slowly"),
        _ => Verdict.Reject(RejectReason.RequestMalformed, "trailers"),
    };

    /// <summary>
    /// After a reset the server's reader of a body with a declared length takes the read that threw for one that is still open, and would not drain it:
    /// "Reading is already in progress". To advance by nothing closes that read; that there is nothing to advance in is thrown after that.
    /// </summary>
    private static void Leave(PipeReader reader)
    {
        try
        {
            reader.AdvanceTo(default);
        }
        catch (Exception)
        {
            // As said; and no reader that has failed owes anything.
        }
    }
}
