using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.ObjectPool;
using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Replay;

/// <summary>What replay protection holds at one moment.</summary>
/// <param name="MemoryKeys">Events remembered in this process.</param>
/// <param name="Stores">Shared stores in use; 0 = this process's memory alone.</param>
/// <param name="Breaker">The worst of them: 0 closed, 1 half-open, 2 open.</param>
/// <param name="Queued">Markers waiting for a store to come back.</param>
/// <param name="MemoryLimit">Events remembered in this process at most.</param>
/// <param name="Forgotten">Events forgotten before their time, because the memory was full.</param>
internal readonly record struct ReplayState(int MemoryKeys, int Stores, int Breaker, int Queued, int MemoryLimit, long Forgotten);

/// <summary>How a route treats duplicates.</summary>
/// <param name="Ttl">How long a delivered event is remembered.</param>
/// <param name="Timeout">The route's time from the last body byte to the answer; waiting ends with it.</param>
/// <param name="Closed">Refuse while the store is away, instead of going on with this process's memory.</param>
internal sealed record ReplayRules(TimeSpan Ttl, TimeSpan Timeout, bool Closed = false)
{
    /// <summary>A copy of a delivery in flight waits for its outcome; false for a route that only observes, which must delay nobody.</summary>
    public bool Waits { get; init; } = true;

    /// <summary>Longer than any delivery can take, so that a live owner never outlives its claim.</summary>
    public TimeSpan Lease { get; } = Timeout + TimeSpan.FromSeconds(1.5);
}

/// <summary>
/// Lets each event through once. One per process, outliving reloads: this process's memory and its waiting copies are the first level, a
/// <see cref="ResilientReplayStore"/> the second, for routes that have one.
/// <para>
/// The promise is at least once to the upstream, and that a copy of a delivery we saw accepted is suppressed; never exactly once. Where the
/// state is unknown the gateway rather delivers twice than not at all.
/// </para>
/// </summary>
internal sealed class ReplayGuard : IAsyncDisposable
{
    private static readonly TimeSpan s_firstPoll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longestPoll = TimeSpan.FromMilliseconds(250);

    // Timers count milliseconds: a shorter wait would not wait at all.
    private static readonly TimeSpan s_shortestWait = TimeSpan.FromMilliseconds(1);

    // Whoever waited so long that less is left would be given up on before the app can have answered, and nobody would know whether it acted.
    private static readonly TimeSpan s_leastToTakeOver = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_retryInFlight = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_retryStore = TimeSpan.FromSeconds(1);

    // A delivery another instance made is remembered here just long enough to answer the copies waiting in this process.
    private static readonly TimeSpan s_rememberOthers = TimeSpan.FromSeconds(1);

    // Longer than any request that still holds a policy with a link no longer in use.
    private static readonly TimeSpan s_retireAfter = TimeSpan.FromMinutes(10);

    private readonly MemoryReplayStore _memory;
    private readonly TimeProvider _time;
    private readonly ReplayMetrics _metrics;
    private readonly ILogger<ReplayGuard> _logger;
    private readonly OwnerTokens _owners;
    private readonly DuplicateWaitQueue _waiting = new();
    private readonly ObjectPool<ReplayClaim> _claims;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (ResilientReplayStore Link, long? UnusedSince)> _links = [];

    private readonly ITimer _closing;

    // More keys forgotten early than these are worth a line; the greatest number once it is written.
    private long _forgottenUntold;

