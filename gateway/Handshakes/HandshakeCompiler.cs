using WebhookEdge.Configuration;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Handshakes;

/// <summary>A route's handshake → a check, or none.</summary>
internal static class HandshakeCompiler
{
    /// <summary>
    /// The handshake in force: the route's own, or the provider's where that needs nothing from the route and signs nothing for strangers. Null when there
    /// is none, or <c>"off"</c>, or the name is unknown (which the validator reports).
    /// </summary>
    public static HandshakeKind? KindOf(HandshakeSpec? written, string? preset)
    {
        if (written is not null)
        {
            return HandshakeKinds.All.GetValueOrDefault(written.Name ?? preset ?? "");
        }

        return preset is not null && HandshakeKinds.All.GetValueOrDefault(preset) is { ComesWithProvider: true } kind ? kind : null;
    }

    /// <summary>Null with a problem when the handshake lacks what it needs on this route.</summary>
    /// <param name="signsBody">Some check of the route verifies a signature over the body.</param>
    /// <param name="isWritten">The route names the handshake itself; one that came with the provider is left out in silence where it does not fit.</param>
    public static HandshakeCheck? Compile(HandshakeKind kind, HandshakeSetup setup, bool signsBody, bool routeTakesGet, bool isWritten,
        ICollection<ConfigProblem> problems, string path)
    {
        var fault = kind switch
        {
            { Stage: Stage.SignedChallenge } when !signsBody =>
                ("its challenge is signed, and no check of this route verifies a signature", "add verify with the sender's scheme"),
            { NeedsSecret: true } when setup.Secrets.IsEmpty =>
                ("it is answered with the sender's secret, and no check of this route has one", "add secrets, or verify with the sender's scheme"),
            { NeedsUrl: true } when setup.Url is null =>
                ("it is answered with the route's URL, which only edge.publicUrl tells", "write edge.publicUrl, e.g. \"https://hooks.example.com\""),
            { NeedsToken: true } when setup.VerifyToken is not { Length: > 0 } =>
                ("its verifyToken is empty", "put the token there that was entered at the sender"),
            _ => default,
        };
        if (fault.Item1 is null)
        {
            return new(kind, setup, routeTakesGet);
        }

        if (isWritten)
        {
            problems.Add(new(path, $"the handshake \"{kind.Name}\" cannot be answered: {fault.Item1}", fault.Item2));
        }

        return null;
    }
}
