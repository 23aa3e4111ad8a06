using System.Collections.Immutable;
using System.Security.Cryptography;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// Mailchimp Transactional (Mandrill): base64 HMAC-SHA1 over the webhook's URL and the form's fields, sorted by name, name and value strung together.
/// https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests
/// As with Twilio nothing separates the fields; the MAC is the signed id.
/// </summary>
internal sealed class MandrillVerifier(ImmutableArray<SigningKey> keys, UrlRule url) : ICodeVerifier
{
    private const string Header = "X-Mandrill-Signature";

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "mandrill",
        Facts = new(SignsBody: true, SignsId: true, SignsUrl: true),
        Fields = ["key"],
        Create = static setup => new MandrillVerifier(setup.Keys(HashAlgorithmName.SHA1), setup.Url!),
    };

    public Verdict CheckHead(Delivery delivery, DateTimeOffset now)
    {
        Span<byte> mac = stackalloc byte[HMACSHA1.HashSizeInBytes];
        return ReadHead(delivery, mac);
    }

    public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken)
    {
        Span<byte> mac = stackalloc byte[HMACSHA1.HashSizeInBytes];
        var verdict = ReadHead(delivery, mac);
        if (!verdict.Passed)
        {
            return new(Verification.Refuse(verdict));
        }

        if (delivery.Body.IsEmpty || FormFields.Parse(delivery.Body) is not { } form)
        {
            return new(Verification.Malformed("the form is empty or not properly encoded"));
        }

        form.Sort(byValue: false);
        Span<byte> made = stackalloc byte[HMACSHA1.HashSizeInBytes];
        foreach (var key in keys)
        {
            var hash = key.Borrow();
            url.Append(hash, delivery.RawTarget);
            for (var i = 0; i < form.Count; i++)
            {
                hash.AppendData(form.Key(i));
                hash.AppendData(form.Value(i));
            }

            hash.GetHashAndReset(made);
            key.Return(hash);
            if (CryptographicOperations.FixedTimeEquals(made, mac))
            {
                return new(Verification.Accept(key.Id, Convert.ToHexStringLower(mac)));
            }
        }

        return new(Verification.Mismatch());
    }

    private static Verdict ReadHead(Delivery delivery, Span<byte> mac)
    {
        var verdict = HeaderLine.ReadMac(delivery, Header, MacEncoding.Base64, mac);
        if (verdict.Passed && !FormFields.IsForm(delivery))
        {
            verdict = Verdict.Reject(RejectReason.SignatureMalformed, "the body is not a form");
        }

        return verdict.Passed ? HeaderLine.CheckTarget(delivery) : verdict;
    }
}
