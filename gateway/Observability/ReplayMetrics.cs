using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>What replay protection does. The gauges are read from <see cref="Observe"/>'s functions when somebody collects.</summary>
internal sealed class ReplayMetrics
{
    private readonly Counter<long> _claims;
    private readonly Counter<long> _waits;
    private readonly Counter<long> _storeErrors;
    private readonly Counter<long> _commitFailures;
    private readonly Counter<long> _writeBackDropped;
    private Func<long> _keys = static () => 0;
    private Func<long> _queued = static () => 0;
    private Func<int> _breaker = static () => 0;

    public ReplayMetrics(Meter meter)
    {
        _claims = meter.CreateCounter<long>("webhookedge.replay.claims", "{claim}", "Claims by answer: claimed, duplicate, in_flight, store_down, store_skipped.");
        _waits = meter.CreateCounter<long>("webhookedge.replay.waits", "{delivery}", "Copies that waited for the outcome of another copy in flight.");
        _storeErrors = meter.CreateCounter<long>("webhookedge.replay.store_errors", "{error}", "Failed store calls by operation.");
        _commitFailures = meter.CreateCounter<long>("webhookedge.replay.commit_failures", "{commit}", "Accepted deliveries whose marker could not be stored at once.");
        _writeBackDropped = meter.CreateCounter<long>("webhookedge.replay.write_back_dropped", "{marker}", "Markers lost because the write-back queue was full.");
        meter.CreateObservableGauge("webhookedge.replay.memory_keys", () => _keys(), "{key}", "Keys remembered in this process.");
        meter.CreateObservableGauge("webhookedge.replay.write_back_queue", () => _queued(), "{marker}", "Markers waiting for the store to come back.");
        meter.CreateObservableGauge("webhookedge.replay.breaker", () => _breaker(), null, "0 closed, 1 half-open, 2 open: the store is not asked.");
    }

    public void Observe(Func<long> memoryKeys, Func<long> writeBackQueue, Func<int> breaker)
    {
        _keys = memoryKeys;
        _queued = writeBackQueue;
        _breaker = breaker;
    }

    /// <param name="answer">One of the five constants named in the instrument's description.</param>
    public void Claim(string answer) => _claims.Add(1, new KeyValuePair<string, object?>("answer", answer));

    public void Waited() => _waits.Add(1);

    /// <param name="operation">claim, commit, release, forget.</param>
    public void StoreError(string operation) => _storeErrors.Add(1, new KeyValuePair<string, object?>("operation", operation));

    public void CommitFailed() => _commitFailures.Add(1);

    public void WriteBackDropped() => _writeBackDropped.Add(1);
}
