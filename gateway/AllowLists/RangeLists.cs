using System.Security.Cryptography;
using WebhookEdge.Observability;

namespace WebhookEdge.AllowLists;

/// <summary>
/// The document of a feed that is in force, and the lists cut from it. Each list judges a new document for itself: it takes it, refuses it (empty, unsound) or
/// holds it back (more than half of its addresses gone) and keeps what it had. Nothing but a sound document ever replaces anything.
/// </summary>
internal sealed class RangeLists(RangeFeed feed, ListJudge judge, RangeCopy copy, TimeProvider time, ILogger logger)
{
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

            var list = new AddressList(feed, query, name, time);
            _lists.Add(name, list);
            _shown = [.. _lists.Values];
            if (_document is null)
            {
                Restore();
            }
            else if (ListJudge.TryCut(_document, list, out var set, out var cut, out var fault))
            {
                judge.Tell(list, cut);
                list.Take(set, _confirmedAt, null, cut);
            }
            else
            {
                list.Keep(fault);
                logger.AddressListRefused(name, feed.Source.Display, fault);
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

    /// <summary>What a fetch may leave out, by the document in force; looks for one on disk before.</summary>
    public FetchValidators? Validators()
    {
        lock (_lock)
        {
            Restore();
            return _validators;
        }
    }

    /// <summary>What became of each list since the last call, each once.</summary>
    public (string List, RefreshOutcome Outcome)[] Untold()
    {
        lock (_lock)
        {
            (string, RefreshOutcome)[] untold = [.. _untold];
            _untold.Clear();
            return untold;
        }
    }

    public void Unchanged()
    {
        var now = time.GetUtcNow();
        lock (_lock)
        {
            _confirmedAt = now;
            foreach (var list in _lists.Values)
            {
                if (list.Current is null && _document is not null)
                {
                    _untold.Add((list.Name, judge.Offer(_document, list, now)));
                    continue;
                }

                list.Confirm(now);
                _untold.Add((list.Name, RefreshOutcome.Unchanged));
            }
        }

        copy.Keep(path =>
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

    public void Failed(string fault, TimeSpan retryIn)
    {
        var now = time.GetUtcNow();
        logger.AddressFeedFailed(feed.Source.Display, fault, retryIn);
        lock (_lock)
        {
            foreach (var list in _lists.Values)
            {
                list.Keep(fault, now);
                _untold.Add((list.Name, RefreshOutcome.Failed));
                judge.Alarm(list);
            }
        }
    }

    public void Apply(byte[] body, FetchValidators? validators)
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

        var document = copy.Parse(body);
        var now = time.GetUtcNow();
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
                var outcome = judge.Offer(document, list, now);
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
            copy.Keep(path => LastKnownGood.Write(path, body, now));
        }
    }

    /// <summary>Some list still waits for this document or another: the next fetch is unconditional, and its answer is read even when it is the same.</summary>
    private void Unsettle()
    {
        _validators = null;
        _digest = null;
    }

    /// <summary>
    /// Loads what can be had at once, so that a new feed need not start empty: the last-known-good copy, or the file itself when the source is one.
    /// Once for each place, and only until there is a document. Under the lock.
    /// </summary>
    private void Restore()
    {
        var path = copy.Path;
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

            var document = copy.Parse(bytes);
            confirmedAt = feed.Source.IsFile ? time.GetUtcNow() : confirmedAt;
            foreach (var list in _lists.Values)
            {
                if (!ListJudge.TryCut(document, list, out var set, out var cut, out var fault))
                {
                    list.Keep(fault);
                    logger.StateFileIgnored(path, fault);
                    continue;
                }

                judge.Tell(list, cut);
                list.Take(set, confirmedAt, null, cut);
                logger.AddressListRestored(list.Name, set.PrefixCount, time.GetUtcNow() - confirmedAt);
            }

            _document = document;
            _digest = SHA256.HashData(bytes);
            _revision = document.Revision;
            _confirmedAt = confirmedAt;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            logger.StateFileIgnored(path, e.Message);
        }
    }
}
