using WebhookEdge.Gate;

namespace WebhookEdge.Authentication;

/// <summary>The single place where a signature is known to have held.</summary>
internal static class ProofRecorder
{
    /// <summary>Several checks of a route add up: the strongest names the key, the first to sign an id or a time keeps it.</summary>
    public static void Add(Delivery delivery, TrustLevel trust, string keyId, string? signedId, long? signedTime)
    {
        delivery.SecretMatched(keyId);
        var earlier = delivery.Proof;
        var strongest = earlier is { } proof && delivery.Trust > trust ? proof.KeyId : keyId;
        delivery.Proof = new VerifiedIdentity(strongest, earlier?.SignedId ?? signedId, earlier?.SignedTime ?? signedTime);
        delivery.RaiseTrust(trust);
    }
}
