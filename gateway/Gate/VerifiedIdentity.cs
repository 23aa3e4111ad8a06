namespace WebhookEdge.Gate;

/// <summary>How much a request has proved; forwarded as <c>X-Webhook-Trust</c>. The strongest of a route's checks counts.</summary>
internal enum TrustLevel
{
    /// <summary>Nothing was proved; only a route in observe mode forwards this.</summary>
    Observed,

    /// <summary>Only the source address was checked.</summary>
    AddressOnly,

    /// <summary>A static credential matched (Basic, Bearer, token): the sender knows a secret, the body is not covered by it.</summary>
    Authenticated,

    /// <summary>A signature over the body matched.</summary>
    Verified,
}

/// <summary>
/// What the signature stage learned, written by Signatures and read by Replay, so that a replay key's <c>id</c> can only come from signed material.
/// </summary>
/// <param name="KeyId">Which secret matched, e.g. <c>env:VERISYNC_SECRET</c>: a reference, never the secret.</param>
/// <param name="SignedId">The delivery id that the signature covers, or null.</param>
/// <param name="SignedTime">The signed time in Unix milliseconds, or null.</param>
internal readonly record struct VerifiedIdentity(string KeyId, string? SignedId, long? SignedTime);
