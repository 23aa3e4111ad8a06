using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.Observability;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Observability;

public sealed class RouteStatsTests : IDisposable
{
    private readonly TestClock _clock = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly GatewayMetrics _metrics;

    public RouteStatsTests() => _metrics = new(_services.GetRequiredService<IMeterFactory>(), _clock);

    [Fact]
    public void Counts_by_second_and_forgets_what_is_old()
    {
        var stats = Stats();
        Deliver(stats);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Deliver(stats);
        Deliver(stats);
        Refuse(stats, RejectReason.SignatureMismatch);
        _clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal([0, 1, 2], stats.Seconds(Outcome.Delivered, 3));
        Assert.Equal([0, 0, 1], stats.Seconds(Outcome.Refused, 3));
        _clock.Advance(TimeSpan.FromSeconds(128));
        Assert.All(stats.Seconds(Outcome.Delivered, RouteStats.SecondsKept), static n => Assert.Equal(0, n));
        Assert.Equal(3, stats.Lately(Outcome.Delivered));
        _clock.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal((0, 3), (stats.Lately(Outcome.Delivered), stats.Total(Outcome.Delivered)));
    }

    [Fact]
    public void Parallel_counts_are_exact()
    {
        var stats = Stats();

        Parallel.For(0, 40_000, i =>
        {
            if (i % 4 == 0)
            {
                Refuse(stats, RejectReason.Duplicate);
            }
            else
            {
                Deliver(stats);
            }
        });

        Assert.Equal((30_000, 10_000, 10_000), (stats.Lately(Outcome.Delivered), stats.Lately(Outcome.Duplicate), stats.Lately(RejectReason.Duplicate)));
        Assert.Equal(30_000, stats.Latencies().Sum());
        Assert.Equal(30_000, stats.StatusesLately(2));
    }

    [Fact]
    public void Failures_in_a_row_end_with_a_delivery()
    {
        var stats = Stats();
        stats.Forwarded(_clock.GetTimestamp(), TimeSpan.Zero, 500, accepted: false, bodyBytes: 2);
        Refuse(stats, RejectReason.UpstreamTimeout);
        _clock.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal((2, 2d, (0, RejectReason.UpstreamTimeout)), (stats.FailuresInRow, stats.SinceFailed!.Value.TotalSeconds, stats.LastFailure));
        Assert.Null(stats.SinceDelivered);
        Deliver(stats);
        Assert.Equal((0, TimeSpan.Zero), (stats.FailuresInRow, stats.SinceDelivered));
    }

    [Fact]
    public void Counting_allocates_nothing()
    {
        var stats = new RouteStats("r", _metrics.Requests, TimeProvider.System);
        Count();

        var before = GC.GetAllocatedBytesForCurrentThread();
        Count();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Count()
        {
            for (var i = 0; i < 100; i++)
            {
                stats.Forwarded(TimeProvider.System.GetTimestamp(), TimeSpan.FromMilliseconds(i), 200, accepted: true, bodyBytes: 2);
                stats.Refused(TimeProvider.System.GetTimestamp(), TimeSpan.Zero, RejectReason.AddressNotAllowed, upstreamStatus: 0);
                stats.WouldRefuse(TimeProvider.System.GetTimestamp(), RejectReason.SignatureMismatch);
                stats.Answered(TimeProvider.System.GetTimestamp(), TimeSpan.Zero);
            }
        }
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.2)]
    [InlineData(1)]
    [InlineData(3.7)]
    [InlineData(950)]
    [InlineData(8500)]
    public void A_bucket_holds_its_duration(double milliseconds)
    {
        var index = LatencyBuckets.IndexOf(TimeSpan.FromMilliseconds(milliseconds));

        Assert.True(index == 0 || LatencyBuckets.Lower(index) <= milliseconds);
        Assert.True(milliseconds < LatencyBuckets.Lower(index + 1));
        Assert.True(index == 0 || LatencyBuckets.Lower(index + 1) / LatencyBuckets.Lower(index) <= 1.1251);
    }

    [Fact]
    public void Buckets_rise_without_gaps_and_the_last_takes_all()
    {
        Assert.All(Enumerable.Range(1, LatencyBuckets.Count), static i => Assert.True(LatencyBuckets.Lower(i) > LatencyBuckets.Lower(i - 1)));
        Assert.Equal(LatencyBuckets.Count - 1, LatencyBuckets.IndexOf(TimeSpan.FromHours(1)));
        Assert.Equal(0, LatencyBuckets.IndexOf(TimeSpan.FromSeconds(-1)));
    }

    [Fact]
    public void Quantiles_are_near_the_truth()
    {
        var counts = new int[LatencyBuckets.Count];
        for (var i = 1; i <= 1000; i++)
        {
            counts[LatencyBuckets.IndexOf(TimeSpan.FromMilliseconds(i))]++;
        }

        Assert.InRange(LatencyBuckets.Quantile(counts, 0.5)!.Value, 470, 530);
        Assert.InRange(LatencyBuckets.Quantile(counts, 0.99)!.Value, 940, 1030);
        Assert.Null(LatencyBuckets.Quantile(new int[LatencyBuckets.Count], 0.5));
    }

    [Fact]
    public void Routes_out_of_force_are_forgotten()
    {
        var kept = _metrics.Requests.Of("kept");
        var gone = _metrics.Requests.Of("gone");

        _metrics.Requests.Retain(new Dictionary<string, bool> { ["kept"] = false });

        Assert.Same(kept, _metrics.Requests.Of("kept"));
        Assert.NotSame(gone, _metrics.Requests.Of("gone"));
    }

    /// <summary>The page and the metrics once counted the same request apart, and could disagree.</summary>
    [Fact]
    public void The_totals_of_outcomes_and_of_reasons_are_one_count()
    {
        var stats = Stats();
        Deliver(stats);
        stats.Forwarded(_clock.GetTimestamp(), TimeSpan.Zero, 404, accepted: false, bodyBytes: 2);
        stats.Answered(_clock.GetTimestamp(), TimeSpan.Zero);
        foreach (var reason in Enum.GetValues<RejectReason>())
        {
            Refuse(stats, reason);
        }

        var reasons = Enum.GetValues<RejectReason>().CountBy(static reason => reason.Describe().Outcome).ToDictionary();
        Assert.Equal(1, stats.Total(Outcome.Delivered));
        Assert.Equal(1, stats.Total(Outcome.Answered));
        Assert.Equal(1, stats.Total(Outcome.Duplicate));
        Assert.Equal(1 + reasons[Outcome.Failed], stats.Total(Outcome.Failed));
        Assert.Equal(reasons[Outcome.Refused], stats.Total(Outcome.Refused));
        Assert.All(Enum.GetValues<Outcome>(), outcome => Assert.Equal(stats.Total(outcome), stats.Lately(outcome)));
        Assert.Equal((1, 1), (stats.UpstreamAnswers(2), stats.UpstreamAnswers(4)));
    }

    public void Dispose()
    {
        _metrics.Dispose();
        _services.Dispose();
    }

    private RouteStats Stats() => new("r", _metrics.Requests, _clock);

    private void Refuse(RouteStats stats, RejectReason reason) => stats.Refused(_clock.GetTimestamp(), TimeSpan.Zero, reason, upstreamStatus: 0);

    private void Deliver(RouteStats stats) => stats.Forwarded(_clock.GetTimestamp(), TimeSpan.FromMilliseconds(3), 200, accepted: true, bodyBytes: 2);
}
