using System.Security.Cryptography;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.AllowLists;

internal enum RangeKind
{
    Aws,
    Json,
}

/// <summary>
/// One published document and the lists cut from it. Each list judges a new document for itself: it takes it, refuses it (empty, unsound) or holds it back
/// (more than half of its addresses gone) and keeps what it had. Nothing but a sound document ever replaces anything.
/// </summary>
internal sealed class RangeFeed
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan QuietTime = TimeSpan.FromMinutes(1);

    private readonly AddressListPool _pool;
    private readonly RangeFetcher _fetcher;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly AddressMetrics _metrics;
    private readonly Random _random;
    private readonly RangeKind _kind;
    private readonly Lock _lock = new();
    private readonly List<(string List, RefreshOutcome Outcome)> _untold = [];
    private readonly Dictionary<string, AddressList> _lists = [];

    // A copy of the values of _lists for who must not wait: metrics and readiness ask while a document is parsed under the lock.
    private volatile AddressList[] _shown = [];

    // Under _lock.
    private IRangeDocument? _document;
    private DateTimeOffset _confirmedAt;
    private byte[]? _digest;
    private FetchValidators? _validators;
    private long _revision;
    private string? _restoredFrom;
    private RunningCheck? _check;
    private bool _checking;

    // Touched by the one running check only.
    private int _failures;

    // Read by request threads without it. Monotonic timestamps; _checkedAt 0 = never.
    private long _dueAt;
    private long _checkedAt;
    private int _requested;

    public RangeFeed(AddressListPool pool, RangeFetcher fetcher, RangeKind kind, RangeSource source, TimeProvider time, ILogger logger, AddressMetrics metrics, Random random)
    {
        _pool = pool;
        _fetcher = fetcher;
        _kind = kind;
        Source = source;
        _time = time;
        _logger = logger;
        _metrics = metrics;
        _random = random;
        _dueAt = time.GetTimestamp();
    }

    public RangeSource Source { get; }

    /// <summary>Time between two checks of a source that works; also the least time until a much smaller list is believed.</summary>
    public TimeSpan Refresh { get; set; }

    /// <summary>Age of a list at which operators are told.</summary>
    public TimeSpan AlarmAfter { get; set; }

    /// <summary>The document that all lists agreed on last.</summary>
    public IRangeDocument? Document
    {
        get
        {
            lock (_lock)
            {
                return _document;
            }
        }
    }

    /// <summary>Never waits for a document that is being read.</summary>
    public IReadOnlyList<AddressList> Lists => _shown;

    /// <summary>The list of that name, made when there is none. A new list starts with what the feed has, or with what disk has.</summary>
    public AddressList List(string name, AddressQuery query)
    {
        lock (_lock)
        {
            if (_lists.TryGetValue(name, out var known))
            {
                return known;
            }

            var list = new AddressList(this, query, name, _time);
            _lists.Add(name, list);
            _shown = [.. _lists.Values];
            if (_document is null)
            {
                Restore();
            }
            else if (TryCut(_document, list, out var set, out var cut, out var fault))
            {
                Tell(list, cut);
                list.Take(set, _confirmedAt, null, cut);
            }
            else
            {
                list.Keep(fault);
                _logger.AddressListRefused(name, Source.Display, fault);
            }

            return list;
        }
    }

    /// <summary>Drops the lists that are not in <paramref name="inUse"/>. True when none is left.</summary>
    public bool Retain(IReadOnlySet<AddressList> inUse)
    {
        lock (_lock)
        {
            foreach (var list in _lists.Values.Where(list => !inUse.Contains(list)).ToList())
            {
                _lists.Remove(list.Name);
            }

            _shown = [.. _lists.Values];
            return _lists.Count == 0;
        }
    }

    /// <summary>See <see cref="AddressList.RequestRefresh"/>.</summary>
    public void RequestRefresh()
    {
        if (Volatile.Read(ref _requested) != 0)
        {
            return;
        }

        var checkedAt = Volatile.Read(ref _checkedAt);
        if ((checkedAt == 0 || _time.GetElapsedTime(checkedAt) >= QuietTime) && Interlocked.Exchange(ref _requested, 1) == 0)
        {
            _pool.Wake();
        }
    }

    /// <summary>Time until the next check is due, zero when it is; null while one is running.</summary>
    public TimeSpan? Wait()
    {
        lock (_lock)
        {
            if (_checking)
            {
                return null;
            }

            var wait = Volatile.Read(ref _requested) != 0 ? TimeSpan.Zero : _time.GetElapsedTime(_time.GetTimestamp(), Volatile.Read(ref _dueAt));
            return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
        }
    }

    /// <summary>
    /// Asks the source once; joins a check that is already running, which goes on as long as anybody waits for it. Throws only when <paramref name="cancellationToken"/> is cancelled.
    /// </summary>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            RunningCheck check;
            lock (_lock)
            {
                if (!_checking || _check is null)
                {
                    _checking = true;
                    check = _check = new();

                    // On the pool: reading 2.6 MB of JSON is no work for a caller that holds the lock.
                    check.Task = Task.Run(() => CheckOnceAsync(check.Stop.Token), CancellationToken.None);
                }

                check = _check;
                check.Waiting++;
            }

            try
            {
                await check.Task.WaitAsync(cancellationToken);
                return;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                await LeaveAsync(check);
                throw;
            }
            catch (OperationCanceledException)
            {
                // The last of those who waited left just before: this caller still wants an answer.
            }
        }
    }

    /// <summary>Nobody is to wait longer than he wants to, and nothing goes on for nobody: who leaves last stops the check, and sees it end.</summary>
    private async Task LeaveAsync(RunningCheck check)
    {
        lock (_lock)
        {
            if (--check.Waiting > 0)
            {
                return;
            }
        }

        await check.Stop.CancelAsync();
        await check.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task CheckOnceAsync(CancellationToken cancellationToken)
    {
        Volatile.Write(ref _requested, 0);

        // Counted from its begin as well: whoever misses an address between the moment in which a list is loaded and the end of the check asks for no other.
        Volatile.Write(ref _checkedAt, _time.GetTimestamp());
        var delay = Refresh;
        try
        {
            FetchValidators? validators;
            lock (_lock)
            {
                Restore();
                validators = _validators;
            }

            var fetched = await _fetcher.FetchAsync(Source, validators, cancellationToken);
            if (fetched.Body is null)
            {
                Unchanged();
            }
            else
            {
                Apply(fetched.Body, fetched.Validators);
            }

            _failures = 0;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Broken off and not answered: still due.
            delay = TimeSpan.Zero;
            throw;
        }
        catch (Exception e)
        {
            delay = Backoff();
            // The framework's "see inner exception" is no help to who reads a log line.
            Failed(e.InnerException is { } inner ? $"{e.Message} ({inner.Message})" : e.Message, delay);
        }
        finally
        {
            var now = _time.GetTimestamp();
            Volatile.Write(ref _dueAt, now + (long)(delay.TotalSeconds * _time.TimestampFrequency));
            Volatile.Write(ref _checkedAt, now);
            // Whoever asked while this check ran has been served by it.
            Volatile.Write(ref _requested, 0);
            (string List, RefreshOutcome Outcome)[] untold;
            lock (_lock)
            {
                untold = [.. _untold];
                _untold.Clear();
                _checking = false;
            }

            // Outside the lock: whoever listens to measurements may hold a lock of his own while he asks the gauges, and they ask this feed.
            foreach (var (list, outcome) in untold)
            {
                _metrics.Refreshed(list, outcome);
            }

            _pool.Wake();
        }
    }

    private TimeSpan Backoff()
    {
        var doubled = FirstRetry * Math.Pow(2, Math.Min(_failures++, 20));
        var capped = doubled < Refresh ? doubled : Refresh;
        // A fifth up or down, so that gateways that started together do not ask together.
        return capped * (0.8 + (0.4 * _random.NextDouble()));
    }

    private void Unchanged()
    {
        var now = _time.GetUtcNow();
        lock (_lock)
        {
            _confirmedAt = now;
            foreach (var list in _lists.Values)
            {
                if (list.Current is null && _document is not null)
                {
                    _untold.Add((list.Name, Offer(_document, list, now)));
                    continue;
                }

                list.Confirm(now);
                _untold.Add((list.Name, RefreshOutcome.Unchanged));
            }
        }

        Disk(path =>
        {
            if (!LastKnownGood.Confirm(path, now))
            {
                // The copy is gone, or was never written; only a whole answer can bring it back.
                lock (_lock)
                {
                    Unsettle();
                }
            }
        });
    }

    private void Failed(string fault, TimeSpan retryIn)
    {
        var now = _time.GetUtcNow();
        _logger.AddressFeedFailed(Source.Display, fault, retryIn);
        lock (_lock)
        {
            foreach (var list in _lists.Values)
            {
                list.Keep(fault, now);
                _untold.Add((list.Name, RefreshOutcome.Failed));
                Alarm(list);
            }
        }
    }

    private void Alarm(AddressList list)
    {
        if (list.Age is { } age && age > AlarmAfter)
        {
            _logger.AddressListStale(list.Name, age, AlarmAfter);
        }
    }

    private void Apply(byte[] body, FetchValidators? validators)
    {
        var digest = SHA256.HashData(body);
        bool same;
        lock (_lock)
        {
            same = _digest is not null && _digest.AsSpan().SequenceEqual(digest);
            _validators = same ? validators : _validators;
        }

        if (same)
        {
            Unchanged();
            return;
        }

        var document = Parse(body);
        var now = _time.GetUtcNow();
        var settled = true;
        var taken = false;
        lock (_lock)
        {
            if (document.Revision < _revision)
            {
                throw new InvalidDataException($"the published document went back from revision {_revision} to {document.Revision}");
            }

            foreach (var list in _lists.Values)
            {
                var outcome = Offer(document, list, now);
                _untold.Add((list.Name, outcome));
                taken |= outcome is RefreshOutcome.Changed or RefreshOutcome.Unchanged;
                // A list that never had anything has nothing to lose, and must not keep the others from their copy on disk.
                settled &= outcome is RefreshOutcome.Changed or RefreshOutcome.Unchanged || list.Current is null;
            }

            if (taken)
            {
                _revision = document.Revision;
            }

            if (settled)
            {
                _document = document;
                _digest = digest;
                _validators = validators;
                _confirmedAt = now;
            }
            else
            {
                Unsettle();
            }
        }

        if (settled && taken)
        {
            Disk(path => LastKnownGood.Write(path, body, now));
        }
    }

    /// <summary>Some list still waits for this document or another: the next fetch is unconditional, and its answer is read even when it is the same.</summary>
    private void Unsettle()
    {
        _validators = null;
        _digest = null;
    }

    private RefreshOutcome Offer(IRangeDocument document, AddressList list, DateTimeOffset now)
    {
        var sound = TryCut(document, list, out var set, out var cut, out var fault);
        if (sound && set.IsEmpty && list.Current is { IsEmpty: false } lost)
        {
            // An empty list that was never anything else is a publisher's without such addresses; one that had some has lost them.
            sound = false;
            fault = $"{cut.Remark}; the list in force has {lost.PrefixCount} networks, and one that shrinks to nothing is never taken. "
                + "If that is meant, take the list out of the routes, or restart without its copy in edge.stateDirectory";
        }

        if (!sound)
        {
            list.Held = null;
            list.Keep(fault, now);
            _logger.AddressListRefused(list.Name, Source.Display, fault);
            Alarm(list);
            return RefreshOutcome.Failed;
        }

        if (list.Current is { } current && set.LostMoreThanHalfOf(current) && !IsConfirmed(list, set))
        {
            var held = $"the new list has {set.AddressCountV4} IPv4 and {set.AddressCountV6} IPv6 addresses, the one in force {current.AddressCountV4} and {current.AddressCountV6}; "
                + $"it is taken when a check at least {Refresh} later still says the same";
            list.Keep(held, now);
            _logger.AddressListHeldBack(list.Name, held);
            Alarm(list);
            return RefreshOutcome.HeldBack;
        }

        list.Held = null;
        Tell(list, cut);
        if (!list.Take(set, now, now, cut))
        {
            return RefreshOutcome.Unchanged;
        }

        _logger.AddressListChanged(list.Name, set.PrefixCount, set.AddressCountV4, Source.Display);
        return RefreshOutcome.Changed;
    }

    /// <summary>A much smaller list is believed when it was first seen at least one refresh ago and is still the same; otherwise the wait starts now.</summary>
    private bool IsConfirmed(AddressList list, CidrSet set)
    {
        if (list.Held is { } held && held.Set.SetEquals(set))
        {
            return _time.GetElapsedTime(held.Since) >= Refresh;
        }

        list.Held = new HeldList(set, _time.GetTimestamp());
        return false;
    }

    private static bool TryCut(IRangeDocument document, AddressList list, out CidrSet set, out RangeCut cut, out string fault)
    {
        var sound = document.TrySelect(list.Query, out cut, out fault);
        set = sound ? CidrSet.Create(cut.Networks) : CidrSet.Empty;
        return sound;
    }

    /// <summary>Says what is odd about a list that is taken all the same; once, not at every refresh.</summary>
    private void Tell(AddressList list, RangeCut cut)
    {
        if (cut.Note == list.Note)
        {
            return;
        }

        if (cut.UnknownNames.Length > 0)
        {
            _logger.AddressListNameUnknown(list.Name, cut.UnknownNames);
        }

        if (cut.Remark.Length > 0)
        {
            _logger.AddressListRemark(list.Name, cut.Remark);
        }
    }

    /// <summary>
    /// Loads what can be had at once, so that a new feed need not start empty: the last-known-good copy, or the file itself when the source is one.
    /// Once for each place, and only until there is a document. Under the lock.
    /// </summary>
    private void Restore()
    {
        var path = Source.IsFile ? Source.Url.LocalPath : StatePath();
        if (_document is not null || path is null || path == _restoredFrom)
        {
            return;
        }

        _restoredFrom = path;
        try
        {
            if (LastKnownGood.Read(path) is not var (bytes, confirmedAt))
            {
                return;
            }

            var document = Parse(bytes);
            confirmedAt = Source.IsFile ? _time.GetUtcNow() : confirmedAt;
            foreach (var list in _lists.Values)
            {
                if (!TryCut(document, list, out var set, out var cut, out var fault))
                {
                    list.Keep(fault);
                    _logger.StateFileIgnored(path, fault);
                    continue;
                }

                Tell(list, cut);
                list.Take(set, confirmedAt, null, cut);
                _logger.AddressListRestored(list.Name, set.PrefixCount, _time.GetUtcNow() - confirmedAt);
            }

            _document = document;
            _digest = SHA256.HashData(bytes);
            _revision = document.Revision;
            _confirmedAt = confirmedAt;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            _logger.StateFileIgnored(path, e.Message);
        }
    }

    private string? StatePath() =>
        !Source.IsFile && _pool.StateDirectory is { Length: > 0 } directory ? LastKnownGood.PathOf(directory, _kind == RangeKind.Aws ? "aws" : "json", Source.Url) : null;

    private void Disk(Action<string> write)
    {
        if (StatePath() is not { } path)
        {
            return;
        }

        try
        {
            write(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _logger.StateFileNotWritten(path, e.Message);
        }
    }

    /// <summary>Throws <see cref="InvalidDataException"/> when the bytes are no sound document.</summary>
    private IRangeDocument Parse(ReadOnlyMemory<byte> bytes)
    {
        // Editors on Windows put a byte order mark before files; the JSON reader refuses it.
        bytes = bytes.Span.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
        string fault;
        if (_kind == RangeKind.Aws)
        {
            return AwsIpRanges.TryParse(bytes, out var ranges, out fault) && ranges is not null ? ranges : throw new InvalidDataException(fault);
        }

        return JsonAddressDocument.TryParse(bytes, out var document, out fault) && document is not null ? document : throw new InvalidDataException(fault);
    }

    /// <summary>One asking of the source, and how many wait for it.</summary>
#pragma warning disable CA1001 // A source without timer or wait handle holds nothing to dispose.
    private sealed class RunningCheck
#pragma warning restore CA1001
    {
        public CancellationTokenSource Stop { get; } = new();

        public Task Task { get; set; } = Task.CompletedTask;

        public int Waiting { get; set; }
    }
}
