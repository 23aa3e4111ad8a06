using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>When a secret last matched, as an operator reads it.</summary>
/// <param name="SecretId">The reference, <c>env:NAME</c> or <c>file:/path</c>; never the value.</param>
/// <param name="WatchedSince">Since when it would have been noticed: the start of the process, or the reload that brought the secret.</param>
/// <param name="LastMatched">Null when it has not matched since then. Precise to a second.</param>
internal readonly record struct SecretLastUse(string Route, string SecretId, DateTimeOffset WatchedSince, DateTimeOffset? LastMatched);

/// <summary>One active secret of one route. A match costs a comparison, and a write once a second.</summary>
internal sealed class SecretRecord(string route, string secretId, TimeProvider time)
{
    private readonly long _second = time.TimestampFrequency;
    private long _lastMatched;

    public string Route => route;

    public string SecretId => secretId;

    /// <summary>The revision in force has it; one that was compiled and refused does not count.</summary>
    public bool IsActive { get; set; }

    public DateTimeOffset WatchedSince { get; } = time.GetUtcNow();

    /// <summary>When it last matched; null = never.</summary>
    public DateTimeOffset? LastMatched => Volatile.Read(ref _lastMatched) is not 0 and var at ? time.GetUtcNow() - time.GetElapsedTime(at) : null;

    /// <param name="timestamp">From <see cref="TimeProvider.GetTimestamp"/>: one the request has taken anyway, so that nobody asks the clock again.</param>
    public void Matched(long timestamp)
    {
        var last = Volatile.Read(ref _lastMatched);
        if (last == 0 || timestamp - last >= _second)
        {
            Volatile.Write(ref _lastMatched, timestamp == 0 ? 1 : timestamp);
        }
    }
}

/// <summary>
/// When each secret last matched, so that an operator knows when the old one of a rotation can go. By route and reference, outliving reloads; of this process
/// only.
/// </summary>
internal sealed class SecretUse
{
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<(string Route, string SecretId), SecretRecord> _records = new();

    public SecretUse(Meter meter, TimeProvider time)
    {
        _time = time;
        meter.CreateLiveGauge("webhookedge.secret.last_used_timestamp", "s",
            "When a secret last matched, as Unix time; 0 when it has not since the process started.", () =>
            All().Select(static use =>
                new Measurement<double>(use.LastMatched?.ToUnixTimeSeconds() ?? 0, new("route", use.Route),
                new KeyValuePair<string, object?>("secret", use.SecretId))));
    }

    /// <summary>Every active secret of every route, in order.</summary>
    public IReadOnlyList<SecretLastUse> All() =>
        [.. _records.Values.Where(static r => r.IsActive).Select(static r => new SecretLastUse(r.Route, r.SecretId, r.WatchedSince, r.LastMatched))
            .OrderBy(static u => u.Route, StringComparer.Ordinal).ThenBy(static u => u.SecretId, StringComparer.Ordinal)];

    /// <summary>The record of a secret; the same object in every revision that has it.</summary>
    public SecretRecord Of(string route, string secretId) =>
        _records.GetOrAdd((route, secretId), static (key, time) => new(key.Route, key.SecretId, time), _time);

    /// <summary>Says after a reload which secrets are active; the others are forgotten.</summary>
    public void Retain(IEnumerable<SecretRecord> active)
    {
        var kept = active.Select(static record => (record.Route, record.SecretId)).ToHashSet();
        foreach (var (key, record) in _records)
        {
            record.IsActive = kept.Contains(key);
            if (!record.IsActive)
            {
                _records.TryRemove(key, out _);
            }
        }
    }
}
