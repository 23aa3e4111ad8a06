using System.Threading.Channels;
using WebhookEdge.Observability;

namespace WebhookEdge.AllowLists;

/// <summary>
/// Every published list in use, by what it is: asking twice for the same gives the same object, so lists outlive configuration revisions and a reload
/// fetches nothing again. One document is fetched once, however many lists are cut from it. <see cref="RangeRefresher"/> keeps them current.
/// </summary>
internal sealed class AddressListPool
{
    private readonly RangeFetcher _fetcher;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly AddressMetrics _metrics;
    private readonly Random _random;
    private readonly Lock _lock = new();
    private readonly Dictionary<(RangeFormat Format, string Url), RangeFeed> _feeds = [];
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private volatile string? _stateDirectory;

    /// <param name="http">Must not follow redirects by itself; see <see cref="RangeFetcher.CreateClient"/>.</param>
    /// <param name="time">Clock of ages and of the schedule.</param>
    /// <param name="logger">Where changes and faults are told.</param>
    /// <param name="metrics">Gauges of this pool's lists are connected here.</param>
    /// <param name="random">Spreads retries; null = shared.</param>
    public AddressListPool(HttpMessageInvoker http, TimeProvider time, ILogger<AddressListPool> logger, AddressMetrics metrics, Random? random = null)
    {
        _fetcher = new RangeFetcher(http, time);
        _time = time;
        _logger = logger;
        _metrics = metrics;
        _random = random ?? Random.Shared;
        metrics.Watch(() => [.. All.Select(list => new AddressListReading(list.Name, list.Age, list.AlarmAfter, list.PrefixCount, list.LeftOut))]);
    }

    /// <summary>
    /// Folder for last-known-good copies; null = none are kept. Set it before asking for lists, which are restored from it when they are made.
    /// </summary>
    public string? StateDirectory
    {
        get => _stateDirectory;
        set => _stateDirectory = value;
    }

    public IReadOnlyCollection<AddressList> All => [.. Feeds.SelectMany(feed => feed.Lists)];

    internal IReadOnlyList<RangeFeed> Feeds
    {
        get
        {
            lock (_lock)
            {
                return [.. _feeds.Values];
            }
        }
    }

    /// <summary>The list asked for. For one document the schedule asked for last counts.</summary>
    public AddressList Get(AddressListNeed need)
    {
        RangeFeed? feed;
        lock (_lock)
        {
            if (!_feeds.TryGetValue((need.Format, need.Url), out feed))
            {
                feed = new RangeFeed(this, _fetcher, need.Format, need.Source, _time, _logger, _metrics, _random);
                _feeds.Add((need.Format, need.Url), feed);
            }

            feed.Refresh = need.Refresh;
            feed.AlarmAfter = need.AlarmAfter;
        }

        // Outside the lock: a new list is cut from megabytes that are read from disk here, while metrics and readiness ask for the lists there are.
        var list = feed.List(need.Name, need.Query);
        Wake();
        return list;
    }

    /// <summary>The AWS document in force, for telling unknown regions and services; null = not loaded, or not asked for.</summary>
    public AwsIpRanges? LoadedAws(string url)
    {
        RangeFeed? feed;
        lock (_lock)
        {
            _feeds.TryGetValue((RangeFormat.Aws, url), out feed);
        }

        return feed?.Document as AwsIpRanges;
    }

    /// <summary>Forgets the lists that no configuration in force uses. Requests that still run under an older one keep theirs as it is.</summary>
    public void Retain(IReadOnlySet<AddressList> inUse)
    {
        lock (_lock)
        {
            foreach (var (key, feed) in _feeds.ToList())
            {
                if (feed.Retain(inUse))
                {
                    _feeds.Remove(key);
                }
            }
        }
    }

    /// <summary>Makes the refresher look at its schedule again.</summary>
    internal void Wake() => _wake.Writer.TryWrite(true);

    /// <summary>Returns when <paramref name="wait"/> is over or something asked to be looked at.</summary>
    internal async Task WaitAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(_wake.Reader.WaitToReadAsync(over.Token).AsTask(), Task.Delay(wait, _time, over.Token));
        await over.CancelAsync();
        _wake.Reader.TryRead(out _);
    }
}