    /// <param name="processSeed">Distinguishes this process from the others on the same Redis; null draws one.</param>
    public ReplayGuard(MemoryReplayStore memory, TimeProvider time, ReplayMetrics metrics, ILogger<ReplayGuard> logger, ulong? processSeed = null)
    {
        _memory = memory;
        _time = time;
        _metrics = metrics;
        _logger = logger;
        _owners = new(processSeed ?? BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)));
        _claims = new DefaultObjectPool<ReplayClaim>(new ClaimPolicy(this), 4096);
        _closing = time.CreateTimer(static state => _ = ((ReplayGuard)state!).CloseUnusedAsync(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        metrics.Observe(() => _memory.Count, () => _memory.Capacity, () => _memory.Evicted, () => Sum(static link => link.Queued), WorstBreaker);
    }

    /// <summary>Why <see cref="Connect"/> would not take it, without repeating it; null when it would. Says nothing of whether anybody listens there.</summary>
    public static string? AddressFault(Secret connection) => RedisAddress.TryParse(Encoding.UTF8.GetString(connection.Value), out _, out var fault) ? null : fault;

    /// <summary>How many events this process remembers at most, from now on; what is too much goes little by little.</summary>
    public void Remember(int events)
    {
        if (events != _memory.Capacity)
        {
            _memory.Capacity = events;
            Volatile.Write(ref _forgottenUntold, _memory.Evicted);
        }
    }

    /// <summary>The link to a Redis by its connection string, shared by all who name the same one and opened in the background.</summary>
    /// <exception cref="FormatException">Neither a StackExchange.Redis connection string nor a URL. The message does not repeat it.</exception>
    public ResilientReplayStore Connect(Secret connection)
    {
        var connectionString = Encoding.UTF8.GetString(connection.Value);
        lock (_gate)
        {
            if (!_links.TryGetValue(connectionString, out var known))
            {
                known.Link = Link(RedisReplayStore.Open(connectionString, _time, _logger));
            }

            _links[connectionString] = (known.Link, null);
            return known.Link;
        }
    }

    /// <summary>A link to <paramref name="store"/>, which the caller disposes.</summary>
    public ResilientReplayStore Link(IReplayStore store) => new(store, _time, _metrics, _logger, Random.Shared);

    /// <summary>
    /// Says after a reload which links are in use. Others are flushed and closed by a later call, once no request can hold them any more.
    /// </summary>
    public async ValueTask RetainAsync(IReadOnlyCollection<ResilientReplayStore> inUse)
    {
        lock (_gate)
        {
            foreach (var (name, entry) in _links.ToArray())
            {
                if (inUse.Contains(entry.Link))
                {
                    entry.Link.HandOver(null);
                    _links[name] = (entry.Link, null);
                }
                else if (entry.UnusedSince is null)
                {
                    _links[name] = (entry.Link, _time.GetTimestamp());
                    if (inUse.FirstOrDefault() is { } successor)
                    {
                        entry.Link.HandOver(successor);
                    }

                    // Closed even if no reload follows: a password that was rotated would be tried for ever.
                    _closing.Change(s_retireAfter + TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
                }
            }
        }

        await CloseUnusedAsync();
    }

    /// <summary>Flushes and closes what has been out of use for long enough; which links those are, a reload alone says.</summary>
    private async Task CloseUnusedAsync()
    {
        List<ResilientReplayStore> retired = [];
        lock (_gate)
        {
            foreach (var (name, entry) in _links.ToArray())
            {
                if (entry.UnusedSince is { } since && _time.GetElapsedTime(since) > s_retireAfter)
                {
                    _links.Remove(name);
                    retired.Add(entry.Link);
                }
            }
        }

        foreach (var link in retired)
        {
            await link.DisposeAsync();
        }
    }

    /// <summary>
    /// Claims the delivery's key and passes, or says why not. After a pass <see cref="Delivery.Claim"/> must be settled. When
    /// <paramref name="cancellationToken"/> ends a wait, nothing is left claimed.
    /// </summary>
    public ValueTask<Verdict> ClaimAsync(Delivery delivery, in EventKey key, ReplayRules rules, ResilientReplayStore? link, CancellationToken cancellationToken)
    {
        var owner = _owners.Next();
        if (!_memory.TryClaim(key, owner, rules.Lease, out var answer))
        {
            return new(WithoutRoom(delivery, key, owner, rules, link));
        }

        return answer.State switch
        {
            ClaimState.Done => new(Duplicate(delivery, answer.Trace)),
            ClaimState.Claimed when link is null => new(Admit(delivery, key, owner, rules, null)),
            ClaimState.Claimed => ClaimRemotelyAsync(delivery, key, owner, rules, link, waited: false, cancellationToken),
            _ when !rules.Waits => new(InFlight("a copy is being delivered")),
            _ => WaitAsync(delivery, key, rules, link, cancellationToken),
        };
    }

    /// <summary>
    /// Forgets an event here and in every store, so that a provider's manual resend is delivered; answers whether anybody remembered it. Other
    /// instances forget what they delivered themselves only when asked too.
    /// </summary>
    /// <exception cref="ReplayStoreException">A store is away and may still remember.</exception>
    public async ValueTask<bool> ForgetAsync(EventKey key)
    {
        (ResilientReplayStore Link, long? UnusedSince)[] links;
        lock (_gate)
        {
            links = [.. _links.Values];
        }

        // Asked as well while it lasts, because a request under way may still have it; but it may be away for good, and nobody new asks it.
        var known = false;
        foreach (var (link, _) in links.Where(static entry => entry.UnusedSince is not null))
        {
            try
            {
                known |= await link.ForgetAsync(key);
            }
            catch (ReplayStoreException)
            {
                // Its own queue has forgotten the event, and that is all there was to do.
            }
        }

        return await ForgetAsync(key, [.. links.Where(static entry => entry.UnusedSince is null).Select(static entry => entry.Link)]) || known;
    }

    /// <summary>As <see cref="ForgetAsync(EventKey)"/>, in the stores given.</summary>
    public async ValueTask<bool> ForgetAsync(EventKey key, params IReadOnlyCollection<ResilientReplayStore> links)
    {
        var known = _memory.Forget(key);
        ReplayStoreException? fault = null;
        foreach (var link in links)
        {
            try
            {
                known |= await link.ForgetAsync(key);
            }
            catch (ReplayStoreException e)
            {
                // The others are asked all the same.
                fault ??= e;
            }
        }

        _waiting.WakeOne(key);
        if (fault is not null)
        {
            throw new ReplayStoreException(fault.Message, fault) { IsAway = fault.IsAway };
        }

        if (known)
        {
            _logger.ReplayForgotten(key.ToString());
        }

        return known;
    }

    /// <summary>What replay protection holds now, for the operator's eyes.</summary>
    public ReplayState State
    {
        get
        {
            var breaker = WorstBreaker();
            lock (_gate)
            {
                return new(
                    _memory.Count,
                    _links.Count(static entry => entry.Value.UnusedSince is null),
                    breaker,
                    _links.Values.Sum(static entry => entry.Link.Queued),
                    _memory.Capacity,
                    _memory.Evicted);
            }
        }
    }

    /// <summary>Writes back what stores are owed, for a few seconds at most, and closes connections. Call when the last delivery has ended.</summary>
    public async ValueTask DisposeAsync()
    {
        await _closing.DisposeAsync();
        ResilientReplayStore[] links;
        lock (_gate)
        {
            links = [.. _links.Values.Select(static entry => entry.Link)];
            _links.Clear();
        }

        await Task.WhenAll(links.Select(static link => link.DisposeAsync().AsTask()));
    }

    /// <summary>Ends a claim. Never throws, and knows of no cancellation: what the upstream did stays done when the sender has hung up.</summary>
    internal ValueTask SettleAsync(in EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore? link, ForwardOutcome outcome)
    {
        if (outcome.Accepted)
        {
            // Unconditional, whoever holds the key by now. The memory comes first: from here on copies are answered, whatever the store does.
            _memory.TryCommit(key, outcome.Status, rules.Ttl, outcome.Trace);
            _waiting.WakeAll(key);
            if (link is null && _memory.Evicted > Volatile.Read(ref _forgottenUntold))
            {
                SayFull();
            }

            return link is null ? default : link.CommitAsync(key, outcome.Status, rules.Ttl, outcome.Trace);
        }

        if (link is null)
        {
            GiveUp(key, owner);
            return default;
        }

        return ReleaseEverywhereAsync(key, owner, rules, link);
    }

    internal void Return(ReplayClaim claim) => _claims.Return(claim);

    private async ValueTask ReleaseEverywhereAsync(EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore link)
    {
        // The store first: a copy waiting here is to find the key free there too.
        await link.ReleaseAsync(key, owner, rules.Lease);
        GiveUp(key, owner);
    }

    private async ValueTask<Verdict> WaitAsync(Delivery delivery, EventKey key, ReplayRules rules, ResilientReplayStore? link, CancellationToken cancellationToken)
    {
        var begin = Begin(delivery);
        var counted = false;
        while (true)
        {
            var owner = _owners.Next();
            if (!_waiting.TryClaimOrSit(_memory, key, owner, rules.Lease, out var answer, out var seat))
            {
                if (rules.Closed)
                {
                    // Refused below without a claim whose end would wake the next.
                    _waiting.WakeOne(key);
                }

                return WithoutRoom(delivery, key, owner, rules, link);
            }

            if (answer.State == ClaimState.Done)
            {
                return Duplicate(delivery, answer.Trace);
            }

            if (answer.State == ClaimState.Claimed)
            {
                if (IsTooLate(begin, rules))
                {
                    GiveUp(key, owner);
                    return TooLate();
                }

                return link is null
                    ? Admit(delivery, key, owner, rules, null)
                    : await ClaimRemotelyAsync(delivery, key, owner, rules, link, waited: true, cancellationToken);
            }

            if (seat is null)
            {
                return InFlight("as many copies as may wait are waiting already");
            }

            if (!counted)
            {
                counted = true;
                _metrics.Waited();
            }

            try
            {
                var left = rules.Timeout - _time.GetElapsedTime(begin);
                await seat.Task.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time, cancellationToken);
            }
            catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
            {
                if (!_waiting.Leave(key, seat))
                {
                    _waiting.WakeOne(key);
                }

                if (exception is OperationCanceledException)
                {
                    throw;
                }

                return InFlight("the copy being delivered did not finish in time");
            }
        }
    }

    /// <summary>The key is ours in this process; is it in the store?</summary>
    private async ValueTask<Verdict> ClaimRemotelyAsync(
        Delivery delivery, EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore link, bool waited, CancellationToken cancellationToken)
    {
        var answer = await link.ClaimAsync(key, owner, rules.Lease);
        if (answer is { State: ClaimState.InFlight } held && _owners.IsOurs(held.Owner))
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
            return TooLate();
        }

        return answer switch
        {
            { State: ClaimState.Claimed } => Admit(delivery, key, owner, rules, link),
            { State: ClaimState.Done } done => DeliveredElsewhere(delivery, key, done),
            { State: ClaimState.InFlight } => await PollAsync(delivery, key, owner, rules, link, cancellationToken),
            _ when !rules.Closed => AdmitWithoutStore(delivery, key, owner, rules, link),
            null => await RefuseAsync(key, owner, rules, link, "the replay store is away and the route is closed then"),
            _ => await RefuseAsync(key, owner, rules, link, "what the replay store holds under this event's key is not ours, and the route is closed then"),
        };
    }

    /// <summary>Another instance is delivering the event. Copies in this process wait for us meanwhile.</summary>
    private async ValueTask<Verdict> PollAsync(Delivery delivery, EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore link, CancellationToken cancellationToken)
    {
        var begin = Begin(delivery);
        var pause = s_firstPoll;
        var unsure = false;
        var tooLate = false;
        _metrics.Waited();
        try
        {
            while (rules.Waits && rules.Timeout - _time.GetElapsedTime(begin) is var left && left >= s_shortestWait)
            {
                await Task.Delay(pause < left ? pause : left, _time, cancellationToken);
                pause = pause * 1.5 < s_longestPoll ? pause * 1.5 : s_longestPoll;
                var answer = await link.ClaimAsync(key, owner, rules.Lease);
                if (answer?.State == ClaimState.Claimed || answer is { State: ClaimState.InFlight } held && held.Owner == owner)
                {
                    // The second case: an earlier poll took the key and its answer was lost.
                    if (!IsTooLate(begin, rules))
                    {
                        return Admit(delivery, key, owner, rules, link);
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
        return tooLate ? TooLate() : InFlight("another instance is delivering it and did not finish in time");
    }

    private async ValueTask<Verdict> RefuseAsync(EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore link, string detail)
    {
        // The claim may yet arrive, and would block the event for a lease.
        await GiveUpAsync(key, owner, rules, link, alsoInStore: true);
        _metrics.Claim("store_down");
        return Verdict.Reject(RejectReason.ReplayStoreDown, detail, s_retryStore);
    }

    private async ValueTask GiveUpAsync(EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore link, bool alsoInStore)
    {
        if (alsoInStore)
        {
            await link.ReleaseAsync(key, owner, rules.Lease);
        }

        GiveUp(key, owner);
    }

    private void GiveUp(in EventKey key, ulong owner)
    {
        _memory.Release(key, owner);
        _waiting.WakeOne(key);
    }

    private Verdict DeliveredElsewhere(Delivery delivery, in EventKey key, in ClaimAnswer done)
    {
        _memory.TryCommit(key, done.Status, s_rememberOthers, done.Trace);
        _waiting.WakeAll(key);
        return Duplicate(delivery, done.Trace);
    }

    private Verdict AdmitWithoutStore(Delivery delivery, in EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore? link)
    {
        delivery.ReplayStoreSkipped = true;
        _metrics.Claim("store_skipped");
        return Open(delivery, key, owner, rules, link);
    }

    private Verdict WithoutRoom(Delivery delivery, in EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore? link)
    {
        if (!rules.Closed)
        {
            return AdmitWithoutStore(delivery, key, owner, rules, link);
        }

        _metrics.Claim("store_down");
        return Verdict.Reject(RejectReason.ReplayStoreDown, "the replay memory is full of deliveries in flight", s_retryStore);
    }

    private Verdict Admit(Delivery delivery, in EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore? link)
    {
        _metrics.Claim("claimed");
        return Open(delivery, key, owner, rules, link);
    }

    private Verdict Open(Delivery delivery, in EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore? link)
    {
        var claim = _claims.Get();
        claim.Open(key, owner, rules, link);
        delivery.Claim = claim;
        return Verdict.Pass;
    }

    private Verdict Duplicate(Delivery delivery, TraceRef first)
    {
        delivery.FirstTrace = first;
        _metrics.Claim("duplicate");
        return Verdict.Reject(RejectReason.Duplicate);
    }

    private Verdict InFlight(string detail)
    {
        _metrics.Claim("in_flight");
        return Verdict.Reject(RejectReason.DuplicateInFlight, detail, s_retryInFlight);
    }

    private Verdict TooLate() => InFlight("the copy before it failed, and too little time is left to deliver this one");

    private bool IsTooLate(long begin, ReplayRules rules) => rules.Timeout - _time.GetElapsedTime(begin) < s_leastToTakeOver;

    private void SayFull()
    {
        if (Interlocked.Exchange(ref _forgottenUntold, long.MaxValue) != long.MaxValue)
        {
            _logger.ReplayMemoryForgets(_memory.Capacity);
        }
    }

    private long Begin(Delivery delivery) => delivery.BodyCompletedAt != 0 ? delivery.BodyCompletedAt : _time.GetTimestamp();

    private long Sum(Func<ResilientReplayStore, long> of)
    {
        lock (_gate)
        {
            return _links.Values.Sum(entry => of(entry.Link));
        }
    }

    private int WorstBreaker()
    {
        lock (_gate)
        {
            // A link that is only waiting for its end, after its server or password changed, is nobody's fault any more.
            return _links.Values.Where(static entry => entry.UnusedSince is null).Select(static entry => entry.Link.BreakerState).DefaultIfEmpty(0).Max();
        }
    }

    private sealed class ClaimPolicy(ReplayGuard guard) : IPooledObjectPolicy<ReplayClaim>
    {
        public ReplayClaim Create() => new(guard);

        public bool Return(ReplayClaim obj) => true;
    }
}
