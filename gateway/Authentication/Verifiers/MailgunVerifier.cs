using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// Mailgun: <c>signature.{timestamp,token,signature}</c> in the body, hex HMAC-SHA256 over timestamp and token.
/// https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
/// </summary>
/// <remarks>
/// Nothing of the event itself is signed: who captures one signature can put any event beside it until the time is over. The token is the signed id, to be
/// used once, which is the only thing that stops that; never give such a route another replay key.
/// </remarks>
internal sealed class MailgunVerifier(ImmutableArray<SigningKey> keys, long tolerance) : ICodeVerifier
{
    private const int TokenLength = 50;

    private static readonly SearchValues<char> HexCharacters = SearchValues.Create("0123456789abcdef");

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "mailgun",
        Facts = new(SignsBody: false, SignsId: true, SignsTime: true),
        Fields = ["key", "timestamp.toleranceSeconds"],
        Create = static setup => new MailgunVerifier(setup.Keys(HashAlgorithmName.SHA256), setup.Tolerance(300)),
    };

    /// <summary>The head shows nothing: the signature stands in the body.</summary>
    public Verdict CheckHead(Delivery delivery, DateTimeOffset now) => Verdict.Pass;

    public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken) => new(Verify(delivery, now));

    private Verification Verify(Delivery delivery, DateTimeOffset now)
    {
        using var document = StrictDocument.Parse(delivery.Body);
        if (document is null || document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("signature", out var signature)
            || signature.Digits("timestamp") is not { } time || signature.Text("token") is not { } token || signature.Text("signature") is not { } text)
        {
            return Verification.Missing("the body holds no signature of timestamp, token and signature");
        }

        Span<byte> mac = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> made = stackalloc byte[SHA256.HashSizeInBytes];
        if (!SignedTime.TryParse(time, TimeUnit.Seconds, out var milliseconds) || !IsToken(token) || !StrictText.TryDecodeMac(text, MacEncoding.Hex, mac))
        {
            return Verification.Malformed("timestamp, token or signature in the body is not written as Mailgun writes it");
        }

        if (!SignedTime.IsWithin(milliseconds, now, tolerance))
        {
            return Verification.Stale();
        }

        foreach (var key in keys)
        {
            var hash = key.Borrow();
            SigningTemplate.AppendText(new HashSink(hash), time);
            SigningTemplate.AppendText(new HashSink(hash), token);
            hash.GetHashAndReset(made);
            key.Return(hash);
            if (CryptographicOperations.FixedTimeEquals(made, mac))
            {
                return Verification.Accept(key.Id, token, milliseconds);
            }
        }

        return Verification.Mismatch("no active secret makes this signature over timestamp and token");
    }

    /// <summary>50 hex digits. Nothing stands between time and token, so their border must not be movable.</summary>
    private static bool IsToken(string token) => token.Length == TokenLength && !token.AsSpan().ContainsAnyExcept(HexCharacters);
}
