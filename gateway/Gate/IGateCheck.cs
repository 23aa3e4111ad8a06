using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

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
