using System.Security.Cryptography;
using WebhookEdge.Configuration;

namespace WebhookEdge.Cli;

/// <summary>One set of circumstances under which the signature might hold.</summary>
internal sealed record SigningAttempt(SchemeSpec Scheme, byte[] Secret, byte[] Body, string? PublicUrl)
{
    public string SecretId { get; init; } = "";

    public string Mistake { get; private init; } = "";

    /// <summary>Equal for two mistakes that come to the same: the first one is named.</summary>
    public (SchemeSpec, string, string, string?) Circumstances =>
        (Scheme, Convert.ToHexString(SHA256.HashData(Secret)), Convert.ToHexString(SHA256.HashData(Body)), PublicUrl);

    public SigningAttempt With(string mistake) => this with { Mistake = Mistake.Length == 0 ? mistake : $"{Mistake}; and {mistake}" };
}
