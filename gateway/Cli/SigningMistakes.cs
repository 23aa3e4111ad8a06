using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Cli;

/// <summary>The mistakes people make with body, secret and scheme, each as the circumstances under which the signature might hold.</summary>
internal static class SigningMistakes
{
    public static IEnumerable<SigningAttempt> Bodies(SigningAttempt from)
    {
        foreach (var (body, mistake) in BodyMistakes.Of(from.Body))
        {
            if (!body.AsSpan().SequenceEqual(from.Body))
            {
                yield return from.With(mistake) with { Body = body };
            }
        }
    }

    public static IEnumerable<SigningAttempt> Secrets(SigningAttempt from)
    {
        foreach (var (value, mistake) in SecretsOf(from.Secret, from.SecretId))
        {
            if (value.Length > 0 && !value.AsSpan().SequenceEqual(from.Secret))
            {
                yield return from.With(mistake) with { Secret = value };
            }
        }
    }

    private static IEnumerable<(byte[] Value, string Mistake)> SecretsOf(byte[] secret, string id)
    {
        var text = Encoding.Latin1.GetString(secret);
        yield return (Encoding.Latin1.GetBytes(text.TrimEnd('\r', '\n')), $"{id} ends in a stray line break; write it with printf instead of echo");
        yield return (Encoding.Latin1.GetBytes(text.Trim()), $"{id} has stray white space around it");
        yield return (Encoding.Latin1.GetBytes(text.Trim().Trim('"', '\'')), $"{id} stands in quotes that are not part of it");
        yield return ([.. secret, (byte)'\n'], $"the sender signs with a line break at the end of the secret, which {id} lacks");
    }

    public static IEnumerable<SigningAttempt> Schemes(SigningAttempt from)
    {
        var scheme = from.Scheme;
        if ((scheme.Kind ?? "hmac") is not ("hmac" or "digest"))
        {
            yield break;
        }

        foreach (var encoding in Enum.GetValues<MacEncoding>().Where(e => e != (scheme.Encoding ?? MacEncoding.Hex)))
        {
            yield return from.With($"the signature is {WrittenWord.Of(encoding)}, the scheme says {WrittenWord.Of(scheme.Encoding ?? MacEncoding.Hex)}")
                with { Scheme = scheme with { Encoding = encoding } };
        }

        foreach (var algorithm in Enum.GetValues<MacAlgorithm>().Where(a => a != (scheme.Algorithm ?? MacAlgorithm.Sha256)))
        {
            yield return from.With($"it is signed with {WrittenWord.Of(algorithm)}, the scheme says {WrittenWord.Of(scheme.Algorithm ?? MacAlgorithm.Sha256)}")
                with { Scheme = scheme with { Algorithm = algorithm } };
        }

        var key = scheme.Key ?? new();
        foreach (var encoding in Enum.GetValues<KeyEncoding>().Where(e => e != (key.Encoding ?? KeyEncoding.Utf8)))
        {
            var word = WrittenWord.Of(encoding);
            yield return from.With($"the secret's text stands for its {word} value: \"key\": {{ \"encoding\": \"{word}\" }}")
                with { Scheme = scheme with { Key = key with { Encoding = encoding } } };
        }

        if (key.Strip is null && from.Secret.AsSpan().StartsWith("whsec_"u8))
        {
            yield return from.With("what stands after whsec_ is the key, in base64: \"key\": { \"strip\": \"whsec_\", \"encoding\": \"base64\" }")
                with { Scheme = scheme with { Key = new() { Strip = "whsec_", Encoding = KeyEncoding.Base64 } } };
        }

        if (key.Strip is not null)
        {
            yield return from.With($"the whole secret is the key, {key.Strip} included, as text: remove the scheme's key")
                with { Scheme = scheme with { Key = null } };
        }

        if (scheme.Prefix is { } prefix)
        {
            yield return from.With($"the signature comes without the prefix {prefix}") with { Scheme = scheme with { Prefix = null } };
        }
        else if (scheme.Entries is null)
        {
            foreach (var known in new[] { "sha256=", "sha1=", "sha512=", "v0=", "v1=", "v1," })
            {
                yield return from.With($"the signature comes with the prefix {known}") with { Scheme = scheme with { Prefix = known } };
            }
        }

        if (scheme.Timestamp is { Unit: var unit })
        {
            foreach (var other in Enum.GetValues<TimeUnit>().Where(u => u != (unit ?? TimeUnit.Seconds)))
            {
                yield return from.With($"the time is written in {WrittenWord.Of(other)}, the scheme says {WrittenWord.Of(unit ?? TimeUnit.Seconds)}")
                    with { Scheme = scheme with { Timestamp = scheme.Timestamp with { Unit = other } } };
            }
        }
    }
}
