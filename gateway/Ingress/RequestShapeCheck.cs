using System.Collections.Immutable;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Ingress;

/// <summary>What can be refused from the head of a request alone: method, framing, header values, content encoding, declared length.</summary>
/// <param name="encodings">Content codings that are let through as they are.</param>
internal sealed class RequestShapeCheck(ImmutableArray<string> methods, ImmutableArray<string> encodings) : IGateCheck
{
    public Stage Stage => Stage.Shape;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken) => new(Decide(delivery));

    private Verdict Decide(Delivery delivery)
    {
        if (delivery.Ambiguous)
        {
            return Verdict.Reject(RejectReason.RequestMalformed, "an upgrade to another protocol, CONNECT, or a body framed in two ways");
        }

        // Ordinal: "post" is another method, and forwarding it would let each server read it in its own way.
        var known = false;
        foreach (var method in methods)
        {
            known |= string.Equals(method, delivery.Method, StringComparison.Ordinal);
        }

        if (!known)
        {
            return Verdict.Reject(RejectReason.MethodRefused);
        }

        // The query goes upstream byte for byte, and over HTTP/2 the server takes it with whatever it holds.
        if (!RawTarget.IsVisible(delivery.RawTarget))
        {
            return Verdict.Reject(RejectReason.RequestMalformed, RawTarget.Fault);
        }

        foreach (var header in delivery.HeaderLines)
        {
            // Over HTTP/1.1 the server has looked at names; over HTTP/2 it looks for capitals alone. Those of pseudo-headers it knows.
            if (delivery.SharesConnection && !HeaderCharacters.IsToken(header.Key.AsSpan(header.Key.StartsWith(':') ? 1 : 0)))
            {
                return Verdict.Reject(RejectReason.RequestMalformed, "a character in a header name that names do not have");
            }

            for (var i = 0; i < header.Value.Count; i++)
            {
                if (header.Value[i].AsSpan().ContainsAny(HeaderCharacters.ControlCharacters))
                {
                    return Verdict.Reject(RejectReason.RequestMalformed, "control character in a header value");
                }
            }
        }

        if (delivery.Headers.ContentEncoding is { Count: > 0 } written && ContentCodings.RefusedOf(written, encodings) is { } coding)
        {
            return Verdict.Reject(RejectReason.EncodingRefused, coding);
        }

        if (delivery.DeclaredLength > delivery.Policy.BodyLimit)
        {
            return Verdict.Reject(RejectReason.BodyTooLarge, "declared length");
        }

        return Verdict.Pass;
    }
}
