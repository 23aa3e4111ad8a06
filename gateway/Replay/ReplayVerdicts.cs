using Microsoft.Extensions.ObjectPool;
using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Replay;

/// <summary>How a claim ends for the request that asked: let through with the claim to settle, or refused, each counted.</summary>
internal sealed class ReplayVerdicts(ReplayGuard guard, ReplayMetrics metrics)
{
    private static readonly TimeSpan s_retryInFlight = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_retryStore = TimeSpan.FromSeconds(1);

    private readonly ObjectPool<ReplayClaim> _claims = new DefaultObjectPool<ReplayClaim>(new ClaimPolicy(guard), 4096);

    public void Return(ReplayClaim claim) => _claims.Return(claim);

    public Verdict StoreDown(string detail)
    {
        metrics.Claim("store_down");
        return Verdict.Reject(RejectReason.ReplayStoreDown, detail, s_retryStore);
    }

    public Verdict WithoutRoom(Delivery delivery, in EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore? link)
    {
        if (!rules.Closed)
        {
            return AdmitWithoutStore(delivery, key, owner, rules, link);
        }

        return StoreDown("the replay memory is full of deliveries in flight");
    }

    public Verdict AdmitWithoutStore(Delivery delivery, in EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore? link)
    {
        delivery.ReplayStoreSkipped = true;
        metrics.Claim("store_skipped");
        return Open(delivery, key, owner, rules, link);
    }

    public Verdict Admit(Delivery delivery, in EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore? link)
    {
        metrics.Claim("claimed");
        return Open(delivery, key, owner, rules, link);
    }

    private Verdict Open(Delivery delivery, in EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore? link)
    {
        var claim = _claims.Get();
        claim.Open(key, owner, rules, link);
        delivery.Claim = claim;
        return Verdict.Pass;
    }

    public Verdict Duplicate(Delivery delivery, TraceRef first)
    {
        delivery.FirstTrace = first;
        metrics.Claim("duplicate");
        return Verdict.Reject(RejectReason.Duplicate);
    }

    public Verdict InFlight(string detail)
    {
        metrics.Claim("in_flight");
        return Verdict.Reject(RejectReason.DuplicateInFlight, detail, s_retryInFlight);
    }

    public Verdict TooLate() => InFlight("the copy before it failed, and too little time is left to deliver this one");

    private sealed class ClaimPolicy(ReplayGuard guard) : IPooledObjectPolicy<ReplayClaim>
    {
        public ReplayClaim Create() => new(guard);

        public bool Return(ReplayClaim obj) => true;
    }
}
