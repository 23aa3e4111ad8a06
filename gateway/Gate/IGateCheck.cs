using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>
/// When a check runs; also the order. Cheap checks and those that face strangers come first, and nothing shared
/// (budgets of a route, replay keys, stores) is touched before the sender has proved itself.
/// </summary>
internal enum Stage
{
    AddressRate,
    Shape,
    Address,

    /// <summary>Challenges that the head alone shows and nothing signs.</summary>
    Challenge,
    Credential,
    Timestamp,
    Payload,

    /// <summary>Challenges in an unsigned body.</summary>
    BodyChallenge,
    Signature,

    /// <summary>Challenges that are signed like any event; before <see cref="Freshness"/>, since they carry no time of an event.</summary>
    SignedChallenge,
    Freshness,
    RouteRate,
    Replay,
}

/// <summary>How stages are called in metrics and traces: <c>address-rate</c>, <c>signature</c>, ….</summary>
internal static class StageNames
{
    private static readonly string[] Names =
        [.. Enum.GetValues<Stage>().Select(static stage => string.Concat(stage.ToString().Select(static (c, i) => i > 0 && char.IsUpper(c) ? $"-{char.ToLowerInvariant(c)}" : $"{char.ToLowerInvariant(c)}")))];

    public static string Of(Stage stage) => Names[(int)stage];
}

/// <summary>
/// One decision about one delivery. Called by <see cref="RoutePolicy"/> in stage order, concurrently for many deliveries, so a check holds
/// no state of a request outside the <see cref="Delivery"/>. It answers with a value: a check never touches the response, counters or logs.
/// A throw is recorded as <see cref="RejectReason.CheckFailed"/> and refuses.
/// </summary>
internal interface IGateCheck
{
    Stage Stage { get; }

    ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken);
}

/// <summary>A claim on a delivery's replay key, held while the upstream works.</summary>
internal interface IDeliveryClaim
{
    /// <summary>Commits after an accepted delivery, releases after any other. Called exactly once, never with the request's cancellation token.</summary>
    ValueTask SettleAsync(ForwardOutcome outcome);
}
