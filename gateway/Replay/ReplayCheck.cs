using WebhookEdge.Gate;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Replay;

/// <summary>
/// Claims the delivery's key, or answers that the event was delivered or is being delivered. The last check: what it claims is settled after forwarding.
/// </summary>
/// <param name="link">The store shared with other instances; null = this process's memory alone.</param>
internal sealed class ReplayCheck(EventKeyRecipe recipe, ReplayRules rules, ReplayGuard guard, ResilientReplayStore? link) : IGateCheck
{
    public Stage Stage => Stage.Replay;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        var key = recipe.KeyOf(delivery);
        delivery.EventKey = key;
        return guard.ClaimAsync(delivery, key, rules, link, cancellationToken);
    }
}
