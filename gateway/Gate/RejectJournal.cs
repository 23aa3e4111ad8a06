using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>One refusal as the operator may see it: no body, no credential, no signature; of the body only the length.</summary>
/// <param name="Target">Path and query as received; show only the path, tokens travel in queries.</param>
/// <param name="Observed">True when observe mode let the request through.</param>
internal readonly record struct JournalEntry(
    DateTimeOffset At, string Route, RejectReason Reason, string? Detail, int Status, ClientAddress Client, string Method, string Target, long BodyBytes, string RequestId, string? EventKey, bool Observed);

/// <summary>The newest refusals, a bounded ring in memory. Writing takes a lock for the length of one copy.</summary>
internal sealed class RejectJournal(int capacity = 512)
{
    private readonly JournalEntry[] _ring = new JournalEntry[capacity];
    private readonly Lock _lock = new();
    private long _written;

    public void Add(in JournalEntry entry)
    {
        lock (_lock)
        {
            _ring[_written++ % _ring.Length] = entry;
        }
    }

    /// <summary>The entries, newest first.</summary>
    public IReadOnlyList<JournalEntry> Newest(int count = int.MaxValue)
    {
        lock (_lock)
        {
            var kept = (int)Math.Min(Math.Min(_written, _ring.Length), count);
            var entries = new JournalEntry[kept];
            for (var i = 0; i < kept; i++)
            {
                entries[i] = _ring[(_written - 1 - i) % _ring.Length];
            }

            return entries;
        }
    }
}
