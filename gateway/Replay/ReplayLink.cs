using WebhookEdge.Observability;

namespace WebhookEdge.Replay;

/// <summary>
/// The way to a store outside this process: a breaker in front of it, and a queue of markers to write once it is back. Nothing here throws at
/// a delivery; a store that is away is an answer.
/// </summary>
internal sealed class ReplayLink : IAsyncDisposable
{
    /// <summary>Markers kept for a store that is away; more are dropped, with a metric and a log line.</summary>
    public const int WriteBackLimit = 10_000;

    private const int BatchSize = 128;
    private static readonly TimeSpan s_retryEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_flushFor = TimeSpan.FromSeconds(3);

    private readonly IReplayStore _store;
    private readonly TimeProvider _time;
    private readonly ReplayMetrics _metrics;
    private readonly ILogger _logger;
    private readonly StoreBreaker _breaker;
    private readonly Lock _gate = new();
    private readonly Dictionary<ReplayKey, Owed> _owed = [];
    private readonly CancellationTokenSource _stopping = new();
    private Task _drain = Task.CompletedTask;
    private bool _draining;

    /// <param name="store">Disposed with the link.</param>
    public ReplayLink(IReplayStore store, TimeProvider time, ReplayMetrics metrics, ILogger logger, Random jitter)
    {
        _store = store;
        _time = time;
        _metrics = metrics;
        _logger = logger;
        _breaker = new(time, jitter);
    }

    /// <summary>Markers waiting for the store.</summary>
    public int Queued
    {
        get
        {
            lock (_gate)
            {
                return _owed.Count;
            }
        }
    }

    /// <summary>0 closed, 1 half-open, 2 open.</summary>
    public int BreakerState => _breaker.State;

    /// <summary>The store's answer; null when it is away, and then whether the claim took effect is unknown.</summary>
    public async ValueTask<ClaimAnswer?> ClaimAsync(ReplayKey key, ulong owner, TimeSpan lease)
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
            Failed("claim", exception);
            return null;
        }
    }

    /// <summary>Remembers the delivery, now or once the store is back.</summary>
    public ValueTask CommitAsync(ReplayKey key, int status, TimeSpan ttl, TraceRef trace = default) => SettleAsync(key, new(true, status, 0, _time.After(_time.GetTimestamp(), ttl), trace));

    /// <summary>Gives the key up, now or once the store is back; pointless after <paramref name="lease"/>, when it has expired by itself.</summary>
    public ValueTask ReleaseAsync(ReplayKey key, ulong owner, TimeSpan lease) => SettleAsync(key, new(false, 0, owner, _time.After(_time.GetTimestamp(), lease)));

    /// <inheritdoc cref="IReplayStore.ForgetAsync"/>
    /// <exception cref="ReplayStoreException">The store is away: the key may still be there. A queued marker is forgotten all the same.</exception>
    public async ValueTask<bool> ForgetAsync(ReplayKey key)
    {
        bool wasQueued;
        lock (_gate)
        {
            wasQueued = _owed.Remove(key);
        }

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
        await _stopping.CancelAsync();
        Task drain;
        lock (_gate)
        {
            drain = _drain;
        }

        await drain.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var begin = _time.GetTimestamp();
        while (Queued > 0 && _time.GetElapsedTime(begin) < s_flushFor)
        {
            if (!await SendBatchAsync(BatchSize))
            {
                await Task.Delay(s_retryEvery, _time, CancellationToken.None);
            }
        }

        if (Queued is > 0 and var lost)
        {
            _logger.ReplayWriteBackLost(lost);
        }

        switch (_store)
        {
            case IAsyncDisposable closable:
                await closable.DisposeAsync();
                break;
            case IDisposable closable:
                closable.Dispose();
                break;
        }

        _stopping.Dispose();
    }

    private async ValueTask SettleAsync(ReplayKey key, Owed owed)
    {
        if (!_breaker.TryEnter() || !await TrySendAsync(key, owed))
        {
            if (owed.IsCommit)
            {
                _metrics.CommitFailed();
            }

            Enqueue(key, owed);
        }
    }

    private async ValueTask<bool> TrySendAsync(ReplayKey key, Owed owed)
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
            Failed(owed.IsCommit ? "commit" : "release", exception);
            return false;
        }
    }

    private void Enqueue(ReplayKey key, Owed owed)
    {
        var refused = false;
        lock (_gate)
        {
            if (_owed.TryGetValue(key, out var earlier))
            {
                // A delivery is a fact; that somebody gave up is not worth more.
                _owed[key] = earlier.IsCommit && !owed.IsCommit ? earlier : owed;
            }
            else if (_owed.Count < WriteBackLimit)
            {
                _owed.Add(key, owed);
            }
            else
            {
                refused = true;
            }

            if (!_draining && !_stopping.IsCancellationRequested)
            {
                _draining = true;
                _drain = Task.Run(DrainAsync);
            }
        }

        if (refused)
        {
            _metrics.WriteBackDropped();
            _logger.ReplayWriteBackFull(WriteBackLimit);
        }
    }

    private async Task DrainAsync()
    {
        var written = 0;
        while (true)
        {
            int before;
            lock (_gate)
            {
                before = _owed.Count;
                if (before == 0 || _stopping.IsCancellationRequested)
                {
                    _draining = false;
                    break;
                }
            }

            // Also the probe that closes the breaker when no delivery comes by.
            if (_breaker.TryEnter() && await SendBatchAsync(1))
            {
                if (_breaker.State == 0)
                {
                    await SendBatchAsync(BatchSize);
                }

                written += Math.Max(0, before - Queued);
                continue;
            }

            await Task.Delay(s_retryEvery, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (written > 0)
        {
            _logger.ReplayWriteBackDone(written);
        }
    }

    /// <summary>Sends up to <paramref name="size"/> markers at once; false when any failed. What was sent and has not changed since leaves the queue.</summary>
    private async Task<bool> SendBatchAsync(int size)
    {
        var batch = new List<KeyValuePair<ReplayKey, Owed>>(size);
        lock (_gate)
        {
            foreach (var entry in _owed)
            {
                batch.Add(entry);
                if (batch.Count == size)
                {
                    break;
                }
            }
        }

        if (batch.Count == 0)
        {
            _breaker.Abandon();
        }

        var sending = new Task<bool>[batch.Count];
        for (var i = 0; i < sending.Length; i++)
        {
            sending[i] = TrySendAsync(batch[i].Key, batch[i].Value).AsTask();
        }

        var sent = await Task.WhenAll(sending);
        lock (_gate)
        {
            for (var i = 0; i < sent.Length; i++)
            {
                if (sent[i] && _owed.TryGetValue(batch[i].Key, out var now) && now == batch[i].Value)
                {
                    _owed.Remove(batch[i].Key);
                }
            }
        }

        return Array.TrueForAll(sent, static ok => ok);
    }

    private void Succeeded()
    {
        if (_breaker.Succeeded())
        {
            _logger.ReplayStoreBack();
        }
    }

    private void Failed(string operation, Exception exception)
    {
        _metrics.StoreError(operation);
        if (_breaker.Failed(out var pause))
        {
            // Only our own exception has a message known to hold no key and no credential.
            _logger.ReplayStoreAway(operation, exception is ReplayStoreException ? exception.Message : exception.GetType().Name, pause);
        }
    }

    /// <summary>A marker the store has not got yet.</summary>
    /// <param name="Until">Timestamp after which it means nothing any more.</param>
    private readonly record struct Owed(bool IsCommit, int Status, ulong Owner, long Until, TraceRef Trace = default);
}
