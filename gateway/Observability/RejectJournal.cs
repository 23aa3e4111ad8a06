using Microsoft.Extensions.Primitives;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Observability;

/// <summary>One refusal as the operator may see it: no body, no credential, no signature; of the body only the length.</summary>
/// <param name="Target">Path and query as received; show only the path, tokens travel in queries.</param>
/// <param name="Observed">True when observe mode let the request through.</param>
internal readonly record struct JournalEntry(
    DateTimeOffset At, string Route, RejectReason Reason, string? Detail, int Status, ClientAddress Client, string Method, string Target, long BodyBytes,
    string RequestId, string? EventKey, bool Observed)
{
    /// <summary>Counts up from 1; names the entry for as long as the journal keeps it.</summary>
    public long Number { get; init; }

    /// <summary>The socket's other end, which may be a proxy.</summary>
    public ClientAddress Peer { get; init; }

    /// <summary>Whom the connection's PROXY header named; unknown without one.</summary>
    public ClientAddress Named { get; init; }

    /// <summary><c>X-Forwarded-For</c> as it came, line by line. Written by strangers: it proves nothing, and its length is theirs.</summary>
    public StringValues Forwarded { get; init; }

    /// <summary>The route believes <c>X-Forwarded-For</c> of trusted proxies.</summary>
    public bool BelievesForwarded { get; init; }

    /// <summary>Declared length, when the body was not read whole.</summary>
    public long? DeclaredBytes { get; init; }
}

/// <summary>
/// The newest refusals, bounded, in memory. Writing takes a lock for the length of one copy and allocates nothing. What a flood from strangers is made of
/// (no such route, a spent address budget) has a ring of its own, so that it does not push out what an operator looks for.
/// </summary>
internal sealed class RejectJournal(int capacity = 512)
{
    /// <summary>Names of headers kept of one request.</summary>
    public const int HeadersKept = 24;

    private readonly Ring _entries = new(capacity);
    private readonly Ring _floods = new(Math.Max(1, capacity / 4));
    private readonly Lock _lock = new();
    private long _written;

    /// <summary>Number of the newest entry; 0 before the first.</summary>
    public long LastNumber => Volatile.Read(ref _written);

    /// <param name="headers">The request's headers; names are kept, values never.</param>
    public void Add(in JournalEntry entry, ReadOnlySpan<KeyValuePair<string, StringValues>> headers = default)
    {
        var ring = entry.Reason.Describe().IsFlood ? _floods : _entries;
        lock (_lock)
        {
            ring.Add(entry with { Number = ++_written }, headers);
        }
    }

    /// <summary>The entries, newest first.</summary>
    public IReadOnlyList<JournalEntry> Newest(int count = int.MaxValue)
    {
        JournalEntry[] entries, floods;
        lock (_lock)
        {
            entries = _entries.Newest(count);
            floods = _floods.Newest(count);
        }

        return floods.Length == 0 ? entries : [.. entries.Concat(floods).OrderByDescending(static entry => entry.Number).Take(count)];
    }

    /// <summary>One entry with the names of the headers it came with; null when it is kept no more.</summary>
    public (JournalEntry Entry, string[] Headers)? Find(long number)
    {
        lock (_lock)
        {
            return _entries.Find(number) ?? _floods.Find(number);
        }
    }

    private sealed class Ring(int capacity)
    {
        private readonly JournalEntry[] _entries = new JournalEntry[capacity];
        private readonly string?[] _names = new string?[capacity * HeadersKept];
        private long _written;

        public void Add(in JournalEntry entry, ReadOnlySpan<KeyValuePair<string, StringValues>> headers)
        {
            var at = (int)(_written++ % capacity);
            _entries[at] = entry;
            var names = _names.AsSpan(at * HeadersKept, HeadersKept);
            for (var i = 0; i < names.Length; i++)
            {
                names[i] = i < headers.Length ? headers[i].Key : null;
            }
        }

        public JournalEntry[] Newest(int count)
        {
            var entries = new JournalEntry[(int)Math.Min(Math.Min(_written, capacity), count)];
            for (var i = 0; i < entries.Length; i++)
            {
                entries[i] = _entries[(_written - 1 - i) % capacity];
            }

            return entries;
        }

        public (JournalEntry Entry, string[] Headers)? Find(long number)
        {
            var at = Array.FindIndex(_entries, entry => entry.Number == number);
            return at < 0 || number == 0 ? null : (_entries[at], [.. _names.Skip(at * HeadersKept).Take(HeadersKept).OfType<string>()]);
        }
    }
}
