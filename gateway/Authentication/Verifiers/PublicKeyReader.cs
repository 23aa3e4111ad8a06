using System.Collections.Immutable;
using System.Security.Cryptography;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>Secrets of a public-key scheme → keys: PEM, or what <c>key.encoding</c> says of SubjectPublicKeyInfo (for Ed25519 the bare 32 bytes too).</summary>
internal static class PublicKeyReader
{
    /// <summary>Null with a problem for each secret that is no such key.</summary>
    public static PublicKeySet? Read(string kind, SignaturePlan plan, IReadOnlyList<Secret> secrets, ICollection<ConfigProblem> problems, string secretsPath)
    {
        var keys = ImmutableArray.CreateBuilder<IPublicKey>(secrets.Count);
        for (var i = 0; i < secrets.Count; i++)
        {
            var place = $"{secretsPath}[{i}]";
            var isPem = PemText.LooksLikePem(secrets[i].Value);
            if (isPem && PemText.Decode(secrets[i].Value, "PRIVATE KEY") is not null)
            {
                problems.Add(new(place, $"the secret {secrets[i].Id} is a private key", "only the sender has that; put the sender's public key there"));
                continue;
            }

            var bytes = isPem ? PemText.Decode(secrets[i].Value, "PUBLIC KEY") : plan.Key.KeyOf(secrets[i], problems, place);
            if (bytes is null && !isPem)
            {
                continue;
            }

            string? fault = null;
            if (bytes is not null && Create(kind, plan, secrets[i].Id, bytes, out fault) is { } key)
            {
                keys.Add(key);
                if (key is RsaKey { HasSmallExponent: true })
                {
                    problems.Add(new(place, $"the secret {secrets[i].Id} is an RSA public key with an exponent below 65537",
                        "it works; ask the sender for a key as FIPS 186-5 has them", IsWarning: true));
                }
            }
            else if (fault is not null)
            {
                problems.Add(new(place, $"the secret {secrets[i].Id} is {fault}",
                    "copy the key again from the sender; if it is this one, the sender's signatures cannot be trusted"));
            }
            else
            {
                problems.Add(new(place, $"the secret {secrets[i].Id} is not {Describe(kind)}",
                    "put the sender's public key there, as PEM (-----BEGIN PUBLIC KEY-----) or in the scheme's key.encoding"));
            }
        }

        return keys.Count < secrets.Count ? null : new(keys.ToImmutable(), kind == "ed25519" ? null : new SigningKey("", [], plan.Algorithm, keyed: false));
    }

    private static IPublicKey? Create(string kind, SignaturePlan plan, string id, byte[] bytes, out string? fault)
    {
        fault = null;
        return kind switch
        {
            "ed25519" => Ed25519Key.Read(id, bytes, out fault),
            "ecdsa-p256" => EcdsaKey.Read(id, bytes, DSASignatureFormat.Rfc3279DerSequence),
            _ => RsaKey.Read(id, bytes, plan.Algorithm, out fault),
        };
    }

    private static string Describe(string kind) => kind switch
    {
        "ed25519" => "an Ed25519 public key",
        "ecdsa-p256" => "a P-256 public key",
        _ => "an RSA public key of 2048 bits or more",
    };
}
