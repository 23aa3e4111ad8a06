using WebhookEdge.Observability;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// Keys and certificates that senders publish. Who wants which key is told by requests that have proved nothing yet, so: only names that the verifier has
/// matched against a fixed pattern come here; one fetch for a name however many wait; fetches of unknown names are budgeted by route and client address
/// (<see cref="KeyFetchBudget"/>); bounded in size and time; no redirects.
/// </summary>
/// <remarks>
/// A key under which a delivery was proved is one that strangers have no say in: it is kept in the state directory, fetched again before it expires,
/// fetched again at once when it has, whatever strangers have spent, and pushed out by none of theirs. Its publisher's "no such key" is taken for a fault of
/// the publisher, which the sender's next attempt may not meet, and it stays in use until its time is up.
/// </remarks>
internal sealed class RemoteKeys : IAsyncDisposable
{
    /// <summary>Keys fetched for somebody who has not proved a delivery with them yet.</summary>
    public const int MaxUnproved = 16;

    /// <summary>A key that was good before and cannot be had is asked for no more often than this.</summary>
    public static readonly TimeSpan TryAgainAfter = TimeSpan.FromSeconds(5);

    /// <summary>A key that nobody named for this long is no longer refreshed; the next delivery fetches it.</summary>
    public static readonly TimeSpan RefreshWhenAskedWithin = TimeSpan.FromDays(7);

    private static readonly TimeSpan RememberMissing = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan RefreshAgainAfter = TimeSpan.FromMinutes(10);
    private const int MaxMissing = 256;
    private const int RefreshesAtOnce = 4;

    private readonly KeyFetcher _fetcher;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly KeyFetchBudget _budget;
    private readonly Dictionary<string, KnownKey> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> _missing = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Task<(KeyFetch, RemoteKey?)>> _pending = new(StringComparer.Ordinal);
    private Dictionary<string, KeptAnswer> _kept = new(StringComparer.Ordinal);
    private KeptKeys? _store;
    private Task _saving = Task.CompletedTask;

    public RemoteKeys(HttpMessageInvoker http, TimeProvider time, ILogger<RemoteKeys> logger)
    {
        _fetcher = new(http, time, logger);
        _time = time;
        _logger = logger;
        _budget = new(time);
    }

    /// <summary>Completes when what was to be kept up to now is on disk, or could not be written.</summary>
    public Task Saved
    {
        get
        {
            lock (_lock)
            {
                return _saving;
            }
        }
    }

    /// <summary>Keys are kept in this folder from now on, and those that are there are known; null = none are kept.</summary>
    public void KeepIn(string? directory)
    {
        lock (_lock)
        {
            if (directory == _store?.Directory)
            {
                return;
            }

            _store = directory is null ? null : new(directory, _logger);
            _kept = _store?.Read(_time.GetUtcNow()) ?? new(StringComparer.Ordinal);
            foreach (var entry in _known.Values.Where(static e => e.Proved))
            {
                Save(entry);
            }
        }
    }

    /// <summary>
    /// The key asked for, fetched when it is not known. Waits without a thread; <paramref name="cancellationToken"/> ends the waiting, not the fetch.
    /// When a delivery holds under the key, say so with <see cref="Proved"/>.
    /// </summary>
    public ValueTask<(KeyFetch Result, RemoteKey? Key)> GetAsync(in KeyQuestion question, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow();
        Task<(KeyFetch, RemoteKey?)>? pending;
        lock (_lock)
        {
            var entry = _known.GetValueOrDefault(question.FullName) ?? Restore(question, now);
            if (entry is not null)
            {
                (entry.Source, entry.AskedAt) = (question.Source, now);
                if (entry.Key is { } key && key.UsableUntil > now)
                {
                    return new((KeyFetch.Found, key));
                }
            }

            if (!_pending.TryGetValue(question.FullName, out pending))
            {
                if (entry is not { Proved: true } && _missing.TryGetValue(question.FullName, out var until) && until > now)
                {
                    return new((KeyFetch.NoSuchKey, null));
                }

                if (!MayFetch(entry, question, now))
                {
                    return new((KeyFetch.Unavailable, null));
                }

                pending = StartFetch(question.Source, question.Name, question.FullName);
            }
        }

        return new(pending.WaitAsync(cancellationToken));
    }

    /// <summary>A delivery holds under the key that was asked for.</summary>
    public void Proved(in KeyQuestion question)
    {
        lock (_lock)
        {
            _budget.Proved(question.Route, question.Client);
            if (_known.TryGetValue(question.FullName, out var entry) && !entry.Proved)
            {
                if (_known.Values.Count(static e => e.Proved) >= KeptKeys.MaxFiles)
                {
                    var idle = _known.Values.Where(static e => e.Proved).MinBy(static e => e.AskedAt)!;
                    _known.Remove(idle.FullName);
                    Save(idle, remove: true);
                }

                entry.Proved = true;
                Save(entry);
            }
        }
    }

