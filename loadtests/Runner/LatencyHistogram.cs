using System.Numerics;

namespace WebhookEdge.LoadTests;

/// <summary>
/// Counts durations in buckets whose width grows with the duration, so that every value is kept to within 1/128 of itself, from a nanosecond to
/// two hours, in 36 KB and without allocating. For one thread; add histograms up afterwards.
/// </summary>
internal sealed class LatencyHistogram
{
    private const int PrecisionBits = 7;
    private const int Half = 1 << PrecisionBits;
    private const long Largest = (1L << 43) - 1;

    private readonly long[] _counts = new long[((43 - PrecisionBits) * Half) + Half];

    public long Count { get; private set; }

    /// <summary>The longest duration recorded, exact.</summary>
    public TimeSpan Max { get; private set; }

    public void Record(TimeSpan duration)
    {
        var nanoseconds = Math.Clamp(duration.Ticks * TimeSpan.NanosecondsPerTick, 0, Largest);
        _counts[BucketOf(nanoseconds)]++;
        Count++;
        Max = duration > Max ? duration : Max;
    }

    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }

        Count += other.Count;
        Max = other.Max > Max ? other.Max : Max;
    }

    /// <summary>The duration that <paramref name="percent"/> (0 to 100) of the recorded ones do not exceed; zero when nothing was recorded.</summary>
    public TimeSpan Percentile(double percent)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(percent);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(percent, 100);
        var wanted = Math.Max(1, (long)Math.Ceiling(Count * percent / 100));
        var seen = 0L;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= wanted)
            {
                var end = TimeSpan.FromTicks(HighestIn(i) / TimeSpan.NanosecondsPerTick);
                return end < Max ? end : Max;
            }
        }

        return TimeSpan.Zero;
    }

    // Below 128 ns a bucket a nanosecond; above, each doubling is cut into 128 equal parts.
    private static int BucketOf(long nanoseconds)
    {
        if (nanoseconds < Half)
        {
            return (int)nanoseconds;
        }

        var shift = BitOperations.Log2((ulong)nanoseconds) - PrecisionBits;
        return (shift << PrecisionBits) + (int)(nanoseconds >> shift);
    }

    private static long HighestIn(int bucket)
    {
        if (bucket < Half * 2)
        {
            return bucket;
        }

        var shift = (bucket >> PrecisionBits) - 1;
        return (((long)(bucket & (Half - 1)) + Half + 1) << shift) - 1;
    }
}
