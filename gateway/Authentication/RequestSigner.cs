using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication;

/// <summary>
/// Makes the headers a sender would put on a request: for <c>send</c>, <c>demo</c> and tests. Deliberately plain and without a line of the verifier's
/// code, so that "what is signed here is accepted there" says something about both.
/// </summary>
internal static class RequestSigner
{
    /// <summary>
    /// The whole request, for schemes that put something of theirs into body or URL too. Throws <see cref="ArgumentException"/> for a scheme that would not
    /// load, and with a text for people where only the sender can sign.
    /// </summary>
    public static SignedRequest SignRequest(SchemeSpec spec, ReadOnlySpan<byte> secret, string method, string url, byte[] body, DateTimeOffset now,
        string? id = null) =>
        CodeSigner.Sign(spec, secret, method, url, body, now) ?? new(Sign(spec, secret, method, url, body, now, id), body, "", null);

    /// <summary>
    /// Signs as <paramref name="spec"/> says. <paramref name="url"/> is the full URL the sender was given, query included; <paramref name="id"/> is the
    /// delivery's id where the scheme has an id header (one is derived from time and body when null); <paramref name="signedHeaders"/> are the values
    /// of the <c>{header:NAME}</c> parts, returned with the others. A time or id inside the body is the body's own affair.
    /// Throws <see cref="ArgumentException"/> for a scheme that would not load.
    /// </summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Sign(
        SchemeSpec spec,
        ReadOnlySpan<byte> secret,
        string method,
        string url,
        ReadOnlySpan<byte> body,
        DateTimeOffset now,
        string? id = null,
        IReadOnlyDictionary<string, string>? signedHeaders = null)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var (name, value) in spec.Require ?? [])
        {
            headers.Add(new(name, value));
        }

        switch (spec.Kind ?? "hmac")
        {
            case "basic":
                headers.Add(new("Authorization", "Basic " + Convert.ToBase64String(secret)));
                return headers;
            case "bearer":
                headers.Add(new("Authorization", "Bearer " + Encoding.UTF8.GetString(secret)));
                return headers;
            case "token":
                headers.Add(new(HeaderName(spec), spec.Prefix + Encoding.UTF8.GetString(secret)));
                return headers;
            case "hmac" or "digest" or "ed25519" or "ecdsa-p256" or "rsa-key":
                break;
            default:
                throw new ArgumentException($"no signer for the kind {spec.Kind}", nameof(spec));
        }

        var time = spec.Timestamp?.Unit switch
        {
            TimeUnit.Milliseconds => now.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture),
            TimeUnit.Iso => now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
            _ => now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        };
        if (spec.Timestamp?.From is { } from && from.StartsWith("header:", StringComparison.Ordinal))
        {
            headers.Add(new(from[7..], time));
        }

        if (spec.Id is { } idPlace && idPlace.StartsWith("header:", StringComparison.Ordinal))
        {
            id ??= "msg_" + Convert.ToHexStringLower(SHA256.HashData([.. Encoding.UTF8.GetBytes(time), .. body]))[..24];
            headers.Add(new(idPlace[7..], id));
        }

        foreach (var (name, value) in signedHeaders ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            if (!headers.Exists(header => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)))
            {
                headers.Add(new(name, value));
            }
        }

        // The secret of a public-key scheme is here the private key, which only send and tests have.
        var isPublicKey = (spec.Kind ?? "hmac") is not ("hmac" or "digest");
        var key = isPublicKey ? secret.ToArray() : Key(spec.Key, secret);
        var message = Message(spec.Signed ?? "{body}", name => name switch
        {
            "timestamp" => Encoding.UTF8.GetBytes(time),
            "id" => Encoding.UTF8.GetBytes(id ?? ""),
            "method" => Encoding.UTF8.GetBytes(method),
            "url" => Encoding.UTF8.GetBytes(url),
            "secret" => key,
            _ => Encoding.UTF8.GetBytes(headers.Find(header => name.Equals("header:" + header.Key, StringComparison.OrdinalIgnoreCase)).Value ?? ""),
        }, body);
        var signature = Spell(spec.Encoding,
            isPublicKey ? CodeSigner.SignWithPrivateKey(spec, secret, message) : (spec.Kind ?? "hmac") == "hmac" ? Hmac(spec.Algorithm, key, message)
            : Digest(spec.Algorithm, message));
        headers.Add(new(HeaderName(spec), Dress(spec, signature, time)));
        return headers;
    }

    private static string HeaderName(SchemeSpec spec) =>
        spec.Header is { Values: [var first, ..] } ? first.Replace("{n}", "1", StringComparison.Ordinal)
        : throw new ArgumentException("the scheme names no header", nameof(spec));

    private static string Dress(SchemeSpec spec, string signature, string time)
    {
        if (spec.Entries is not { } entries)
        {
            return spec.Prefix + signature;
        }

        if (entries.Key is null)
        {
            return signature;
        }

        var between = entries.KeySeparator ?? "=";
        var entry = entries.Key + between + signature;
        return spec.Timestamp?.From is { } from && from.StartsWith("entry:", StringComparison.Ordinal) ? from[6..] + between + time + entries.Separator + entry
            : entry;
    }

    internal static byte[] Key(KeySpec? spec, ReadOnlySpan<byte> secret)
    {
        var text = Encoding.UTF8.GetString(secret);
        if (spec?.Strip is { Length: > 0 } strip && text.StartsWith(strip, StringComparison.Ordinal))
        {
            text = text[strip.Length..];
        }

        var key = spec?.Encoding switch
        {
            KeyEncoding.Base64 => Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '=')),
            KeyEncoding.Hex => Convert.FromHexString(text),
            _ => Encoding.UTF8.GetBytes(text),
        };
        return spec?.Derive switch
        {
#pragma warning disable CA5350 // What the scheme says.
            KeyDerivation.Sha1 => SHA1.HashData(key),
#pragma warning restore CA5350
            KeyDerivation.Sha256Hex => Encoding.UTF8.GetBytes(Convert.ToHexStringLower(SHA256.HashData(key))),
            _ => key,
        };
    }

    private static byte[] Message(string template, Func<string, byte[]> value, ReadOnlySpan<byte> body)
    {
        using var message = new MemoryStream();
        for (var at = 0; at < template.Length;)
        {
            if (template[at] == '{')
            {
                var close = template.IndexOf('}', at);
                var name = template[(at + 1)..close];
                message.Write(name == "body" ? body : value(name));
                at = close + 1;
            }
            else
            {
                var open = template.IndexOf('{', at);
                open = open < 0 ? template.Length : open;
                message.Write(Encoding.UTF8.GetBytes(template[at..open]));
                at = open;
            }
        }

        return message.ToArray();
    }

    private static string Spell(MacEncoding? encoding, byte[] mac) => encoding switch
    {
        MacEncoding.Base64 => Convert.ToBase64String(mac),
        MacEncoding.Base64Url => Convert.ToBase64String(mac).TrimEnd('=').Replace('+', '-').Replace('/', '_'),
        _ => Convert.ToHexStringLower(mac),
    };

#pragma warning disable CA5350 // What the scheme says.
    private static byte[] Hmac(MacAlgorithm? algorithm, byte[] key, byte[] message) => algorithm switch
    {
        MacAlgorithm.Sha1 => HMACSHA1.HashData(key, message),
        MacAlgorithm.Sha512 => HMACSHA512.HashData(key, message),
        _ => HMACSHA256.HashData(key, message),
    };

    private static byte[] Digest(MacAlgorithm? algorithm, byte[] message) => algorithm switch
    {
        MacAlgorithm.Sha1 => SHA1.HashData(message),
        MacAlgorithm.Sha512 => SHA512.HashData(message),
        _ => SHA256.HashData(message),
    };
#pragma warning restore CA5350
}
