using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>A marker the store has not got yet.</summary>
/// <param name="Owner">Whose claim is given up; 0 for a commit, which is nobody's.</param>
/// <param name="Until">Timestamp after which it means nothing any more.</param>
internal readonly record struct Owed(bool IsCommit, int Status, ulong Owner, long Until, TraceRef Trace = default);

/// <summary>
/// What is to be written once a store is back: of each event the newest commit, and a release for each owner that gave it up, because a store lets each
/// owner take back its own claim
/// only. Bounded; emptied by a loop of its own that lives while there is something to write.
/// </summary>
/// <param name="sendAsync">One marker to the store. False when it did not arrive; never throws.</param>
/// <param name="breaker">Asked before each round: the round is also the probe that closes it when no delivery comes by.</param>
internal sealed class WriteBackQueue(Func<EventKey, Owed, ValueTask<bool>> sendAsync, StoreBreaker breaker, TimeProvider time, ReplayMetrics metrics,
    ILogger logger)
    : IAsyncDisposable
{
    /// <summary>Markers kept for a store that is away; more are dropped, with a metric and a log line.</summary>
    public const int Limit = 10_000;

    private const int BatchSize = 128;

    // Deliveries whose direct write may still be on its way: a few hundred milliseconds' worth of forgetting by hand.
    private const int ForgottenLimit = 256;
    private static readonly TimeSpan s_retryEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_flushFor = TimeSpan.FromSeconds(3);

    private readonly Lock _gate = new();
    private readonly Dictionary<(EventKey Key, ulong Owner), Owed> _owed = [];
    private readonly Queue<EventKey> _forgottenOrder = [];
    private readonly Dictionary<EventKey, long> _forgotten = [];
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly CancellationTokenSource _stopping = new();
    private Task _drain = Task.CompletedTask;
    private bool _draining;
    private long _moment;
    private WriteBackQueue? _successor;

    /// <summary>Markers waiting for the store.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _owed.Count;
            }
        }
    }

    /// <summary>A point in the order of what is forgotten, to be taken before a marker is first sent and given to <see cref="Add"/> when that failed.</summary>
    public long Moment => Volatile.Read(ref _moment);

    /// <param name="since">The <see cref="Moment"/> before it was first sent: an event forgotten since then is not to be remembered again.</param>
    public void Add(EventKey key, Owed owed, long since)
    {
        WriteBackQueue? successor;
        lock (_gate)
        {
            // A delivery is a fact, and its marker replaces whatever claim is still there: that somebody gave up besides is not worth a place.
            if ((_forgotten.TryGetValue(key, out var at) && at > since) || (!owed.IsCommit && _owed.ContainsKey((key, 0))))
            {
                return;
            }

            successor = owed.IsCommit ? _successor : null;
            if (successor is null && (_owed.Count < Limit || _owed.ContainsKey((key, owed.Owner))))
            {
                _owed[(key, owed.Owner)] = owed;
                if (!_draining && !_stopping.IsCancellationRequested)
                {
                    _draining = true;
                    _drain = Task.Run(DrainAsync);
                }

                return;
            }
        }

        if (successor is not null)
        {
            successor.Add(key, owed, successor.Moment);
            return;
        }

        metrics.WriteBackDropped();
        logger.ReplayWriteBackFull(Limit);
    }

    /// <summary>
    /// Gives all commits, those that are still to come too, to the queue of the link that takes this one's place: a password that was rotated, or a server that
    /// moved, would leave them here for good. A commit that arrives twice says the same twice. Releases stay: a claim is the server's on which it was made.
    /// </summary>
    public void HandOver(WriteBackQueue successor)
    {
        List<KeyValuePair<(EventKey Key, ulong Owner), Owed>> commits;
        lock (_gate)
        {
            _successor = successor;
            commits = [.. _owed.Where(static entry => entry.Value.IsCommit)];
            foreach (var commit in commits)
            {
                _owed.Remove(commit.Key);
            }
        }

        foreach (var (slot, commit) in commits)
        {
            successor.Add(slot.Key, commit, successor.Moment);
        }
    }

    /// <summary>Keeps what comes from now on: the link is in use again.</summary>
    public void TakeBack()
    {
        lock (_gate)
        {
            _successor = null;
        }
    }

    /// <summary>
    /// Takes an event off the queue. Returns when no marker of it is on its way from here any more, so that what the caller then asks of the store comes
    /// after it; answers whether there was one.
    /// </summary>
    public async Task<bool> ForgetAsync(EventKey key)
    {
        await _sending.WaitAsync(CancellationToken.None);
        try
        {
            lock (_gate)
            {
                _forgotten[key] = ++_moment;
                _forgottenOrder.Enqueue(key);
                if (_forgottenOrder.Count > ForgottenLimit)
                {
                    _forgotten.Remove(_forgottenOrder.Dequeue());
                }

                var known = false;
                foreach (var slot in _owed.Keys.Where(slot => slot.Key.Equals(key)).ToArray())
                {
                    known |= _owed.Remove(slot, out var owed) && owed.IsCommit;
                }

                return known;
            }
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Writes what it can for up to three seconds; what is left then is lost, and told.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        Task drain;
        lock (_gate)
        {
            drain = _drain;
        }

        await drain.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var begin = time.GetTimestamp();
        while (Count > 0 && time.GetElapsedTime(begin) < s_flushFor)
        {
            if (await SendAsync(BatchSize) == 0)
            {
                await Task.Delay(s_retryEvery, time, CancellationToken.None);
            }
        }

        if (Count is > 0 and var lost)
        {
            logger.ReplayWriteBackLost(lost);
        }

        _stopping.Dispose();
        _sending.Dispose();
    }

    private async Task DrainAsync()
    {
        var written = 0;
        while (true)
        {
            lock (_gate)
            {
                if (_owed.Count == 0 || _stopping.IsCancellationRequested)
                {
                    _draining = false;
                    break;
                }
            }

            var sent = 0;
            if (breaker.TryEnter())
            {
                sent = await SendAsync(1);

                // Also when that one failed: what the store will not take must not keep back the others.
                sent += breaker.State == 0 ? await SendAsync(BatchSize) : 0;
            }

            written += sent;
            if (sent == 0)
            {
                await Task.Delay(s_retryEvery, time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        if (written > 0)
        {
            logger.ReplayWriteBackDone(written);
        }
    }

    /// <summary>
    /// Sends up to <paramref name="size"/> markers at once; answers how many arrived. What arrived and has not changed since leaves the queue.
    /// </summary>
    private async Task<int> SendAsync(int size)
    {
        await _sending.WaitAsync(CancellationToken.None);
        try
        {
            var batch = new List<KeyValuePair<(EventKey Key, ulong Owner), Owed>>(size);
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
                breaker.Abandon();
            }

            var sending = new Task<bool>[batch.Count];
            for (var i = 0; i < sending.Length; i++)
            {
                sending[i] = sendAsync(batch[i].Key.Key, batch[i].Value).AsTask();
            }

            var sent = await Task.WhenAll(sending);
            var arrived = 0;
            lock (_gate)
            {
                for (var i = 0; i < sent.Length; i++)
                {
                    arrived += sent[i] ? 1 : 0;
                    if (sent[i] && _owed.TryGetValue(batch[i].Key, out var now) && now == batch[i].Value)
                    {
                        _owed.Remove(batch[i].Key);
                    }
                }
            }

            return arrived;
        }
        finally
        {
            _sending.Release();
        }
    }
}
