using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// Plivo V3: base64 HMAC-SHA256 over URL, sorted query, sorted form fields and a nonce; the header lists one signature for each auth token.
/// As plivo-node's v3Security.js makes it. https://www.plivo.com/docs/voice/concepts/signature-validation
/// The nonce changes with each attempt and nothing separates the fields, so the signed id is the hash of the text without the nonce.
/// </summary>
internal sealed class PlivoVerifier(ImmutableArray<SigningKey> keys, UrlRule url) : ICodeVerifier
{
    private const string Header = "X-Plivo-Signature-V3";
    private const string NonceHeader = "X-Plivo-Signature-V3-Nonce";
    private const int MaxSignatures = 8;
    private const int MaxNonce = 256;

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "plivo-v3",
        Facts = new(SignsBody: true, SignsId: true, SignsUrl: true),
        Fields = ["key"],
        Create = static setup => new PlivoVerifier(setup.Keys(HashAlgorithmName.SHA256), setup.Url!),
    };

    public Verdict CheckHead(Delivery delivery, DateTimeOffset now)
    {
        Span<byte> macs = stackalloc byte[MaxSignatures * SHA256.HashSizeInBytes];
        return ReadHead(delivery, macs, out _, out _);
    }

    public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken) => new(Verify(delivery));

    private static Verdict ReadHead(Delivery delivery, Span<byte> macs, out int count, out string nonce)
    {
        count = 0;
        nonce = "";
        var verdict = HeaderLine.Read(delivery, Header, out var line);
        if (!verdict.Passed)
        {
            return verdict;
        }

        foreach (var range in line.AsSpan().Split(','))
        {
            if (count == MaxSignatures
                || !StrictText.TryDecodeMac(line.AsSpan()[range].Trim(" \t"), MacEncoding.Base64,
                macs.Slice(count * SHA256.HashSizeInBytes, SHA256.HashSizeInBytes)))
            {
                return Verdict.Reject(RejectReason.SignatureMalformed, "the signature header is not a list of at most 8 signatures");
            }

            count++;
        }

        verdict = HeaderLine.Read(delivery, NonceHeader, out nonce);
        if (verdict.Passed && (nonce.Length > MaxNonce || !StrictText.IsPlain(nonce)))
        {
            verdict = Verdict.Reject(RejectReason.SignatureMalformed, "the nonce is too long or holds characters no nonce has");
        }

        return verdict.Passed ? HeaderLine.CheckTarget(delivery) : verdict;
    }

    private Verification Verify(Delivery delivery)
    {
        Span<byte> macs = stackalloc byte[MaxSignatures * SHA256.HashSizeInBytes];
        var verdict = ReadHead(delivery, macs, out var count, out var nonce);
        if (!verdict.Passed)
        {
            return Verification.Refuse(verdict);
        }

        if (!delivery.Body.IsEmpty && !FormFields.IsForm(delivery))
        {
            return Verification.Malformed("the body is not a form, so nothing covers it");
        }

        var query = FormFields.Parse(new(Encoding.ASCII.GetBytes(HeaderLine.Query(delivery).ToString())));
        var form = FormFields.Parse(delivery.Body);
        if (query is null || form is null)
        {
            return Verification.Malformed("the query or the form is not properly encoded");
        }

        var text = Message(delivery, query, form);
        Span<byte> made = stackalloc byte[SHA256.HashSizeInBytes];
        foreach (var key in keys)
        {
            var hash = key.Borrow();
            hash.AppendData(text);
            hash.AppendData("."u8);
            SigningTemplate.AppendText(new HashSink(hash), nonce);
            hash.GetHashAndReset(made);
            key.Return(hash);
            for (var i = 0; i < count; i++)
            {
                if (CryptographicOperations.FixedTimeEquals(made, macs.Slice(i * SHA256.HashSizeInBytes, SHA256.HashSizeInBytes)))
                {
                    return Verification.Accept(key.Id, Convert.ToHexStringLower(SHA256.HashData(text)));
                }
            }
        }

        return Verification.Mismatch();
    }

    private ReadOnlySpan<byte> Message(Delivery delivery, FormFields query, FormFields form)
    {
        var text = new ArrayBufferWriter<byte>((int)delivery.Body.Length + delivery.RawTarget.Length + 256);
        text.Write(url.Base);
        if (url.IsPrefix)
        {
            var mark = delivery.RawTarget.IndexOf('?', StringComparison.Ordinal);
            SigningTemplate.AppendText(new MessageSink(text), mark < 0 ? delivery.RawTarget : delivery.RawTarget.AsSpan(0, mark));
        }

        query.Sort(byValue: true);
        form.Sort(byValue: true);
        if (query.Count > 0 || form.Count > 0)
        {
            text.Write("?"u8);
        }

        for (var i = 0; i < query.Count; i++)
        {
            text.Write(i > 0 ? "&"u8 : default);
            text.Write(query.Key(i));
            text.Write("="u8);
            text.Write(query.Value(i));
        }

        text.Write(query.Count > 0 && form.Count > 0 ? "."u8 : default);
        for (var i = 0; i < form.Count; i++)
        {
            text.Write(form.Key(i));
            text.Write(form.Value(i));
        }

        return text.WrittenSpan;
    }
}
