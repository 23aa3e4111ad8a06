using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>Reads headers of which exactly one line may come.</summary>
internal static class HeaderLine
{
    /// <summary>Passes with the value, which is not empty and at most <see cref="SignatureHeader.MaxLength"/> characters long.</summary>
    public static Verdict Read(Delivery delivery, string name, out string line)
    {
        var lines = delivery.Headers[name];
        line = lines.Count == 1 ? lines[0] ?? "" : "";
        if (lines.Count > 1)
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, "a header the scheme reads came more than once");
        }

        if (line.Length == 0)
        {
            return Verdict.Reject(RejectReason.SignatureMissing, "a header the scheme reads is absent");
        }

        return line.Length > SignatureHeader.MaxLength
            ? Verdict.Reject(RejectReason.SignatureMalformed, "a header the scheme reads is longer than 8192 characters")
            : Verdict.Pass;
    }

    /// <summary>As <see cref="Read"/>, with the value decoded to exactly <c>mac.Length</c> bytes.</summary>
    public static Verdict ReadMac(Delivery delivery, string name, MacEncoding encoding, Span<byte> mac)
    {
        var verdict = Read(delivery, name, out var line);
        return verdict.Passed && !StrictText.TryDecodeMac(line, encoding, mac)
            ? Verdict.Reject(RejectReason.SignatureMalformed, "the signature is not in the scheme's encoding or not of the digest's length")
            : verdict;
    }

    /// <summary>The request target may stand beside other signed texts: it begins with a slash and holds characters of a URL only.</summary>
    public static Verdict CheckTarget(Delivery delivery) =>
        delivery.RawTarget.Length == 0 || delivery.RawTarget[0] != '/' || !StrictText.IsPlain(delivery.RawTarget)
            ? Verdict.Reject(RejectReason.SignatureMalformed, "the request target holds characters no URL may hold unescaped")
            : Verdict.Pass;

    /// <summary>The query without its question mark, as received.</summary>
    public static ReadOnlySpan<char> Query(Delivery delivery)
    {
        var mark = delivery.RawTarget.IndexOf('?', StringComparison.Ordinal);
        return mark < 0 ? default : delivery.RawTarget.AsSpan(mark + 1);
    }
}
