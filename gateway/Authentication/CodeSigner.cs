using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication;

/// <summary>A request as its sender would send it.</summary>
/// <param name="Body">The body, which may differ from the one that was to be signed: a form around it, a signature inside it.</param>
/// <param name="Query">What to put after the URL, question mark included; empty when nothing.</param>
/// <param name="ContentType">Null for what the body is anyway.</param>
internal sealed record SignedRequest(IReadOnlyList<KeyValuePair<string, string>> Headers, byte[] Body, string Query, string? ContentType);

/// <summary>The signer's side of the kinds that are code; plain, and without a line of the verifiers, like <see cref="RequestSigner"/>.</summary>
internal static class CodeSigner
{
    private const string Form = "application/x-www-form-urlencoded";

    /// <summary>Null for a kind that <see cref="RequestSigner"/> signs. <paramref name="url"/> must hold no query for the kinds that add one.</summary>
    public static SignedRequest? Sign(SchemeSpec spec, ReadOnlySpan<byte> secret, string method, string url, byte[] body, DateTimeOffset now)
    {
        if (spec.Kind is "ed25519" or "ecdsa-p256" or "rsa-key")
        {
            return null;
        }

        var key = RequestSigner.Key(spec.Key, secret);
        var text = Encoding.UTF8.GetString(secret);
        var seconds = now.ToUnixTimeSeconds();
        switch (spec.Kind)
        {
            case "twilio":
                var query = "?bodySHA256=" + Hex(SHA256.HashData(body));
                return new([new("X-Twilio-Signature", HmacSha1(key, url + query))], body, query, null);
            case "mandrill":
                return new([new("X-Mandrill-Signature", HmacSha1(key, url + "mandrill_events" + Encoding.UTF8.GetString(body)))],
                    Fields(("mandrill_events", Encoding.UTF8.GetString(body))), "", Form);
            case "plivo-v3":
                var nonce = seconds.ToString(CultureInfo.InvariantCulture);
                var signed = $"{url}?payload{Encoding.UTF8.GetString(body)}.{nonce}";
                return new(
                    [new("X-Plivo-Signature-V3", Convert.ToBase64String(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(signed)))),
                        new("X-Plivo-Signature-V3-Nonce", nonce)],
                    Fields(("payload", Encoding.UTF8.GetString(body))), "", Form);
            case "braintree":
                var (publicKey, privateKey) = Pair(text);
                var payload = Convert.ToBase64String(body) + "\n";
#pragma warning disable CA5350 // What Braintree does.
                var mac = Hex(HMACSHA1.HashData(SHA1.HashData(Encoding.UTF8.GetBytes(privateKey)), Encoding.ASCII.GetBytes(payload)));
#pragma warning restore CA5350
                return new([], Fields(("bt_signature", $"{publicKey}|{mac}"), ("bt_payload", payload)), "", Form);
            case "adyen-items":
                return new([], Adyen(spec.Key is null ? Convert.FromHexString(text) : key, body, seconds), "", null);
            case "mailgun":
                return new([], Mailgun(key, body, seconds), "", null);
            case "contentful":
                return new(Contentful(key, method, new Uri(url).AbsolutePath, body, now), body, "", null);
            case "jwt-hs256":
                return new([new(spec.Header!.Values[0], spec.Prefix + Jwt(spec, key, url, body, seconds))], body, "", null);
            case "aws-sns" or "paypal" or "plaid":
                throw new ArgumentException($"only the sender can sign as {spec.Kind} does: its key is under a certificate or address of its own, which the "
                    + "gateway checks. Have it send a test event from its console", nameof(spec));
            default:
                return null;
        }
    }

    /// <summary>With a private key as PEM (PKCS #8), or for Ed25519 as seed in the scheme's key.encoding.</summary>
    public static byte[] SignWithPrivateKey(SchemeSpec spec, ReadOnlySpan<byte> secret, byte[] message)
    {
        try
        {
            var pem = Encoding.Latin1.GetString(secret);
            switch (spec.Kind)
            {
                case "ed25519":
                    var bytes = PemText.LooksLikePem(secret) ? PemText.Decode(secret, "PRIVATE KEY") : RequestSigner.Key(spec.Key, secret);
                    return Ed25519.Sign(Ed25519.ReadPrivateKey(bytes) ?? throw new CryptographicException("not an Ed25519 key"), message);
                case "ecdsa-p256":
                    using (var ecdsa = ECDsa.Create())
                    {
                        ecdsa.ImportFromPem(pem);
                        return ecdsa.SignData(message, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
                    }

                default:
                    using (var rsa = RSA.Create())
                    {
                        rsa.ImportFromPem(pem);
                        return rsa.SignData(message, spec.Algorithm == MacAlgorithm.Sha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256,
                            RSASignaturePadding.Pkcs1);
                    }
            }
        }
        catch (Exception e) when (e is CryptographicException or FormatException or InvalidOperationException
            || (e is ArgumentException && e.Source != "webhookedge"))
        {
            throw new ArgumentException($"the scheme {spec.Kind} checks with a public key, and what was given to sign with is not the private key to one: "
                + "give a key pair of your own, its public half to the route", nameof(secret), e);
        }
    }

    private static byte[] Adyen(byte[] key, byte[] body, long seconds)
    {
        var reference = "psp" + seconds.ToString(CultureInfo.InvariantCulture) + Hex(SHA256.HashData(body))[..8];
        var signed = $"{reference}::TestMerchant:order-1:1130:EUR:AUTHORISATION:true";
        return Bytes(new JsonObject
        {
            ["live"] = "false",
            ["notificationItems"] = new JsonArray(new JsonObject
            {
                ["NotificationRequestItem"] = new JsonObject
                {
                    ["pspReference"] = reference,
                    ["merchantAccountCode"] = "TestMerchant",
                    ["merchantReference"] = "order-1",
                    ["amount"] = new JsonObject { ["value"] = 1130, ["currency"] = "EUR" },
                    ["eventCode"] = "AUTHORISATION",
                    ["success"] = "true",
                    ["additionalData"] = new JsonObject
                        { ["hmacSignature"] = Convert.ToBase64String(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(signed))) },
                },
            }),
        });
    }

    private static byte[] Mailgun(byte[] key, byte[] body, long seconds)
    {
        var time = seconds.ToString(CultureInfo.InvariantCulture);
        var token = Hex(SHA256.HashData([.. body, .. Encoding.ASCII.GetBytes(time)]))[..50];
        return Bytes(new JsonObject
        {
            ["signature"] = new JsonObject { ["timestamp"] = time, ["token"] = token,
                ["signature"] = Hex(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(time + token))) },
            ["event-data"] = new JsonObject { ["event"] = "delivered", ["payload"] = Encoding.UTF8.GetString(body) },
        });
    }

    private static List<KeyValuePair<string, string>> Contentful(byte[] key, string method, string path, byte[] body, DateTimeOffset now)
    {
        const string List = "x-contentful-signed-headers,x-contentful-timestamp";
        var time = now.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        var head = $"{method}\n{path}\nx-contentful-signed-headers:{List};x-contentful-timestamp:{time}\n";
        return
        [
            new("x-contentful-signature", Hex(HMACSHA256.HashData(key, (byte[])[.. Encoding.UTF8.GetBytes(head), .. body]))),
            new("x-contentful-signed-headers", List), new("x-contentful-timestamp", time),
        ];
    }

    private static string Jwt(SchemeSpec spec, byte[] key, string url, byte[] body, long seconds)
    {
        var claims = spec.Claims!;
        var payload = new JsonObject { [claims.Body!] = Spell(spec.Encoding, SHA256.HashData(body)), ["iat"] = seconds };
        if (claims.Issuer is { } issuer)
        {
            payload["iss"] = issuer;
        }

        if (claims.Url is { } urlClaim)
        {
            payload[urlClaim] = Spell(spec.Encoding, SHA256.HashData(Encoding.UTF8.GetBytes(url)));
        }

        if (claims.Id is { } id)
        {
            payload[id] = Hex(SHA256.HashData([.. body, .. BitConverter.GetBytes(seconds)]))[..32];
        }

        var text = Url("""{"alg":"HS256","typ":"JWT"}"""u8) + "." + Url(Bytes(payload));
        return text + "." + Url(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(text)));
    }

    private static string Spell(MacEncoding? encoding, byte[] hash) =>
        encoding switch { MacEncoding.Base64 => Convert.ToBase64String(hash), MacEncoding.Base64Url => Url(hash), _ => Hex(hash) };

    private static string Url(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

#pragma warning disable CA5350 // What Twilio and Mandrill do.
    private static string HmacSha1(byte[] key, string text) => Convert.ToBase64String(HMACSHA1.HashData(key, Encoding.UTF8.GetBytes(text)));
#pragma warning restore CA5350

    private static (string, string) Pair(string text) =>
        text.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon ? (text[..colon], text[(colon + 1)..])
        : throw new ArgumentException("the secret is not two parts with a colon between them", nameof(text));

    private static byte[] Fields(params (string Name, string Value)[] fields) =>
        Encoding.ASCII.GetBytes(string.Join('&', fields.Select(static f => $"{f.Name}={WebUtility.UrlEncode(f.Value)}")));

    private static byte[] Bytes(JsonObject json) => Encoding.UTF8.GetBytes(json.ToJsonString());

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
