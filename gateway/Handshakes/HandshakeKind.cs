using System.Buffers;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text;
using WebhookEdge.Gate;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Handshakes;

/// <summary>A secret of the route's checks, under the id that <see cref="VerifiedIdentity.KeyId"/> names it by.</summary>
internal sealed record HandshakeSecret(string Id, byte[] Value)
{
    public override string ToString() => Id;
}

/// <summary>What a route's handshake answers with.</summary>
/// <param name="Secrets">The secrets of the route's checks, in the order they are written.</param>
/// <param name="VerifyToken">Resolved <c>verifyToken</c>; null when the handshake needs none.</param>
/// <param name="Url">The URL the sender knows the route by, without query; null without <c>edge.publicUrl</c>.</param>
internal sealed record HandshakeSetup(ImmutableArray<HandshakeSecret> Secrets, byte[]? VerifyToken, string? Url);

/// <summary>Judges one delivery: an answer, a refusal of a challenge that is not as it should be, or a pass for what is no challenge.</summary>
internal delegate Verdict ChallengeReader(Delivery delivery, HandshakeSetup setup);

/// <summary>One row of the catalogue.</summary>
internal sealed record HandshakeKind
{
    public required string Name { get; init; }

    /// <summary><see cref="Stage.SignedChallenge"/> where the sender signs its challenge: then nothing is answered that was not verified.</summary>
    public required Stage Stage { get; init; }

    /// <summary>The challenge comes by GET, which the route lets come as far as the check and need not allow for anything else.</summary>
    public bool ByGet { get; init; }

    public bool NeedsToken { get; init; }

    /// <summary>
    /// Signs what an unsigned request asks for; answered only where a route names it, never because of its provider alone, and where the secret verifies
    /// nothing but this sender's own scheme.
    /// </summary>
    public bool SignsForStrangers { get; init; }

    /// <summary>
    /// True of a body whose signature any stranger could have had from this handshake: such a body proves nothing. Null where the sender's verifier sees to it.
    /// </summary>
    public Func<ReadOnlySequence<byte>, bool>? MayHaveSigned { get; init; }

    public bool NeedsSecret { get; init; }

    public bool NeedsUrl { get; init; }

    public required ChallengeReader Read { get; init; }

    /// <summary>May a provider's preset bring it along without a word on the route?</summary>
    public bool ComesWithProvider => !NeedsToken && !SignsForStrangers;
}

/// <summary>Puts a handshake where it belongs among a route's checks.</summary>
internal sealed class HandshakeCheck(HandshakeKind kind, HandshakeSetup setup, bool routeTakesGet) : IGateCheck
{
    public HandshakeKind Kind => kind;

    public Stage Stage => kind.Stage;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        if (kind.Stage == Stage.SignedChallenge)
        {
            // Only what was verified in earnest; observe mode lets unproved requests come this far.
            return new(delivery is { Proof: not null, Trust: TrustLevel.Verified, WouldRefuse: RejectReason.NotDecided } ? kind.Read(delivery, setup)
                : Verdict.Pass);
        }

        if (kind.ByGet != (delivery.Method == "GET"))
        {
            return new(Verdict.Pass);
        }

        var verdict = kind.Read(delivery, setup);
        return new(verdict.Passed && kind.ByGet && !routeTakesGet
            ? Verdict.Reject(RejectReason.MethodRefused, "GET is for the handshake alone, and this is none") : verdict);
    }
}

/// <summary>
/// Refuses an event that a stranger could have had signed, before its signature gives any trust: see <see cref="HandshakeKind.MayHaveSigned"/>.
/// </summary>
internal sealed class OwnSignatureCheck(Func<ReadOnlySequence<byte>, bool> mayHaveSigned) : IGateCheck
{
    public Stage Stage => Stage.BodyChallenge;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken) => new(
        mayHaveSigned(delivery.Body) ? Verdict.Reject(RejectReason.SignatureMalformed, "the body is such as the handshake signs for anyone") : Verdict.Pass);
}

/// <summary>
/// The challenges senders pose when a URL is registered. Answered at the edge, never forwarded and never remembered by replay. Asana's is not here: it
/// hands the secret over in the request, which nobody can tell from a stranger's.
/// </summary>
internal static class HandshakeKinds
{
    public static FrozenDictionary<string, HandshakeKind> All { get; } = new HandshakeKind[]
    {
        new() { Name = "meta", Stage = Stage.Challenge, ByGet = true, NeedsToken = true, Read = Challenges.Meta },
        new() { Name = "dropbox", Stage = Stage.Challenge, ByGet = true, Read = Challenges.Echo },
        new() { Name = "adobe-io", Stage = Stage.Challenge, ByGet = true, Read = Challenges.Echo },
        new() { Name = "okta", Stage = Stage.Challenge, ByGet = true, Read = Challenges.Okta },
        new()
        {
            Name = "x", Stage = Stage.Challenge, ByGet = true, SignsForStrangers = true, NeedsSecret = true, Read = Challenges.X,
            MayHaveSigned = ChallengeText.IsSignable,
        },
        new() { Name = "braintree", Stage = Stage.Challenge, ByGet = true, SignsForStrangers = true, NeedsSecret = true, Read = Challenges.Braintree },
        new() { Name = "ebay", Stage = Stage.Challenge, ByGet = true, NeedsToken = true, NeedsUrl = true, Read = Challenges.Ebay },
        new() { Name = "adobe-sign", Stage = Stage.Challenge, ByGet = true, NeedsToken = true, Read = Challenges.AdobeSign },
        new() { Name = "msgraph", Stage = Stage.Challenge, Read = Challenges.MicrosoftGraph },
        new() { Name = "monday", Stage = Stage.BodyChallenge, Read = Challenges.Monday },
        new() { Name = "slack", Stage = Stage.SignedChallenge, Read = Challenges.Slack },
        new() { Name = "zoom", Stage = Stage.SignedChallenge, NeedsSecret = true, Read = Challenges.Zoom },
        new() { Name = "twitch", Stage = Stage.SignedChallenge, Read = Challenges.Twitch },
        new() { Name = "discord", Stage = Stage.SignedChallenge, Read = Challenges.Discord },
        new() { Name = "xero", Stage = Stage.SignedChallenge, Read = Challenges.Xero },
    }.ToFrozenDictionary(static kind => kind.Name, StringComparer.Ordinal);
}

/// <summary>Answers of the three shapes there are.</summary>
internal static class Answers
{
    public static Verdict Text(string text) => Verdict.Answered(new(200, "text/plain; charset=utf-8", Encoding.ASCII.GetBytes(text)));

    /// <summary><paramref name="json"/> holds only texts that were checked to need no escaping.</summary>
    public static Verdict Json(string json) => Verdict.Answered(new(200, "application/json; charset=utf-8", Encoding.ASCII.GetBytes(json)));

    public static Verdict Empty(int status) => Verdict.Answered(new(status, null, default));
}
