using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Replay;

/// <summary>
/// Claims in the store behind this process's memory, which has granted the key by then: other instances may have delivered the event, or be delivering it.
/// </summary>
internal sealed class SharedClaims(MemoryReplayStore memory, DuplicateWaitQueue waiting, OwnerTokens owners, ReplayVerdicts verdicts, ReplayMetrics metrics,
    TimeProvider time)
{
    private static readonly TimeSpan s_firstPoll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longestPoll = TimeSpan.FromMilliseconds(250);

    // Timers count milliseconds: a shorter wait would not wait at all.
    private static readonly TimeSpan s_shortestWait = TimeSpan.FromMilliseconds(1);

    // Whoever waited so long that less is left would be given up on before the app can have answered, and nobody would know whether it acted.
    private static readonly TimeSpan s_leastToTakeOver = TimeSpan.FromMilliseconds(250);

    // A delivery another instance made is remembered here just long enough to answer the copies waiting in this process.
    private static readonly TimeSpan s_rememberOthers = TimeSpan.FromSeconds(1);

    /// <summary>The key is ours in this process; is it in the store?</summary>
    public async ValueTask<Verdict> ClaimAsync(
        Delivery delivery, EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore link, bool waited, CancellationToken cancellationToken)
    {
        var answer = await link.ClaimAsync(key, owner, rules.Lease);
        if (answer is { State: ClaimState.InFlight } held && owners.IsOurs(held.Owner))
        {
            // Our own memory just granted us the key, so no delivery of ours is alive: this is the left-over of a claim or a release whose
            // answer was lost. It would block the event until its lease ends.
            await link.ReleaseAsync(key, held.Owner, rules.Lease);
            answer = await link.ClaimAsync(key, owner, rules.Lease);
        }

        if (waited && answer is null or { State: ClaimState.Claimed or ClaimState.Unknown } && IsTooLate(Begin(delivery), rules))
        {
            // Asking the store took what was left.
            await GiveUpAsync(key, owner, rules, link, alsoInStore: true);
            return verdicts.TooLate();
        }

        return answer switch
        {
            { State: ClaimState.Claimed } => verdicts.Admit(delivery, key, owner, rules, link),
            { State: ClaimState.Done } done => DeliveredElsewhere(delivery, key, done),
            { State: ClaimState.InFlight } => await PollAsync(delivery, key, owner, rules, link, cancellationToken),
            _ when !rules.Closed => verdicts.AdmitWithoutStore(delivery, key, owner, rules, link),
            null => await RefuseAsync(key, owner, rules, link, "the replay store is away and the route is closed then"),
            _ => await RefuseAsync(key, owner, rules, link, "what the replay store holds under this event's key is not ours, and the route is closed then"),
        };
    }

    /// <summary>Another instance is delivering the event. Copies in this process wait for us meanwhile.</summary>
    private async ValueTask<Verdict> PollAsync(Delivery delivery, EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore link,
        CancellationToken cancellationToken)
    {
        var begin = Begin(delivery);
        var pause = s_firstPoll;
        var unsure = false;
        var tooLate = false;
        metrics.Waited();
        try
        {
            while (rules.Waits && rules.Timeout - time.GetElapsedTime(begin) is var left && left >= s_shortestWait)
            {
                await Task.Delay(pause < left ? pause : left, time, cancellationToken);
                pause = pause * 1.5 < s_longestPoll ? pause * 1.5 : s_longestPoll;
                var answer = await link.ClaimAsync(key, owner, rules.Lease);
                if (answer?.State == ClaimState.Claimed || answer is { State: ClaimState.InFlight } held && held.Owner == owner)
                {
                    // The second case: an earlier poll took the key and its answer was lost.
                    if (!IsTooLate(begin, rules))
                    {
                        return verdicts.Admit(delivery, key, owner, rules, link);
                    }

                    tooLate = unsure = true;
                    break;
                }

                if (answer is { State: ClaimState.Done } done)
                {
                    return DeliveredElsewhere(delivery, key, done);
                }

                // A store that goes away now changes nothing: somebody is known to be delivering the event, so a second copy would be
                // one too many, even on a route that is open.
                unsure |= answer is null;
            }
        }
        catch
        {
            await GiveUpAsync(key, owner, rules, link, unsure);
            throw;
        }

        await GiveUpAsync(key, owner, rules, link, unsure);
        return tooLate ? verdicts.TooLate() : verdicts.InFlight("another instance is delivering it and did not finish in time");
    }

    private async ValueTask<Verdict> RefuseAsync(EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore link, string detail)
    {
        // The claim may yet arrive, and would block the event for a lease.
        await GiveUpAsync(key, owner, rules, link, alsoInStore: true);
        return verdicts.StoreDown(detail);
    }

    private async ValueTask GiveUpAsync(EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore link, bool alsoInStore)
    {
        if (alsoInStore)
        {
            await link.ReleaseAsync(key, owner, rules.Lease);
        }

        GiveUp(key, owner);
    }

    public void GiveUp(in EventKey key, ulong owner)
    {
        memory.Release(key, owner);
        waiting.WakeOne(key);
    }

    private Verdict DeliveredElsewhere(Delivery delivery, in EventKey key, in ClaimAnswer done)
    {
        memory.TryCommit(key, done.Status, s_rememberOthers, done.Trace);
        waiting.WakeAll(key);
        return verdicts.Duplicate(delivery, done.Trace);
    }

    public bool IsTooLate(long begin, ReplayRules rules) => rules.Timeout - time.GetElapsedTime(begin) < s_leastToTakeOver;

    public long Begin(Delivery delivery) => delivery.BodyCompletedAt != 0 ? delivery.BodyCompletedAt : time.GetTimestamp();
}
