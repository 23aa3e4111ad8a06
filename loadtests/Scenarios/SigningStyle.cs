namespace WebhookEdge.LoadTests;

/// <summary>How a request proves itself: a header with the hex HMAC-SHA256 of the raw body, with or without a prefix.</summary>
internal sealed record SigningStyle(string Name, string Header, string Prefix)
{
    /// <summary>https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries</summary>
    public static SigningStyle GitHub { get; } = new("github", "X-Hub-Signature-256", "sha256=");

    /// <summary>https://getverdict.com/help/docs</summary>
    public static SigningStyle RealId { get; } = new("real-id", "X-Real-ID-Signature", "");

    /// <summary>https://docs.cr3dentials.xyz/api-integration/webhooks</summary>
    public static SigningStyle Cr3dentials { get; } = new("cr3dentials", "x-webhook-signature", "");

    /// <summary>https://verisync.gitbook.io/docs/integration-options/webhooks</summary>
    public static SigningStyle Verisync { get; } = new("verisync", "verisync-signature", "");

    /// <summary>A style's name is also the name of the gateway's preset.</summary>
    public static IReadOnlyList<SigningStyle> All { get; } = [GitHub, RealId, Cr3dentials, Verisync];
}
