using WebhookEdge.Observability;

namespace WebhookEdge.AllowLists;

/// <summary>
/// One published document: asked for when its time has come, or when somebody misses an address, and given to the lists cut from it.
/// </summary>
internal sealed class RangeFeed
{
    private readonly AddressListPool _pool;
    private readonly RangeFetcher _fetcher;
    private readonly AddressMetrics _metrics;
    private readonly CheckSchedule _schedule;
    private readonly ListJudge _judge;
    private readonly RangeLists _lists;
    private readonly SharedCheck _check;

    public RangeFeed(AddressListPool pool, RangeFetcher fetcher, RangeFormat format, RangeSource source, TimeProvider time, ILogger logger,
        AddressMetrics metrics, Random random)
    {
        _pool = pool;
        _fetcher = fetcher;
        Source = source;
        _judge = new(source, time, logger);
        _lists = new(this, _judge, new(pool, source, format, logger), time, logger);
        _check = new(CheckOnceAsync);
        _metrics = metrics;
        _schedule = new(time, random);
    }

    public RangeSource Source { get; }

    /// <summary>The document that all lists agreed on last.</summary>
    public IRangeDocument? Document => _lists.Document;

    /// <summary>Never waits for a document that is being read.</summary>
    public IReadOnlyList<AddressList> Lists => _lists.Lists;

    /// <inheritdoc cref="RangeLists.List"/>
    public AddressList List(string name, AddressQuery query) => _lists.List(name, query);

    /// <inheritdoc cref="RangeLists.Retain"/>
    public bool Retain(IReadOnlySet<AddressList> inUse) => _lists.Retain(inUse);

    /// <summary>Time between two checks of a source that works; also the least time until a much smaller list is believed.</summary>
    public TimeSpan Refresh
    {
        get => _judge.Refresh;
        set => _judge.Refresh = value;
    }

    /// <summary>Age of a list at which operators are told.</summary>
    public TimeSpan AlarmAfter
    {
        get => _judge.AlarmAfter;
        set => _judge.AlarmAfter = value;
    }

    /// <summary>See <see cref="AddressList.RequestRefresh"/>.</summary>
    public void RequestRefresh()
    {
        if (_schedule.Request())
        {
            _pool.Wake();
        }
    }

    /// <summary>Time until the next check is due, zero when it is; null while one is running.</summary>
    public TimeSpan? Wait() => _check.IsRunning ? null : _schedule.Wait;

    /// <summary>
    /// Asks the source once; joins a check that is already running, which goes on as long as anybody waits for it. Throws only when
    /// <paramref name="cancellationToken"/> is cancelled.
    /// </summary>
    public Task CheckAsync(CancellationToken cancellationToken) => _check.JoinAsync(cancellationToken);

    private async Task CheckOnceAsync(CancellationToken cancellationToken)
    {
        _schedule.Begins();
        var delay = Refresh;
        try
        {
            var fetched = await _fetcher.FetchAsync(Source, _lists.Validators(), cancellationToken);
            if (fetched.Body is null)
            {
                _lists.Unchanged();
            }
            else
            {
                _lists.Apply(fetched.Body, fetched.Validators);
            }

            _schedule.Succeeded();
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Broken off and not answered: still due.
            delay = TimeSpan.Zero;
            throw;
        }
        catch (Exception e)
        {
            delay = _schedule.Backoff(Refresh);

            // The framework's "see inner exception" is no help to who reads a log line.
            _lists.Failed(e.InnerException is { } inner ? $"{e.Message} ({inner.Message})" : e.Message, delay);
        }
        finally
        {
            _schedule.Ends(delay);
            var untold = _lists.Untold();
            _check.Ended();

            // Outside the lock: whoever listens to measurements may hold a lock of his own while he asks the gauges, and they ask this feed.
            foreach (var (list, outcome) in untold)
            {
                _metrics.Refreshed(list, outcome);
            }

            _pool.Wake();
        }
    }
}
