using System.Collections.Immutable;
using System.Security.Cryptography;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// Twilio: base64 HMAC-SHA1 over the URL and, for a form, its fields sorted and strung together; any other body is covered by <c>bodySHA256</c> in the
/// signed URL. Rules as in twilio-node's webhooks.js: repeated fields once each and sorted, the URL with and without its port.
/// https://www.twilio.com/docs/usage/webhooks/webhooks-security
/// </summary>
/// <remarks>
/// Nothing separates the fields, so the same signed text can be cut into other fields. The text has one MAC however it is cut, and that is the signed id:
/// with the replay key <c>id</c> a second cut of a captured request is a duplicate.
/// </remarks>
internal sealed class TwilioVerifier(ImmutableArray<SigningKey> keys, ImmutableArray<UrlRule> urls) : ICodeVerifier
{
    private const string Header = "X-Twilio-Signature";

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "twilio",
        Facts = new(SignsBody: true, SignsId: true, SignsUrl: true),
        Fields = ["key"],
        Create = static setup => new TwilioVerifier(setup.Keys(HashAlgorithmName.SHA1), setup.Url!.WithAndWithoutPort()),
    };

    public Verdict CheckHead(Delivery delivery, DateTimeOffset now)
    {
        Span<byte> mac = stackalloc byte[HMACSHA1.HashSizeInBytes];
        return ReadHead(delivery, mac);
    }

    public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken) => new(Verify(delivery));

    private static Verdict ReadHead(Delivery delivery, Span<byte> mac)
    {
        var verdict = HeaderLine.ReadMac(delivery, Header, MacEncoding.Base64, mac);
        return verdict.Passed ? HeaderLine.CheckTarget(delivery) : verdict;
    }

    private Verification Verify(Delivery delivery)
    {
        Span<byte> mac = stackalloc byte[HMACSHA1.HashSizeInBytes];
        Span<byte> bodyHash = stackalloc byte[SHA256.HashSizeInBytes];
        var verdict = ReadHead(delivery, mac);
        if (!verdict.Passed)
        {
            return Verification.Refuse(verdict);
        }

        FormFields? form = null;
        switch (ReadBodyHash(HeaderLine.Query(delivery), bodyHash))
        {
            case BodyHash.Malformed:
                return Verification.Malformed("bodySHA256 in the URL is not there once as 64 hex digits");
            case BodyHash.None when delivery.Body.IsEmpty:
                break;
            case BodyHash.None when !FormFields.IsForm(delivery):
                return Verification.Malformed("the body is no form and the URL holds no bodySHA256, so nothing covers it");
            case BodyHash.None:
                form = FormFields.Parse(delivery.Body);
                if (form is null)
                {
                    return Verification.Malformed("the form is not properly encoded");
                }

                form.Sort(byValue: true);
                break;
            default:
                if (!BodyHashing.Matches(delivery.Body, bodyHash))
                {
                    return Verification.Mismatch("the body is not the one bodySHA256 names");
                }

                break;
        }

        Span<byte> made = stackalloc byte[HMACSHA1.HashSizeInBytes];
        foreach (var key in keys)
        {
            foreach (var url in urls)
            {
                var hash = key.Borrow();
                url.Append(hash, delivery.RawTarget);
                Append(hash, form);
                hash.GetHashAndReset(made);
                key.Return(hash);
                if (CryptographicOperations.FixedTimeEquals(made, mac))
                {
                    return Verification.Accept(key.Id, Convert.ToHexStringLower(mac));
                }
            }
        }

        return Verification.Mismatch();
    }

    private static void Append(IncrementalHash hash, FormFields? form)
    {
        for (var i = 0; i < (form?.Count ?? 0); i++)
        {
            if (i > 0 && form!.Key(i).SequenceEqual(form.Key(i - 1)) && form.Value(i).SequenceEqual(form.Value(i - 1)))
            {
                continue;
            }

            hash.AppendData(form!.Key(i));
            hash.AppendData(form.Value(i));
        }
    }

    private static BodyHash ReadBodyHash(ReadOnlySpan<char> query, Span<byte> hash)
    {
        const string Name = "bodySHA256";
        var found = BodyHash.None;
        foreach (var range in query.Split('&'))
        {
            var part = query[range];
            if (!part.StartsWith(Name, StringComparison.Ordinal))
            {
                continue;
            }

            if (found != BodyHash.None || part.Length != Name.Length + 65 || part[Name.Length] != '='
                || !StrictText.TryDecodeMac(part[(Name.Length + 1)..], MacEncoding.Hex, hash))
            {
                return BodyHash.Malformed;
            }

            found = BodyHash.Found;
        }

        return found;
    }

    private enum BodyHash
    {
        None,
        Found,
        Malformed,
    }
}
