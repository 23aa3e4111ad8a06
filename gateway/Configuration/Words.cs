namespace WebhookEdge.Configuration;

/// <summary>Keys whose value is one of a few words. The validator and the JSON schema read the same lists.</summary>
internal static class Words
{
    public static IReadOnlyList<string> Modes { get; } = ["enforce", "observe"];

    public static IReadOnlyList<string> AddressSources { get; } = ["connection", "forwardedFor", "proxyProtocol"];

    public static IReadOnlyList<string> StoreErrors { get; } = ["open", "closed"];

    public static IReadOnlyList<string> Algorithms { get; } = ["sha1", "sha256", "sha512"];

    public static IReadOnlyList<string> Encodings { get; } = ["hex", "base64", "base64url"];

    public static IReadOnlyList<string> TimestampUnits { get; } = ["s", "ms", "iso"];

    public static IReadOnlyList<string> KeyEncodings { get; } = ["utf8", "base64", "hex"];

    public static IReadOnlyList<string> KeyDerivations { get; } = ["none", "sha1", "sha256hex"];

    public static IReadOnlyList<string> Methods { get; } = ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"];

    /// <summary>Content codings that a route may let through: those of the IANA registry that are not for one purpose of one protocol.</summary>
    public static IReadOnlyList<string> ContentCodings { get; } = ["gzip", "br", "deflate", "zstd", "compress"];

    /// <summary>Scheme kinds that are data; named code verifiers come beside them.</summary>
    public static IReadOnlyList<string> Kinds { get; } = ["hmac", "digest", "token", "basic", "bearer"];
}
