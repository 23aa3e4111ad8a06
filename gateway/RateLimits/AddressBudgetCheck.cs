using WebhookEdge.Gate;
using WebhookEdge.Verdicts;

namespace WebhookEdge.RateLimits;

/// <summary>The first check of all: what a stranger may cost us. Never waits.</summary>
internal sealed class AddressBudgetCheck(AddressBudget budget) : IGateCheck
{
    public Stage Stage => Stage.AddressRate;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken) =>
        budget.TryAcquire(delivery.Client, out var retryAfter)
            ? new(Verdict.Pass)
            : new(Verdict.Reject(RejectReason.TooManyFromAddress, retryAfter: retryAfter));
}
