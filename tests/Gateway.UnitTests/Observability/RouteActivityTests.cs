using WebhookEdge.Observability;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Observability;

public sealed class RouteActivityTests
{
    private readonly TestClock _clock = new();

    [Fact]
    public void Counts_by_second_and_forgets_what_is_old()
    {
        var activity = new RouteActivity(_clock);
        Deliver(activity);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Deliver(activity);
        Deliver(activity);
        activity.Refused(_clock.GetTimestamp(), RejectReason.SignatureMismatch);
        _clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal([0, 1, 2], activity.Seconds(Fate.Delivered, 3));
        Assert.Equal([0, 0, 1], activity.Seconds(Fate.Refused, 3));
        _clock.Advance(TimeSpan.FromSeconds(128));
        Assert.All(activity.Seconds(Fate.Delivered, RouteActivity.SecondsKept), static n => Assert.Equal(0, n));
        Assert.Equal(3, activity.Lately(Fate.Delivered));
        _clock.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal((0, 3), (activity.Lately(Fate.Delivered), activity.Total(Fate.Delivered)));
    }

    [Fact]
    public void Parallel_counts_are_exact()
    {
        var activity = new RouteActivity(_clock);

        Parallel.For(0, 40_000, i =>
        {
            if (i % 4 == 0)
            {
                activity.Refused(_clock.GetTimestamp(), RejectReason.Duplicate);
            }
            else
            {
                Deliver(activity);
            }
        });

        Assert.Equal((30_000, 10_000, 10_000), (activity.Lately(Fate.Delivered), activity.Lately(Fate.Duplicate), activity.Lately(RejectReason.Duplicate)));
        Assert.Equal(30_000, activity.Latencies().Sum());
        Assert.Equal(30_000, activity.StatusesLately(2));
    }

    [Fact]
    public void Failures_in_a_row_end_with_a_delivery()
    {
        var activity = new RouteActivity(_clock);
        activity.Forwarded(_clock.GetTimestamp(), TimeSpan.Zero, 500, accepted: false);
        activity.Refused(_clock.GetTimestamp(), RejectReason.UpstreamTimeout);
        _clock.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal((2, 2d, (0, RejectReason.UpstreamTimeout)), (activity.FailuresInRow, activity.SinceFailed!.Value.TotalSeconds, activity.LastFailure));
        Assert.Null(activity.SinceDelivered);
        Deliver(activity);
        Assert.Equal((0, TimeSpan.Zero), (activity.FailuresInRow, activity.SinceDelivered));
    }

    [Fact]
    public void Counting_allocates_nothing()
    {
        var activity = new RouteActivity(TimeProvider.System);
        Count();

        var before = GC.GetAllocatedBytesForCurrentThread();
        Count();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Count()
        {
            for (var i = 0; i < 100; i++)
            {
                activity.Forwarded(TimeProvider.System.GetTimestamp(), TimeSpan.FromMilliseconds(i), 200, accepted: true);
                activity.Refused(TimeProvider.System.GetTimestamp(), RejectReason.AddressNotAllowed);
                activity.Observed(TimeProvider.System.GetTimestamp(), RejectReason.SignatureMismatch);
                activity.Answered(TimeProvider.System.GetTimestamp());
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
        var activities = new RouteActivities(_clock);
        var kept = activities.Of("kept");
        var gone = activities.Of("gone");

        activities.Retain(["kept"]);

        Assert.Same(kept, activities.Of("kept"));
        Assert.NotSame(gone, activities.Of("gone"));
    }

    private void Deliver(RouteActivity activity) => activity.Forwarded(_clock.GetTimestamp(), TimeSpan.FromMilliseconds(3), 200, accepted: true);
}
