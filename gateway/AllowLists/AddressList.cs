using WebhookEdge.Primitives;

namespace WebhookEdge.AllowLists;

/// <summary>
/// A published list as checks hold it. It outlives configuration revisions: the same list asked for after a reload is this very object, with what
/// it has loaded. Its content is replaced as a whole; readers need no lock.
/// </summary>
internal sealed class AddressList
{
    private readonly RangeFeed _feed;
    private readonly TimeProvider _time;
    private volatile State _state = new(null, null, null, null, null, "", 0);

    internal AddressList(RangeFeed feed, AddressQuery query, string name, TimeProvider time)
    {
        _feed = feed;
        _time = time;
        Query = query;
        Name = name;
    }

    /// <summary>For people, logs and metrics: <c>aws:us-east-1:EC2</c>, <c>json:https://api.github.com/meta#/hooks</c>.</summary>
    public string Name { get; }

    /// <summary>The URL without its query, or <c>file:/path</c>.</summary>
    public string Source => _feed.Source.Display;

    /// <summary>What is in force; null = never loaded.</summary>
    public CidrSet? Current => _state.Set;

    /// <summary>When <see cref="Current"/> was last fetched or confirmed by the source, before a restart included.</summary>
    public DateTimeOffset? LoadedAt => _state.LoadedAt;

    /// <summary>When the source was last asked, whatever came of it.</summary>
    public DateTimeOffset? CheckedAt => _state.CheckedAt;

    /// <summary>When the addresses last became others than before.</summary>
    public DateTimeOffset? ChangedAt => _state.ChangedAt;

    /// <summary>Why the last check did not bring the list up to date, or what is odd about it (<see cref="Note"/>); null when all is well.</summary>
    public string? LastError => _state.LastError;

    /// <summary>What is odd about the list in force: a name AWS does not know, entries left out, nothing in it. Empty when all is well.</summary>
    public string Note => _state.Note;

    /// <summary>Entries of the list in force that are no sound network.</summary>
    public int LeftOut => _state.LeftOut;

    /// <summary>Networks in force, before merging.</summary>
    public int PrefixCount => Current?.PrefixCount ?? 0;

    /// <summary>Time since <see cref="LoadedAt"/>; null = never loaded.</summary>
    public TimeSpan? Age => LoadedAt is { } loaded ? _time.GetUtcNow() - loaded : null;

    /// <summary>Age at which operators are told.</summary>
    public TimeSpan AlarmAfter => _feed.AlarmAfter;

    public bool IsStale => Age > AlarmAfter;

    internal AddressQuery Query { get; }

    /// <summary>A much smaller list that waits for its confirmation. Touched by the feed only, under its lock.</summary>
    internal HeldList? Held { get; set; }

    /// <summary>Asks for a check soon; ignored when the source was asked less than a minute ago. Never blocks, for request threads.</summary>
    public void RequestRefresh() => _feed.RequestRefresh();

    /// <summary>Takes <paramref name="set"/> into force. True when its addresses are others than before.</summary>
    internal bool Take(CidrSet set, DateTimeOffset loadedAt, DateTimeOffset? checkedAt, RangeCut cut)
    {
        var state = _state;
        var changed = state.Set is null || !state.Set.SetEquals(set);
        var note = cut.Note;
        _state = new State(set, loadedAt, checkedAt ?? state.CheckedAt, changed ? loadedAt : state.ChangedAt, note.Length > 0 ? note : null, note, cut.LeftOut);
        return changed;
    }

    /// <summary>The source says that nothing has changed.</summary>
    internal void Confirm(DateTimeOffset now)
    {
        var state = _state;
        _state = state with { LoadedAt = state.Set is null ? null : now, CheckedAt = now, LastError = state.Note.Length > 0 ? state.Note : null };
    }

    /// <summary>What is in force stays.</summary>
    internal void Keep(string error, DateTimeOffset? checkedAt = null) => _state = _state with { CheckedAt = checkedAt ?? _state.CheckedAt, LastError = error };

    /// <param name="Set">What is in force.</param>
    /// <param name="LoadedAt">When it was fetched or confirmed.</param>
    /// <param name="CheckedAt">When the source was last asked.</param>
    /// <param name="ChangedAt">When the addresses became others.</param>
    /// <param name="LastError">What is wrong now.</param>
    /// <param name="Note">What is odd even though it loads.</param>
    /// <param name="LeftOut">Entries that are no sound network.</param>
    private sealed record State(CidrSet? Set, DateTimeOffset? LoadedAt, DateTimeOffset? CheckedAt, DateTimeOffset? ChangedAt, string? LastError, string Note,
        int LeftOut);
}

/// <param name="Set">The much smaller list.</param>
/// <param name="Since">Monotonic timestamp of when it was first seen.</param>
internal sealed record HeldList(CidrSet Set, long Since);
