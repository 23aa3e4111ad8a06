using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.Primitives;

public class TimestampsTests
{
    [Theory]
    [InlineData(1_000_000_000)]
    [InlineData(10_000_000)]
    [InlineData(3_579_545)]
    [InlineData(24_000_000)]
    public void A_span_is_that_long_whatever_the_clock_counts_in(long frequency)
    {
        var clock = new Clock(frequency);

        foreach (var seconds in new[] { 0, 1, 9.5, 259_200, 31_536_000 })
        {
            Assert.Equal(7 + (long)((decimal)seconds * frequency), clock.After(7, TimeSpan.FromSeconds(seconds)));
        }
    }

    private sealed class Clock(long frequency) : TimeProvider
    {
        public override long TimestampFrequency => frequency;
    }
}
