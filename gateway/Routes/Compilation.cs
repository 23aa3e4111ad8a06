using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Routes;

/// <summary>One compilation: the file, the problems so far, and what it uses.</summary>
internal sealed record Compilation(RoutesFile File, List<ConfigProblem> Problems, CompileMode Mode)
{
    /// <summary>The files of secrets, each with the digest of what was read.</summary>
    public Dictionary<string, byte[]> SecretFiles { get; } = new(StringComparer.Ordinal);

    /// <summary>What the references of <c>edge</c> resolved to, by digest; every route depends on it.</summary>
    public IReadOnlyList<string> EdgeSecrets { get; set; } = [];

    /// <summary>What the references resolved so far for the route being compiled gave, by digest, each with the reference.</summary>
    public List<string> SecretDigests { get; } = [];

    public void BeginRoute() => SecretDigests.Clear();

    public byte[]? Resolve(string text, string place)
    {
        // What is no reference was refused by the validator, and may be the secret itself.
        if (!RoutesSyntax.IsSecretReference(text) || !SecretReference.TryParse(text, out var reference))
        {
            return null;
        }

        if (Mode == CompileMode.WithoutSecrets)
        {
            return null;
        }

        // Here and nowhere else secrets are looked up, so none can be left out of a fingerprint.
        var value = reference.Resolve(out var fault, out var digest);
        if (digest is not null)
        {
            // The first reading: when a file changes between two, the watcher sees another one and reads everything again.
            SecretFiles.TryAdd(reference.Target, digest);
        }

        SecretDigests.Add($"{text}={(value is null ? "" : Convert.ToHexString(SHA256.HashData(value)))}");
        if (value is null)
        {
            Problems.Add(new(place, fault!, reference.Remedy));
        }

        return value;
    }

    /// <summary>SHA-256 in hex over <paramref name="parts"/>, each with its length.</summary>
    public static string Digest(IReadOnlyList<string> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts)
        {
            hash.AppendData(BitConverter.GetBytes(part.Length));
            hash.AppendData(Encoding.UTF8.GetBytes(part));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
