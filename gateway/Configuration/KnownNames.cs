namespace WebhookEdge.Configuration;

/// <summary>Names that routes.json takes in lists, and that are not ours. The validator and the JSON schema read the same lists.</summary>
internal static class KnownNames
{
    public static IReadOnlyList<string> Methods { get; } = ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"];

    /// <summary>Content codings that a route may let through: those of the IANA registry that are not for one purpose of one protocol.</summary>
    public static IReadOnlyList<string> ContentCodings { get; } = ["gzip", "br", "deflate", "zstd", "compress"];

    /// <summary>Scheme kinds that are data; named code verifiers come beside them.</summary>
    public static IReadOnlyList<string> SchemeKinds { get; } = ["hmac", "digest", "token", "basic", "bearer"];
}
