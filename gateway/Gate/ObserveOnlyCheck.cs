using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>Wraps a check in observe mode: notes what it would have refused, and passes.</summary>
internal sealed class ObserveOnlyCheck(IGateCheck inner) : IGateCheck
{
    public IGateCheck Inner => inner;

    public Stage Stage => inner.Stage;

    public async ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        RejectReason reason;
        try
        {
            var verdict = await inner.CheckAsync(delivery, cancellationToken);
            if (verdict.Passed)
            {
                return verdict;
            }

            reason = verdict.Reason;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            reason = RejectReason.CheckFailed;
        }

        if (delivery.WouldRefuse == RejectReason.NotDecided)
        {
            delivery.WouldRefuse = reason;
        }

        return Verdict.Pass;
    }
}