    /// <summary>Fetches again what was asked for lately and will soon expire, or has. Returns when all publishers have answered or had their time.</summary>
    public Task RefreshDueAsync(CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow();
        List<KnownKey> due;
        lock (_lock)
        {
            due = [.. _known.Values.Where(e => e.Proved && e.RefreshAt <= now && e.AskedAt > now - RefreshWhenAskedWithin)];
        }

        var options = new ParallelOptions { MaxDegreeOfParallelism = RefreshesAtOnce, CancellationToken = cancellationToken };
        return Parallel.ForEachAsync(due, options, async (entry, _) =>
        {
            Task<(KeyFetch, RemoteKey?)>? pending;
            lock (_lock)
            {
                pending = _pending.GetValueOrDefault(entry.FullName) ?? StartFetch(entry.Source, entry.Name, entry.FullName);
            }

            await pending;
        });
    }

    public async ValueTask DisposeAsync()
    {
        await Saved;
        _fetcher.Dispose();
    }

    private bool MayFetch(KnownKey? entry, in KeyQuestion question, DateTimeOffset now)
    {
        if (entry is { Proved: true })
        {
            if (now < entry.TryAgainAt)
            {
                return false;
            }

            entry.TryAgainAt = now + TryAgainAfter;
            return true;
        }

        if (_budget.TryTake(question.Route, question.Client, out var heldBack))
        {
            return true;
        }

        if (heldBack > 0)
        {
            _logger.KeyFetchHeldBack(question.Route, heldBack);
        }

        return false;
    }

    /// <summary>The entry of a key that the state directory holds. It counts as good before even when its time is up by now.</summary>
    private KnownKey? Restore(in KeyQuestion question, DateTimeOffset now)
    {
        if (_kept.Count == 0)
        {
            return null;
        }

        var digest = KeptKeys.DigestOf(question.FullName);
        if (!_kept.Remove(digest, out var kept))
        {
            return null;
        }

        if (question.Source.Read(kept.Answer, kept.FetchedAt) is not { } key)
        {
            _logger.KeptKeyIgnored(Path.GetFileName(_store!.PathOf(digest)), "it holds no key that its publisher could have sent");
            return null;
        }

        var entry = new KnownKey(question.Source, question.Name, question.FullName) { Proved = true, AskedAt = now };
        entry.Take(key, kept);
        _known[question.FullName] = entry;
        return entry;
    }

    private Task<(KeyFetch, RemoteKey?)> StartFetch(KeySource source, string name, string fullName) =>
        _pending[fullName] = Task.Run(() => FetchAsync(source, name, fullName), CancellationToken.None);

    private async Task<(KeyFetch, RemoteKey?)> FetchAsync(KeySource source, string name, string fullName)
    {
        var (result, key, kept) = await _fetcher.FetchAsync(source, name);
        lock (_lock)
        {
            _pending.Remove(fullName);
            result = Remember(source, name, fullName, result, key, kept);
        }

        return (result, key);
    }

    private KeyFetch Remember(KeySource source, string name, string fullName, KeyFetch result, RemoteKey? key, KeptAnswer? kept)
    {
        var now = _time.GetUtcNow();
        if (!_known.TryGetValue(fullName, out var entry) && key is not null)
        {
            MakeRoom();
            entry = _known[fullName] = new(source, name, fullName) { AskedAt = now };
        }

        if (key is not null)
        {
            entry!.Take(key, kept!);
            Save(entry);
        }
        else if (entry is { Proved: true })
        {
            entry.RefreshAt = now + RefreshAgainAfter;
            return KeyFetch.Unavailable;
        }
        else if (result == KeyFetch.NoSuchKey)
        {
            if (_missing.Count >= MaxMissing)
            {
                _missing.Clear();
            }

            _missing[fullName] = now + RememberMissing;
        }

        return result;
    }

    private void MakeRoom()
    {
        if (_known.Values.Count(static e => !e.Proved) >= MaxUnproved)
        {
            _known.Remove(_known.Values.Where(static e => !e.Proved).MinBy(static e => e.AskedAt)!.FullName);
        }
    }

    /// <summary>Brings the file of a key in line with the entry, one after the other and not on this thread: whoever calls holds the lock.</summary>
    private void Save(KnownKey entry, bool remove = false)
    {
        if (entry.Proved && _store is { } store)
        {
            var (before, kept, digest) = (_saving, entry.Kept, KeptKeys.DigestOf(entry.FullName));
            _saving = Task.Run(async () =>
            {
                await before;
                if (remove || kept is null)
                {
                    store.Delete(digest);
                }
                else
                {
                    store.Write(digest, kept);
                }
            });
        }
    }
}
