namespace WebhookEdge.Authentication.Verifiers;

/// <summary>What a kind of scheme that is code promises, whatever its fields say.</summary>
/// <param name="SignsBody">Nothing of the body can be changed without the secret.</param>
/// <param name="SignsId">What passes has a signed id, so a replay key may use <c>id</c>.</param>
internal sealed record CodeKind(bool SignsBody, bool SignsId = false, bool SignsTime = false, bool SignsUrl = false)
{
    /// <summary>Reads header, signed, timestamp and id as an hmac scheme does, so those say what is signed.</summary>
    public bool ReadsTemplate { get; init; }
}
