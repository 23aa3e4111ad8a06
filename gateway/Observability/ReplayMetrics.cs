using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>
/// What replay protection does, counted as plain numbers that are there from the start, so that a first increase shows. The gauges are read from
/// <see cref="Observe"/>'s functions when somebody collects.
/// </summary>
internal sealed class ReplayMetrics
{
    private static readonly string[] Answers = ["claimed", "duplicate", "in_flight", "store_down", "store_skipped"];

    private static readonly string[] Operations = ["claim", "commit", "release", "forget"];

    private readonly long[] _claims = new long[Answers.Length];
    private readonly long[] _storeErrors = new long[Operations.Length];
    private long _waits;
    private long _commitFailures;
    private long _writeBackDropped;
    private Func<long> _keys = static () => 0;
    private Func<long> _keysLimit = static () => 0;
    private Func<long> _evicted = static () => 0;
    private Func<long> _queued = static () => 0;
    private Func<int> _breaker = static () => 0;

    public ReplayMetrics(Meter meter)
    {
        meter.CreateObservableCounter("webhookedge.replay.claims", () => Read(_claims, "answer", Answers), "{claim}",
            "Claims by answer: claimed, duplicate, in_flight, store_down, store_skipped.");
        meter.CreateObservableCounter("webhookedge.replay.waits", () => Volatile.Read(ref _waits), "{delivery}",
            "Copies that waited for the outcome of another copy in flight.");
        meter.CreateObservableCounter("webhookedge.replay.store_errors", () => Read(_storeErrors, "operation", Operations), "{error}",
            "Failed store calls by operation.");
        meter.CreateObservableCounter("webhookedge.replay.commit_failures", () => Volatile.Read(ref _commitFailures), "{commit}",
            "Accepted deliveries whose marker could not be stored at once.");
        meter.CreateObservableCounter("webhookedge.replay.write_back_dropped", () => Volatile.Read(ref _writeBackDropped), "{marker}",
            "Markers lost because the write-back queue was full.");
        meter.CreateObservableGauge("webhookedge.replay.memory_keys", () => _keys(), "{key}", "Keys remembered in this process.");
        meter.CreateObservableGauge("webhookedge.replay.memory_keys_limit", () => _keysLimit(), "{key}", "Keys remembered in this process at most.");
        meter.CreateObservableCounter("webhookedge.replay.memory_evictions", () => _evicted(), "{key}",
            "Keys of this process forgotten before their time, because its memory was full.");
        meter.CreateObservableGauge("webhookedge.replay.write_back_queue", () => _queued(), "{marker}", "Markers waiting for the store to come back.");
        meter.CreateObservableGauge("webhookedge.replay.breaker", () => _breaker(), null, "0 closed, 1 half-open, 2 open: the store is not asked.");
    }

    public void Observe(Func<long> memoryKeys, Func<long> memoryLimit, Func<long> memoryEvictions, Func<long> writeBackQueue, Func<int> breaker)
    {
        _keys = memoryKeys;
        _keysLimit = memoryLimit;
        _evicted = memoryEvictions;
        _queued = writeBackQueue;
        _breaker = breaker;
    }

    /// <param name="answer">One of the five constants named in the instrument's description.</param>
    public void Claim(string answer) => Interlocked.Increment(ref _claims[Array.IndexOf(Answers, answer)]);

    public void Waited() => Interlocked.Increment(ref _waits);

    /// <param name="operation">claim, commit, release, forget.</param>
    public void StoreError(string operation) => Interlocked.Increment(ref _storeErrors[Array.IndexOf(Operations, operation)]);

    public void CommitFailed() => Interlocked.Increment(ref _commitFailures);

    public void WriteBackDropped() => Interlocked.Increment(ref _writeBackDropped);

    private static IEnumerable<Measurement<long>> Read(long[] numbers, string tag, string[] values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            yield return new(Volatile.Read(ref numbers[i]), new KeyValuePair<string, object?>(tag, values[i]));
        }
    }
}
