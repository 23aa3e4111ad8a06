using System.Collections.Frozen;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>The kinds of scheme that are code. A new one is a class beside this file, a line here, a preset with its vector, and tests.</summary>
internal static class CodeVerifiers
{
    /// <summary>The kinds that read the fields of an hmac scheme and differ in the primitive alone.</summary>
    public static FrozenDictionary<string, CodeKind> PublicKeyKinds { get; } = new[] { "ed25519", "ecdsa-p256", "rsa-key" }
        .ToFrozenDictionary(static name => name,
            static _ => new CodeKind(SignsBody: true) { ReadsTemplate = true }, StringComparer.Ordinal);

    public static FrozenDictionary<string, CodeVerifierKind> All { get; } = new[]
    {
        TwilioVerifier.Kind, MandrillVerifier.Kind, PlivoVerifier.Kind, BraintreeVerifier.Kind, AdyenItemsVerifier.Kind, MailgunVerifier.Kind,
            ContentfulVerifier.Kind,
        JwtVerifier.Kind, PlaidVerifier.Kind, SnsVerifier.Kind, PayPalVerifier.Kind,
    }.ToFrozenDictionary(static kind => kind.Name, StringComparer.Ordinal);

    /// <summary>Whether verifying takes public-key arithmetic, tens of microseconds a key and more: too much for a thread that serves sockets.</summary>
    public static bool UsesPublicKeys(CodeVerifierKind kind) => kind == PlaidVerifier.Kind || kind == SnsVerifier.Kind || kind == PayPalVerifier.Kind;

    /// <summary>What the validator must know of them, by name.</summary>
    public static IReadOnlyDictionary<string, CodeKind> Facts { get; } =
        PublicKeyKinds.Concat(All.Select(static kind => KeyValuePair.Create(kind.Key, kind.Value.Facts))).ToFrozenDictionary(StringComparer.Ordinal);
}
