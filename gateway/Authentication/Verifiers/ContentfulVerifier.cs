using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// Contentful's canonical request: hex HMAC-SHA256 over method, path, the headers that the request itself names, and body, a line each; as in
/// @contentful/node-apps-toolkit's verify-request. https://www.contentful.com/developers/docs/webhooks/request-verification/
/// </summary>
internal sealed class ContentfulVerifier(ImmutableArray<SigningKey> keys, long tolerance) : ICodeVerifier
{
    private const string SignatureHeader = "x-contentful-signature";
    private const string SignedHeaders = "x-contentful-signed-headers";
    private const string TimeHeader = "x-contentful-timestamp";
    private const int MaxHeaders = 32;

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "contentful",
        Facts = new(SignsBody: true, SignsTime: true),
        Fields = ["key", "timestamp.toleranceSeconds"],

        // The SDK's 30 s past; a gateway's clock and a queue on the way need a little more than that.
        Create = static setup => new ContentfulVerifier(setup.Keys(HashAlgorithmName.SHA256), setup.Tolerance(30)),
    };

    public Verdict CheckHead(Delivery delivery, DateTimeOffset now)
    {
        Span<byte> mac = stackalloc byte[SHA256.HashSizeInBytes];
        return ReadHead(delivery, now, mac, out _, out _);
    }

    public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken)
    {
        Span<byte> mac = stackalloc byte[SHA256.HashSizeInBytes];
        var verdict = ReadHead(delivery, now, mac, out var milliseconds, out var headers);
        if (!verdict.Passed)
        {
            return new(Verification.Refuse(verdict));
        }

        Span<byte> made = stackalloc byte[SHA256.HashSizeInBytes];
        var path = Encode(delivery.RawTarget);
        foreach (var key in keys)
        {
            var hash = key.Borrow();
            var sink = new HashSink(hash);
            SigningTemplate.AppendText(sink, delivery.Method);
            hash.AppendData("\n"u8);
            SigningTemplate.AppendText(sink, path);
            for (var i = 0; i < headers.Length; i++)
            {
                hash.AppendData(i == 0 ? "\n"u8 : ";"u8);
                SigningTemplate.AppendText(sink, headers[i]);
                hash.AppendData(":"u8);
                SigningTemplate.AppendText(sink, delivery.Headers[headers[i]][0].AsSpan().Trim(" \t"));
            }

            hash.AppendData("\n"u8);
            SigningTemplate.AppendBody(sink, delivery.Body);
            hash.GetHashAndReset(made);
            key.Return(hash);
            if (CryptographicOperations.FixedTimeEquals(made, mac))
            {
                return new(Verification.Accept(key.Id, null, milliseconds));
            }
        }

        return new(Verification.Mismatch());
    }

    private Verdict ReadHead(Delivery delivery, DateTimeOffset now, Span<byte> mac, out long milliseconds, out string[] headers)
    {
        (milliseconds, headers) = (0, []);
        var verdict = HeaderLine.ReadMac(delivery, SignatureHeader, MacEncoding.Hex, mac);
        if (verdict.Passed)
        {
            verdict = HeaderLine.Read(delivery, TimeHeader, out var time);
            if (verdict.Passed && !SignedTime.TryParse(time, TimeUnit.Milliseconds, out milliseconds))
            {
                return Verdict.Reject(RejectReason.SignatureMalformed, "the timestamp is not written as the scheme says");
            }
        }

        if (!verdict.Passed)
        {
            return verdict;
        }

        if (!SignedTime.IsWithin(milliseconds, now, tolerance))
        {
            return Verdict.Reject(RejectReason.TimestampOutsideWindow, "the signed time is too far from now");
        }

        verdict = HeaderLine.CheckTarget(delivery);
        if (!verdict.Passed)
        {
            return verdict;
        }

        verdict = HeaderLine.Read(delivery, SignedHeaders, out var list);
        if (!verdict.Passed)
        {
            return verdict;
        }

        headers = list.Split(',', MaxHeaders + 1);
        return CheckHeaders(delivery, headers);
    }

    /// <summary>Named once each, in lower case, present once each; time and list among them, else neither would be signed.</summary>
    private static Verdict CheckHeaders(Delivery delivery, string[] headers)
    {
        Array.Sort(headers, StringComparer.Ordinal);
        var (time, list) = (false, false);
        for (var i = 0; i < headers.Length; i++)
        {
            var name = headers[i];
            if (headers.Length > MaxHeaders || !StrictText.IsHeaderName(name) || name.AsSpan().ContainsAnyInRange('A', 'Z')
                || (i > 0 && name == headers[i - 1]))
            {
                return Verdict.Reject(RejectReason.SignatureMalformed, "the list of signed headers is not one of at most 32 different names in lower case");
            }

            var verdict = HeaderLine.Read(delivery, name, out var value);
            if (!verdict.Passed)
            {
                return verdict;
            }

            if (!StrictText.IsPlainOrSpace(value))
            {
                return Verdict.Reject(RejectReason.SignatureMalformed, "a signed header holds quotes, brackets or non-ASCII characters");
            }

            time |= name == TimeHeader;
            list |= name == SignedHeaders;
        }

        return time && list ? Verdict.Pass
            : Verdict.Reject(RejectReason.SignatureMalformed, "timestamp or list of signed headers is not among the signed headers");
    }

    /// <summary>encodeURI(path?escape(query)), as the vendor's code has it: the query is escaped twice.</summary>
    private static string Encode(string target)
    {
        var mark = target.IndexOf('?', StringComparison.Ordinal);
        if (mark < 0 || mark == target.Length - 1)
        {
            return EncodeUri(mark < 0 ? target : target[..mark]);
        }

        // The vendor splits at every question mark and drops what comes after the second.
        var query = target[(mark + 1)..];
        var second = query.IndexOf('?', StringComparison.Ordinal);
        return EncodeUri(target[..mark]) + "?" + EncodeUri(Escape(second < 0 ? query : query[..second]));
    }

    /// <summary>Only plain URL characters come here, and of those encodeURI touches the percent sign and the bar.</summary>
    private static string EncodeUri(string text) => text.Replace("%", "%25", StringComparison.Ordinal).Replace("|", "%7C", StringComparison.Ordinal);

    /// <summary>Node's querystring.escape.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length * 2);
        foreach (var c in text)
        {
            if (char.IsAsciiLetterOrDigit(c) || "!'()*-._~".Contains(c, StringComparison.Ordinal))
            {
                escaped.Append(c);
            }
            else
            {
                escaped.Append('%').Append(((int)c).ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
            }
        }

        return escaped.ToString();
    }
}
