namespace WebhookEdge.Primitives;

/// <summary>Arithmetic on <see cref="TimeProvider.GetTimestamp"/>.</summary>
internal static class Timestamps
{
    /// <summary>The timestamp that lies <paramref name="span"/> after <paramref name="from"/>; spans up to 290 years.</summary>
    public static long After(this TimeProvider time, long from, TimeSpan span)
    {
        var frequency = time.TimestampFrequency;

        // Every clock but Windows' counts in whole parts of a tick. Days in nanoseconds times ticks need more than 64 bits, and dividing those takes longer
        // than the look-up.
        return frequency % TimeSpan.TicksPerSecond == 0
            ? from + (span.Ticks * (frequency / TimeSpan.TicksPerSecond))
            : from + (long)((Int128)span.Ticks * frequency / TimeSpan.TicksPerSecond);
    }
}
