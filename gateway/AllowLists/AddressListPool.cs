using System.Collections.Immutable;
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
    private readonly Dictionary<(RangeKind Kind, string Url), RangeFeed> _feeds = [];
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

    /// <summary>Folder for last-known-good copies; null = none are kept. Set it before asking for lists, which are restored from it when they are made.</summary>
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

    /// <summary>
    /// Networks of AWS in these regions that these services use; no services = <c>AMAZON</c>, which covers all. For one URL the schedule asked for last counts.
    /// </summary>
    /// <exception cref="ArgumentException">The URL is none a list may come from (<see cref="RangeSource.TryParse"/>), or there is no region.</exception>
    public AddressList Aws(string url, TimeSpan refresh, TimeSpan alarmAfter, IReadOnlyList<string> regions, IReadOnlyList<string> services)
    {
        if (regions.Count == 0)
        {
            throw new ArgumentException("a list of AWS networks needs a region", nameof(regions));
        }

        var query = new AddressQuery(Normalised(regions), services.Count == 0 ? AwsIpRanges.DefaultServices : Normalised(services), null);
        var name = "aws:" + string.Join(',', query.Regions) + (query.Services is ["AMAZON"] ? "" : ":" + string.Join(',', query.Services));
        return List(RangeKind.Aws, url, refresh, alarmAfter, name, query);
    }

    /// <summary>The addresses to which <paramref name="pointer"/> leads in a JSON document (<see cref="JsonListPointer"/>).</summary>
    /// <exception cref="ArgumentException">URL or pointer is not well formed.</exception>
    public AddressList Json(string url, string pointer, TimeSpan refresh, TimeSpan? alarmAfter = null)
    {
        if (!JsonListPointer.TryParse(pointer, out var parsed, out var fault))
        {
            throw new ArgumentException(fault, nameof(pointer));
        }

        return List(RangeKind.Json, url, refresh, alarmAfter ?? TimeSpan.FromDays(7), null, new AddressQuery([], [], parsed));
    }

    /// <summary>The AWS document in force, for telling unknown regions and services; null = not loaded, or not asked for.</summary>
    public AwsIpRanges? LoadedAws(string url)
    {
        RangeFeed? feed;
        lock (_lock)
        {
            _feeds.TryGetValue((RangeKind.Aws, url), out feed);
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

    private static ImmutableArray<string> Normalised(IReadOnlyList<string> names) => [.. names.Distinct().Order(StringComparer.Ordinal)];

    private AddressList List(RangeKind kind, string url, TimeSpan refresh, TimeSpan alarmAfter, string? name, AddressQuery query)
    {
        if (!RangeSource.TryParse(url, out var source, out var fault) || source is null)
        {
            throw new ArgumentException(fault, nameof(url));
        }

        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(refresh, TimeSpan.Zero);
        lock (_lock)
        {
            if (!_feeds.TryGetValue((kind, url), out var feed))
            {
                feed = new RangeFeed(this, _fetcher, kind, source, _time, _logger, _metrics, _random);
                _feeds.Add((kind, url), feed);
            }

            feed.Refresh = refresh;
            feed.AlarmAfter = alarmAfter;
            var list = feed.List(name ?? $"json:{source.Display}#{query.Pointer?.Text}", query);
            Wake();
            return list;
        }
    }
}
