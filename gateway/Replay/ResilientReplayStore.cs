using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>
/// The way to a store outside this process: a breaker in front of it, and a queue of markers to write once it is back. Nothing here throws at
/// a delivery; a store that is away is an answer.
/// </summary>
internal sealed class ResilientReplayStore : IAsyncDisposable
{
    /// <summary>Markers kept for a store that is away; more are dropped, with a metric and a log line.</summary>
    public const int WriteBackLimit = WriteBackQueue.Limit;

    private readonly IReplayStore _store;
    private readonly TimeProvider _time;
    private readonly ReplayMetrics _metrics;
    private readonly ILogger _logger;
    private readonly StoreBreaker _breaker;
    private readonly WriteBackQueue _queue;
    private readonly LogInterval _nonsense;

    /// <param name="store">Disposed with the link.</param>
    public ResilientReplayStore(IReplayStore store, TimeProvider time, ReplayMetrics metrics, ILogger logger, Random jitter)
    {
        _store = store;
        _time = time;
        _metrics = metrics;
        _logger = logger;
        _breaker = new(time, jitter);
        _queue = new(TrySendAsync, _breaker, time, metrics, logger);
        _nonsense = new(time, TimeSpan.FromMinutes(1));
    }

    /// <summary>Markers waiting for the store.</summary>
    public int Queued => _queue.Count;

    /// <summary>Gives what the store is still owed to the link that takes this one's place; null when this one is in use again.</summary>
    public void HandOver(ResilientReplayStore? successor)
    {
        if (successor is null)
        {
            _queue.TakeBack();
        }
        else
        {
            _queue.HandOver(successor._queue);
        }
    }

    /// <summary>0 closed, 1 half-open, 2 open.</summary>
    public int BreakerState => _breaker.State;

    /// <summary>The store's answer; null when it is away, and then whether the claim took effect is unknown.</summary>
    public async ValueTask<ClaimAnswer?> ClaimAsync(EventKey key, ulong owner, TimeSpan lease)
    {
        if (!_breaker.TryEnter())
        {
            return null;
        }

        try
        {
            var answer = await _store.ClaimAsync(key, owner, lease);
            Succeeded();
            return answer;
        }
        catch (Exception exception)
        {
            return Failed("claim", exception) ? null : new ClaimAnswer(ClaimState.Unknown);
        }
    }

    /// <summary>Remembers the delivery, now or once the store is back.</summary>
    public ValueTask CommitAsync(EventKey key, int status, TimeSpan ttl, TraceRef trace = default) =>
        SettleAsync(key, new(true, status, 0, _time.After(_time.GetTimestamp(), ttl), trace));

    /// <summary>Gives the key up, now or once the store is back; pointless after <paramref name="lease"/>, when it has expired by itself.</summary>
    public ValueTask ReleaseAsync(EventKey key, ulong owner, TimeSpan lease) =>
        SettleAsync(key, new(false, 0, owner, _time.After(_time.GetTimestamp(), lease)));

    /// <inheritdoc cref="IReplayStore.ForgetAsync"/>
    /// <exception cref="ReplayStoreException">The store is away: the key may still be there. A queued marker is forgotten all the same.</exception>
    public async ValueTask<bool> ForgetAsync(EventKey key)
    {
        var wasQueued = await _queue.ForgetAsync(key);
        try
        {
            // Asked of the store whatever the breaker says: an operator is waiting for a true answer.
            var known = await _store.ForgetAsync(key);
            Succeeded();
            return known || wasQueued;
        }
        catch (Exception exception)
        {
            Failed("forget", exception);
            throw exception as ReplayStoreException ?? new ReplayStoreException("unexpected fault", exception);
        }
    }

    /// <summary>Writes back what is owed for up to three seconds, then closes the store.</summary>
    public async ValueTask DisposeAsync()
    {
        await _queue.DisposeAsync();
        switch (_store)
        {
            case IAsyncDisposable closable:
                await closable.DisposeAsync();
                break;
            case IDisposable closable:
                closable.Dispose();
                break;
        }
    }

    private async ValueTask SettleAsync(EventKey key, Owed owed)
    {
        var moment = _queue.Moment;
        if (!_breaker.TryEnter() || !await TrySendAsync(key, owed))
        {
            if (owed.IsCommit)
            {
                _metrics.CommitFailed();
            }

            _queue.Add(key, owed, moment);
        }
    }

    private async ValueTask<bool> TrySendAsync(EventKey key, Owed owed)
    {
        try
        {
            var left = _time.GetElapsedTime(_time.GetTimestamp(), owed.Until);
            if (left < TimeSpan.FromMilliseconds(1))
            {
                // Means nothing any more: the store is spared, and learns nothing about itself.
                _breaker.Abandon();
                return true;
            }

            if (owed.IsCommit)
            {
                await _store.CommitAsync(key, owed.Status, left, owed.Trace);
            }
            else
            {
                await _store.ReleaseAsync(key, owed.Owner);
            }

            Succeeded();
            return true;
        }
        catch (Exception exception)
        {
            // A release of what is no claim of ours has nothing to give up.
            return !Failed(owed.IsCommit ? "commit" : "release", exception) && !owed.IsCommit;
        }
    }

    private void Succeeded()
    {
        if (_breaker.Succeeded())
        {
            _logger.ReplayStoreBack();
        }
    }

    /// <summary>Whether the store is away; otherwise it answered, and is not to be spared.</summary>
    private bool Failed(string operation, Exception exception)
    {
        // Only our own exception has a message known to hold no key and no credential.
        var fault = exception is ReplayStoreException ? exception.Message : exception.GetType().Name;
        _metrics.StoreError(operation);
        if (exception is ReplayStoreException { IsAway: false })
        {
            Succeeded();
            if (_nonsense.TryEnter(out var unsaid))
            {
                _logger.ReplayStoreAnswersNonsense(operation, fault, unsaid);
            }

            return false;
        }

        if (_breaker.Failed(out var pause))
        {
            _logger.ReplayStoreAway(operation, fault, pause);
        }

        return true;
    }
}
