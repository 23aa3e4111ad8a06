using System.Collections.Immutable;
using System.Security.Cryptography;
using WebhookEdge.Authentication.Verifiers;

namespace WebhookEdge.Authentication;

/// <summary>A scheme without its secrets.</summary>
internal sealed record Plan(ImmutableArray<string> Headers, string Prefix, ImmutableArray<RequiredHeader> Required, CredentialKind Credential,
    SignaturePlan? Signature)
{
    /// <summary>Set for a kind that is code; then the URL and the key rule stand here.</summary>
    public CodeVerifierKind? Code { get; init; }

    public UrlRule? Url { get; init; }

    public KeyRule? Key { get; init; }
}

internal sealed record SignaturePlan(
    HashAlgorithmName Algorithm,
    bool Keyed,
    bool Numbered,
    SignatureHeader Grammar,
    SigningTemplate Template,
    bool AcceptsEmptyBody,
    TimeRule? Time,
    IdRule? Id,
    UrlRule? Url,
    KeyRule Key)
{
    /// <summary>Name of the public-key kind; null for a shared secret.</summary>
    public string? PublicKey { get; init; }
}
