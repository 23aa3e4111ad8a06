using FsCheck;
using FsCheck.Fluent;
using WebhookEdge.LoadTests;

namespace WebhookEdge.UnitTests.LoadTests;

public sealed class LatencyHistogramTests
{
    [Fact]
    public void A_percentile_is_within_one_in_128_of_the_sorted_values()
    {
        // From a tick (100 ns) to two hours, every magnitude as often as the others.
        var durations = from bits in Gen.Choose(0, 35) from part in Gen.Choose(0, 1_000_000) select TimeSpan.FromTicks(1 + (long)((1L << bits) * (part / 1e6)));
        var property = Prop.ForAll(durations.NonEmptyListOf().ToArbitrary(), Gen.Choose(0, 1000).Select(tenth => tenth / 10.0).ToArbitrary(),
            (values, percent) =>
        {
            var histogram = new LatencyHistogram();
            foreach (var value in values)
            {
                histogram.Record(value);
            }

            var sorted = values.Order().ToArray();
            var exact = sorted[Math.Max(0, (int)Math.Ceiling(sorted.Length * percent / 100) - 1)];
            var found = histogram.Percentile(percent);
            return found >= exact && (found - exact).Ticks <= exact.Ticks / 128;
        });

        Check.One(Config.QuickThrowOnFailure, property);
    }

    [Fact]
    public void Histograms_add_up_to_one_of_all_their_values()
    {
        var (one, other, both) = (new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram());
        for (var i = 1; i <= 1000; i++)
        {
            (i % 3 == 0 ? one : other).Record(TimeSpan.FromMicroseconds(i));
            both.Record(TimeSpan.FromMicroseconds(i));
        }

        one.Add(other);

        Assert.Equal((1000, TimeSpan.FromMicroseconds(1000)), (one.Count, one.Max));
        Assert.All(new[] { 0, 1, 50, 99, 99.9, 100 }, percent => Assert.Equal(both.Percentile(percent), one.Percentile(percent)));
    }

    [Fact]
    public void Nothing_recorded_is_zero_and_what_is_beyond_its_range_counts_as_the_longest()
    {
        var histogram = new LatencyHistogram();
        Assert.Equal(TimeSpan.Zero, histogram.Percentile(99));

        histogram.Record(TimeSpan.FromMilliseconds(-1));
        histogram.Record(TimeSpan.FromDays(1));

        Assert.Equal(TimeSpan.Zero, histogram.Percentile(50));
        Assert.Equal(TimeSpan.FromDays(1), histogram.Max);
        Assert.InRange(histogram.Percentile(100), TimeSpan.FromHours(2), TimeSpan.FromDays(1));
    }
}
