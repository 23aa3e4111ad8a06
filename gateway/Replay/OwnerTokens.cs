using System.Globalization;

namespace WebhookEdge.Replay;

/// <summary>
/// Names the holders of claims. The upper 40 bits are this process, drawn at random at start; the lower 24 count its claims. Two claims of
/// one key never share a token while both could be alive, and a pending claim found in Redis can be told to be our own left-over.
/// </summary>
internal sealed class OwnerTokens(ulong processSeed)
{
    private const int SequenceBits = 24;
    private readonly ulong _process = processSeed & ~((1UL << SequenceBits) - 1);
    private long _sequence;

    public ulong Next() => _process | ((ulong)Interlocked.Increment(ref _sequence) & ((1UL << SequenceBits) - 1));

    /// <summary>Did this process hand out <paramref name="owner"/>?</summary>
    public bool IsOurs(ulong owner) => owner >> SequenceBits == _process >> SequenceBits;

    /// <summary>The token as it stands in Redis: 16 hex digits.</summary>
    public static string Format(ulong owner) => owner.ToString("x16", CultureInfo.InvariantCulture);
}
