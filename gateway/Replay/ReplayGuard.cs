using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Replay;

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
    private readonly MemoryReplayStore _memory;
    private readonly TimeProvider _time;
    private readonly ReplayMetrics _metrics;
    private readonly ILogger<ReplayGuard> _logger;
    private readonly OwnerTokens _owners;
    private readonly DuplicateWaitQueue _waiting = new();
    private readonly ReplayVerdicts _verdicts;
    private readonly SharedClaims _shared;

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
        _verdicts = new(this, metrics);
        _shared = new(memory, _waiting, _owners, _verdicts, metrics, time);
        Links = new(time, metrics, logger);
        metrics.Observe(() => _memory.Count, () => _memory.Capacity, () => _memory.Evicted, () => Links.Queued, () => Links.WorstBreaker());
    }

    /// <summary>The shared stores behind this process's memory.</summary>
    public ReplayLinks Links { get; }

    /// <summary>Why <see cref="Connect"/> would not take it, without repeating it; null when it would. Says nothing of whether anybody listens there.</summary>
    public static string? AddressFault(Secret connection) =>
        RedisAddress.TryParse(Encoding.UTF8.GetString(connection.Value), out _, out var fault) ? null : fault;

    /// <summary>How many events this process remembers at most, from now on; what is too much goes little by little.</summary>
    public void Remember(int events)
    {
        if (events != _memory.Capacity)
        {
            _memory.Capacity = events;
            Volatile.Write(ref _forgottenUntold, _memory.Evicted);
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
            return new(_verdicts.WithoutRoom(delivery, key, owner, rules, link));
        }

        return answer.State switch
        {
            ClaimState.Done => new(_verdicts.Duplicate(delivery, answer.Trace)),
            ClaimState.Claimed when link is null => new(_verdicts.Admit(delivery, key, owner, rules, null)),
            ClaimState.Claimed => _shared.ClaimAsync(delivery, key, owner, rules, link, waited: false, cancellationToken),
            _ when !rules.Waits => new(_verdicts.InFlight("a copy is being delivered")),
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
        var links = Links.All;

        // Asked as well while it lasts, because a request under way may still have it; but it may be away for good, and nobody new asks it.
        var known = false;
        foreach (var (link, _) in links.Where(static entry => entry.IsRetired))
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

        return await ForgetAsync(key, [.. links.Where(static entry => !entry.IsRetired).Select(static entry => entry.Link)]) || known;
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
    public ReplayState State => new(_memory.Count, Links.Count, Links.WorstBreaker(), Links.Queued, _memory.Capacity, _memory.Evicted);

    /// <summary>Writes back what stores are owed, for a few seconds at most, and closes connections. Call when the last delivery has ended.</summary>
    public ValueTask DisposeAsync() => Links.DisposeAsync();

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
            _shared.GiveUp(key, owner);
            return default;
        }

        return ReleaseEverywhereAsync(key, owner, rules, link);
    }

    internal void Return(ReplayClaim claim) => _verdicts.Return(claim);

    private async ValueTask ReleaseEverywhereAsync(EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore link)
    {
        // The store first: a copy waiting here is to find the key free there too.
        await link.ReleaseAsync(key, owner, rules.Lease);
        _shared.GiveUp(key, owner);
    }

    private async ValueTask<Verdict> WaitAsync(Delivery delivery, EventKey key, ReplayRules rules, ResilientReplayStore? link,
        CancellationToken cancellationToken)
    {
        var begin = _shared.Begin(delivery);
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

                return _verdicts.WithoutRoom(delivery, key, owner, rules, link);
            }

            if (answer.State == ClaimState.Done)
            {
                return _verdicts.Duplicate(delivery, answer.Trace);
            }

            if (answer.State == ClaimState.Claimed)
            {
                if (_shared.IsTooLate(begin, rules))
                {
                    _shared.GiveUp(key, owner);
                    return _verdicts.TooLate();
                }

                return link is null
                    ? _verdicts.Admit(delivery, key, owner, rules, null)
                    : await _shared.ClaimAsync(delivery, key, owner, rules, link, waited: true, cancellationToken);
            }

            if (seat is null)
            {
                return _verdicts.InFlight("as many copies as may wait are waiting already");
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

                return _verdicts.InFlight("the copy being delivered did not finish in time");
            }
        }
    }

    private void SayFull()
    {
        if (Interlocked.Exchange(ref _forgottenUntold, long.MaxValue) != long.MaxValue)
        {
            _logger.ReplayMemoryForgets(_memory.Capacity);
        }
    }
}
