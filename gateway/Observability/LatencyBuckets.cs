using System.Numerics;

namespace WebhookEdge.Observability;

/// <summary>Fixed logarithmic buckets of durations, eight to a doubling (a bucket's ends are at most 12.5 % apart), from 64 µs to 67 s.</summary>
internal static class LatencyBuckets
{
    private const int Finest = 6;
    private const int Doublings = 20;
    private const int PerDoubling = 8;

    public const int Count = Doublings * PerDoubling;

    public static int IndexOf(TimeSpan duration)
    {
        var microseconds = (ulong)Math.Max(0, duration.Ticks / TimeSpan.TicksPerMicrosecond);
        if (microseconds < 1 << Finest)
        {
            return 0;
        }

        var doubling = BitOperations.Log2(microseconds);
        var step = (int)(microseconds >> (doubling - 3)) & (PerDoubling - 1);
        return Math.Min(((doubling - Finest) * PerDoubling) + step, Count - 1);
    }

    /// <summary>Where a bucket begins, in milliseconds.</summary>
    public static double Lower(int index) => (1 << Finest) * Math.Pow(2, index / PerDoubling) * (1 + ((index % PerDoubling) / (double)PerDoubling)) / 1000;

    /// <summary>The counts summed up by doubling: 64 µs to 128 µs, to 256 µs, and so on.</summary>
    public static int[] ByDoubling(ReadOnlySpan<int> counts)
    {
        var sums = new int[Doublings];
        for (var i = 0; i < counts.Length; i++)
        {
            sums[i / PerDoubling] += counts[i];
        }

        return sums;
    }

    /// <summary>
    /// The duration in milliseconds that a share <paramref name="quantile"/> (0 to 1) of <paramref name="counts"/> does not exceed, taken as spread evenly
    /// within a bucket; null without counts.
    /// </summary>
    public static double? Quantile(ReadOnlySpan<int> counts, double quantile)
    {
        long total = 0;
        foreach (var count in counts)
        {
            total += count;
        }

        if (total == 0)
        {
            return null;
        }

        var wanted = quantile * total;
        double before = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            if (before + counts[i] >= wanted && counts[i] > 0)
            {
                return Lower(i) + ((Lower(i + 1) - Lower(i)) * Math.Max(0, wanted - before) / counts[i]);
            }

            before += counts[i];
        }

        return Lower(counts.Length);
    }
}
