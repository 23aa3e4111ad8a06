using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// PayPal: RSA-SHA256 over <c>transmission id|time|webhook id|CRC-32 of the body</c>, under a certificate that a header names. The route's secret is the
/// webhook's id. https://developer.paypal.com/api/rest/webhooks/rest/#link-selfverificationmethod
/// </summary>
/// <remarks>
/// A CRC-32 can be met by any number of bodies: who captures one delivery can put another body beside its signature. So the trust is "authenticated", and
/// only the signed id (the transmission's), used once, stands against that; never give such a route another replay key.
/// </remarks>
internal sealed class PayPalVerifier(ImmutableArray<Secret> webhooks, long tolerance, RemoteKeys keys) : ICodeVerifier
{
    private static readonly string[] Places = ["https://api.paypal.com/v1/notifications/certs/", "https://api.sandbox.paypal.com/v1/notifications/certs/"];
    private static readonly KeySource Certificates = new(
        "", static url => new(HttpMethod.Get, url), static (pem, at) => CertificateKeys.Read(pem, "paypal.com", HashAlgorithmName.SHA256, at));

    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "paypal",
        Facts = new(SignsBody: false, SignsId: true),
        Fields = ["timestamp.toleranceSeconds"],
        Create = Create,
    };

    public Verdict CheckHead(Delivery delivery, DateTimeOffset now)
    {
        Span<byte> signature = stackalloc byte[512];
        return ReadHead(delivery, now, signature, out _, out _, out _, out _, out _);
    }

    public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var signature = new byte[512];
        var verdict = ReadHead(delivery, now, signature, out var length, out var url, out var id, out var time, out var milliseconds);
        return verdict.Passed ? VerifyAsync(delivery, url, id, time, milliseconds, signature.AsMemory(0, length), cancellationToken)
            : new(Verification.Refuse(verdict));
    }

    private static PayPalVerifier? Create(CodeSetup setup)
    {
        if (setup.Context.Keys is not { } keys)
        {
            setup.Fault("kind", "certificates cannot be fetched here", "paypal works in the gateway and in explain");
            return null;
        }

        for (var i = 0; i < setup.Secrets.Count; i++)
        {
            if (!StrictText.IsPlain(Encoding.Latin1.GetString(setup.Secrets[i].Value)) || setup.Secrets[i].Value.Contains((byte)'|'))
            {
                setup.SecretFault(i, $"{setup.Secrets[i].Id} is not the id of a PayPal webhook",
                    "write the webhook's id there, as the developer dashboard shows it");
            }
        }

        return new([.. setup.Secrets], setup.Tolerance(0), keys);
    }

    private async ValueTask<Verification> VerifyAsync(Delivery delivery, string url, string id, string time, long milliseconds, ReadOnlyMemory<byte> signature,
        CancellationToken cancellationToken)
    {
        var question = Certificates.Ask(url, delivery);
        var (result, remote) = await keys.GetAsync(question, cancellationToken);
        if (remote?.Key is not RsaKey key)
        {
            return CertificateKeys.Refuse(result);
        }

        var crc = Crc32.Of(delivery.Body).ToString(CultureInfo.InvariantCulture);
        foreach (var webhook in webhooks)
        {
            var text = $"{id}|{time}|{Encoding.Latin1.GetString(webhook.Value)}|{crc}";
            if (key.Verifies(SHA256.HashData(Encoding.Latin1.GetBytes(text)), signature.Span))
            {
                keys.Proved(question);
                return Verification.Accept(webhook.Id, id, milliseconds);
            }
        }

        return Verification.Mismatch("the certificate's key does not make this signature for this webhook's id");
    }

    private Verdict ReadHead(Delivery delivery, DateTimeOffset now, Span<byte> signature, out int length, out string url, out string id, out string time,
        out long milliseconds)
    {
        (length, url, id, time, milliseconds) = (0, "", "", "", 0);
        var verdict = HeaderLine.Read(delivery, "PAYPAL-TRANSMISSION-SIG", out var text);
        verdict = verdict.Passed ? HeaderLine.Read(delivery, "PAYPAL-TRANSMISSION-ID", out id) : verdict;
        verdict = verdict.Passed ? HeaderLine.Read(delivery, "PAYPAL-TRANSMISSION-TIME", out time) : verdict;
        verdict = verdict.Passed ? HeaderLine.Read(delivery, "PAYPAL-CERT-URL", out url) : verdict;
        var algorithm = "";
        verdict = verdict.Passed ? HeaderLine.Read(delivery, "PAYPAL-AUTH-ALGO", out algorithm) : verdict;
        if (!verdict.Passed)
        {
            return verdict;
        }

        if (algorithm != "SHA256withRSA" || !IsCertificate(url) || id.Length > 128 || id.AsSpan().ContainsAnyExcept(NameCharacters)
            || !SignedTime.TryParseIso(time, out milliseconds)
            || text.Length > 684 || !StrictText.TryDecodeBase64(text, signature, urlAlphabet: false, Padding.Required, out length))
        {
            return Verdict.Reject(RejectReason.SignatureMalformed,
                "a PAYPAL header is not written as PayPal writes it, or names a certificate that is not PayPal's");
        }

        return SignedTime.IsWithin(milliseconds, now, tolerance) ? Verdict.Pass
            : Verdict.Reject(RejectReason.TimestampOutsideWindow, "the signed time is too far from now");
    }

    private static bool IsCertificate(string url)
    {
        foreach (var place in Places)
        {
            if (url.StartsWith(place, StringComparison.Ordinal))
            {
                return url.Length - place.Length is > 0 and <= 64 && !url.AsSpan(place.Length).ContainsAnyExcept(NameCharacters);
            }
        }

        return false;
    }
}

/// <summary>CRC-32 as in zip and PNG (polynomial 0x04C11DB7, reflected). No protection by itself.</summary>
internal static class Crc32
{
    private static readonly uint[] Table = [.. Enumerable.Range(0, 256).Select(static i =>
    {
        var crc = (uint)i;
        for (var bit = 0; bit < 8; bit++)
        {
            crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
        }

        return crc;
    })];

    public static uint Of(in ReadOnlySequence<byte> bytes)
    {
        var crc = 0xFFFFFFFFu;
        foreach (var segment in bytes)
        {
            foreach (var value in segment.Span)
            {
                crc = (crc >> 8) ^ Table[(byte)(crc ^ value)];
            }
        }

        return ~crc;
    }
}
