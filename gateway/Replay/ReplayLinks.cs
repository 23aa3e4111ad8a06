using System.Text;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>
/// The shared stores of this process, one for each Redis that is named. A reload says which are in use; others are flushed and closed once no request can hold
/// them.
/// </summary>
internal sealed class ReplayLinks : IAsyncDisposable
{
    // Longer than any request that still holds a policy with a link no longer in use.
    private static readonly TimeSpan s_retireAfter = TimeSpan.FromMinutes(10);

    private readonly TimeProvider _time;
    private readonly ReplayMetrics _metrics;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (ResilientReplayStore Link, long? UnusedSince)> _links = [];
    private readonly ITimer _closing;

    public ReplayLinks(TimeProvider time, ReplayMetrics metrics, ILogger logger)
    {
        _time = time;
        _metrics = metrics;
        _logger = logger;
        _closing = time.CreateTimer(static state => _ = ((ReplayLinks)state!).CloseUnusedAsync(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Links in use; those that wait for their end are not counted.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _links.Count(static entry => entry.Value.UnusedSince is null);
            }
        }
    }

    /// <summary>Markers waiting for a store to come back.</summary>
    public int Queued
    {
        get
        {
            lock (_gate)
            {
                return _links.Values.Sum(static entry => entry.Link.Queued);
            }
        }
    }

    /// <summary>All links, each with whether it only waits for its end.</summary>
    public IReadOnlyList<(ResilientReplayStore Link, bool IsRetired)> All
    {
        get
        {
            lock (_gate)
            {
                return [.. _links.Values.Select(static entry => (entry.Link, entry.UnusedSince is not null))];
            }
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

    public int WorstBreaker()
    {
        lock (_gate)
        {
            // A link that is only waiting for its end, after its server or password changed, is nobody's fault any more.
            return _links.Values.Where(static entry => entry.UnusedSince is null).Select(static entry => entry.Link.BreakerState).DefaultIfEmpty(0).Max();
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
}
