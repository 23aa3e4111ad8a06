using System.Net.Http.Headers;
using WebhookEdge.Gate;

namespace WebhookEdge.Forwarding;

/// <summary>
/// The second wall: what is about to be written to an upstream is held to the grammar once more, whoever wrote it, the sender, a transform or the gateway
/// itself. The HTTP client trusts what it is given: it writes a request line as ASCII, stops at the first character beyond it and then sends as many bytes as
/// the text has characters, that is, what its buffer held before; a blank or a line break in a target makes two requests of one.
/// A throw here means that nothing is sent; the sender is told 502 and the cause is in the log.
/// </summary>
internal static class OutgoingText
{
    /// <summary>An address or a request target: 0x21 to 0x7E, one vectorised pass.</summary>
    /// <exception cref="InvalidOperationException">It holds something else. The text itself is not in the message.</exception>
    public static void RequireVisible(ReadOnlySpan<char> text)
    {
        if (!RawTarget.IsVisible(text))
        {
            throw new InvalidOperationException("the outgoing request was not sent: " + RawTarget.Fault);
        }
    }

    /// <summary>Header values as RFC 9110 §5.5 has them: no control character but HTAB.</summary>
    /// <exception cref="InvalidOperationException">One holds a control character. Its name is in the message, its value is not.</exception>
    public static void RequireSendable(HttpRequestHeaders headers)
    {
        foreach (var (name, values) in headers.NonValidated)
        {
            foreach (var value in values)
            {
                if (!ForwardedHeaders.IsSendable(value))
                {
                    throw new InvalidOperationException($"the outgoing request was not sent: a control character in its header {name}");
                }
            }
        }
    }
}
