using WebhookEdge.Gate;
using WebhookEdge.Verdicts;

namespace WebhookEdge.RateLimits;

/// <summary>
/// Shields the upstream from more than it takes. Runs after authentication, so that strangers cannot spend a provider's budget, and before the
/// replay claim, so that a refused delivery leaves no trace.
/// </summary>
/// <param name="timeout">The route's time from the last body byte to the answer; a wait in the queue ends with it.</param>
internal sealed class RouteBudgetCheck(RouteBudget budget, TimeSpan timeout, TimeProvider time) : IGateCheck
{
    public Stage Stage => Stage.RouteRate;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        if (budget.TryAcquire(out var retryAfter))
        {
            return new(Verdict.Pass);
        }

        return budget.Queue > 0 ? WaitAsync(delivery, cancellationToken) : new(Refuse(retryAfter));
    }

    private static Verdict Refuse(TimeSpan retryAfter) => Verdict.Reject(RejectReason.TooManyForRoute, retryAfter: retryAfter);

    private async ValueTask<Verdict> WaitAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        var left = delivery.BodyCompletedAt != 0 ? timeout - time.GetElapsedTime(delivery.BodyCompletedAt) : timeout;
        if (left <= TimeSpan.Zero)
        {
            return Refuse(budget.Window);
        }

        using var outOfTime = new CancellationTokenSource(left, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(outOfTime.Token, cancellationToken);
        try
        {
            return await budget.WaitAsync(either.Token) is { } retryAfter ? Refuse(retryAfter) : Verdict.Pass;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return Verdict.Reject(RejectReason.TooManyForRoute, "the queue did not move within the route's timeout", budget.Window);
        }
    }
}
