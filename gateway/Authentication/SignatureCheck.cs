using System.Text;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication;

/// <summary>
/// Judges what the head shows before a byte of the body is read: signature, timestamp and id headers are there, once each, well formed, and the
/// time is near. A stranger without a signature costs no body.
/// </summary>
internal sealed class SignatureHeadCheck(SignatureScheme scheme, TimeProvider time) : IGateCheck
{
    public Stage Stage => Stage.Timestamp;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        var verdict = scheme.ReadHead(delivery, out _, out var head);
        if (verdict.Passed && head.TimeMilliseconds is { } signed && !SignedTime.IsWithin(signed, time.GetUtcNow(), scheme.Time!.ToleranceMilliseconds))
        {
            verdict = Verdict.Reject(RejectReason.TimestampOutsideWindow, "the signed time is too far from now");
        }

        return new(verdict);
    }
}

/// <summary>
/// Does any active secret make the signature that came, over the very bytes that came? Writes <see cref="Delivery.Proof"/>. Stands on its own:
/// it reads the head again where it cannot know that <see cref="SignatureHeadCheck"/> has.
/// </summary>
internal sealed class SignatureCheck(SignatureScheme scheme, TrustLevel trust, TimeProvider time) : IGateCheck
{
    private const int MaxIdBytes = 256;

    public Stage Stage => Stage.Signature;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        if (scheme.PublicKeys is not null && !Thread.CurrentThread.IsThreadPoolThread)
        {
            return CheckOnPoolAsync(delivery, cancellationToken);
        }

        var verdict = scheme.ReadHead(delivery, out var parsed, out var head);
        if (!verdict.Passed)
        {
            return new(verdict);
        }

        if (delivery.Body.IsEmpty && scheme.SignsBody && !scheme.AcceptsEmptyBody)
        {
            return new(Verdict.Reject(RejectReason.SignatureMalformed, "the body is empty and the scheme does not say emptyBody"));
        }

        var key = scheme.Match(delivery, parsed, head);
        if (key is null)
        {
            return new(Verdict.Reject(RejectReason.SignatureMismatch, "no active secret makes this signature over this body"));
        }

        // Only now: JSON of strangers is not parsed.
        var signedTime = head.TimeMilliseconds;
        if (scheme.Time is { Json: { } timePointer } rule)
        {
            verdict = ReadBodyTime(delivery, timePointer, rule, out signedTime);
            if (!verdict.Passed)
            {
                return new(verdict);
            }
        }

        var id = head.Id;
        if (scheme.Id is { Json: { } idPointer })
        {
            // The one place that allocates: the proof hands the id on as a string.
            Span<byte> bytes = stackalloc byte[MaxIdBytes];
            if (idPointer.Find(delivery.Body, bytes, out var length) is not (JsonScalar.String or JsonScalar.Number) || length == 0)
            {
                return new(Verdict.Reject(RejectReason.SignatureMissing, "the signed body holds no usable id where the scheme says"));
            }

            id = Encoding.UTF8.GetString(bytes[..length]);
        }

        Accept(delivery, key, id, SignsTime ? signedTime : null);
        return new(Verdict.Pass);
    }

    /// <summary>Public-key arithmetic takes tens of microseconds a key: other connections' bytes would wait for it on the thread that they arrive on.</summary>
    private async ValueTask<Verdict> CheckOnPoolAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return await CheckAsync(delivery, cancellationToken);
    }

    private bool SignsTime => scheme.Time is { Json: not null } || scheme.Template.Has(PartKind.Timestamp);

    private Verdict ReadBodyTime(Delivery delivery, JsonPointer pointer, TimeRule rule, out long? signedTime)
    {
        Span<byte> bytes = stackalloc byte[64];
        Span<char> text = stackalloc char[64];
        signedTime = null;
        var kind = pointer.Find(delivery.Body, bytes, out var length);
        if (kind == JsonScalar.None)
        {
            return Verdict.Reject(RejectReason.SignatureMissing, "the signed body holds no time where the scheme says");
        }

        Encoding.Latin1.GetChars(bytes[..length], text);
        if (kind is not (JsonScalar.String or JsonScalar.Number) || !SignedTime.TryParse(text[..length], rule.Unit, out var milliseconds))
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, "the time in the signed body is not written as the scheme says");
        }

        signedTime = milliseconds;
        return SignedTime.IsWithin(milliseconds, time.GetUtcNow(), rule.ToleranceMilliseconds)
            ? Verdict.Pass
            : Verdict.Reject(RejectReason.TimestampOutsideWindow, "the time in the signed body is too far from now");
    }

    private void Accept(Delivery delivery, string key, string? id, long? signedTime) => ProofRecorder.Add(delivery, trust, key, id, signedTime);
}
