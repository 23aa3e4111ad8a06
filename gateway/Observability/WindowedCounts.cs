namespace WebhookEdge.Observability;

/// <summary>
/// Counts that forget: a ring of windows (a second, a minute), each with the same cells. A cell carries the number of its window beside its count, so
/// that moving on needs no sweep and no lock: who finds an older window starts the cell anew. Counting is one compare-and-swap and exact; it allocates nothing.
/// </summary>
/// <param name="windows">Windows kept, the one under way included; a power of two.</param>
/// <param name="cells">Cells of a window.</param>
internal sealed class WindowedCounts(int windows, int cells)
{
    private readonly long[] _counts = new long[windows * cells];

    /// <param name="window">Number of the window now under way; grows, and is taken modulo 2^32.</param>
    /// <param name="cell">0 to cells - 1.</param>
    public void Add(long window, int cell)
    {
        ref var place = ref _counts[IndexOf(window, cell)];
        while (true)
        {
            var seen = Volatile.Read(ref place);
            var next = seen >>> 32 == (uint)window ? seen + 1 : ((long)(uint)window << 32) | 1;
            if (Interlocked.CompareExchange(ref place, next, seen) == seen)
            {
                return;
            }
        }
    }

    /// <summary>What was counted in <paramref name="window"/>; 0 when the ring has moved past it.</summary>
    public int Of(long window, int cell)
    {
        var seen = Volatile.Read(ref _counts[IndexOf(window, cell)]);
        return seen >>> 32 == (uint)window ? (int)(uint)seen : 0;
    }

    /// <summary>The sum over <paramref name="back"/> windows up to and with <paramref name="window"/>; no more than the ring keeps.</summary>
    public int Sum(long window, int cell, int back)
    {
        var sum = 0;
        for (var i = 0; i < Math.Min(back, windows); i++)
        {
            sum += Of(window - i, cell);
        }

        return sum;
    }

    private int IndexOf(long window, int cell) => ((int)(window & (windows - 1)) * cells) + cell;
}
