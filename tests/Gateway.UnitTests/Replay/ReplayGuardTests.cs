using System.Globalization;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Replay;

public class ReplayGuardTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private readonly TestClock _clock = new();

    [Fact]
    public async Task A_copy_of_an_accepted_delivery_is_a_duplicate_for_as_long_as_it_is_remembered()
    {
        await using var bench = new ReplayBench(_clock);

        Assert.True((await bench.DeliverAsync("a", ReplayBench.Accepted)).Passed);
        Assert.Equal(RejectReason.Duplicate, (await bench.DeliverAsync("a", ReplayBench.Accepted)).Reason);
        Assert.True((await bench.DeliverAsync("b", ReplayBench.Accepted)).Passed);
        _clock.Advance(TimeSpan.FromHours(72));
        Assert.True((await bench.DeliverAsync("a", ReplayBench.Accepted)).Passed);
    }

    [Theory]
    [InlineData(500, false)]
    [InlineData(404, false)]
    [InlineData(302, false)]
    [InlineData(0, false)]
    [InlineData(202, true)]
    public async Task Only_a_2xx_of_the_upstream_is_remembered(int status, bool remembered)
    {
        await using var bench = new ReplayBench(_clock);

        await bench.DeliverAsync("a", new(status));

        Assert.Equal(remembered, !(await bench.DeliverAsync("a", ReplayBench.Accepted)).Passed);
    }

    [Fact]
    public async Task The_event_key_is_the_hex_text_of_the_replay_key()
    {
        await using var bench = new ReplayBench(_clock);

        var (_, delivery) = await bench.ClaimAsync("a");

        Assert.Matches("^[0-9a-f]{64}$", delivery.EventKeyText);
        Assert.Equal(Stage.Replay, bench.Check.Stage);
    }

    [Fact]
    public async Task Of_fifty_concurrent_copies_one_passes_eight_wait_and_the_others_come_back_later()
    {
        await using var bench = new ReplayBench(_clock);
        var copies = await MeetAsync(bench, 50);

        await copies.First.Claim!.SettleAsync(ReplayBench.Accepted);
        var answers = await Task.WhenAll(copies.Others).WaitAsync(s_patience);

        Assert.Equal(8, answers.Count(a => a.Verdict.Reason == RejectReason.Duplicate));
        Assert.Equal(41, answers.Count(a => a.Verdict.Reason == RejectReason.DuplicateInFlight && a.Verdict.RetryAfter > TimeSpan.Zero));
    }

    [Fact]
    public async Task The_ninth_waiter_is_refused_at_once()
    {
        await using var bench = new ReplayBench(_clock);
        var copies = await MeetAsync(bench, 9);

        var (ninth, delivery) = await bench.ClaimAsync("a").WaitAsync(s_patience);

        Assert.Equal(RejectReason.DuplicateInFlight, ninth.Reason);
        Assert.Equal(TimeSpan.FromSeconds(2), ninth.RetryAfter);
        Assert.Null(delivery.Claim);
        Assert.All(copies.Others, waiting => Assert.False(waiting.IsCompleted));
    }

    [Fact]
    public async Task When_the_first_fails_exactly_one_waiter_takes_over_and_the_others_wait_on()
    {
        await using var bench = new ReplayBench(_clock);
        var copies = await MeetAsync(bench, 9);
        var waiting = copies.Others.ToList();
        var holder = copies.First;

        for (var round = 0; round < 7; round++)
        {
            await holder.Claim!.SettleAsync(ReplayBench.Failed);
            var next = await Task.WhenAny(waiting).WaitAsync(s_patience);
            waiting.Remove(next);
            var (verdict, delivery) = await next;
            Assert.True(verdict.Passed);
            Assert.All(waiting, other => Assert.False(other.IsCompleted));
            holder = delivery;
        }

        await holder.Claim!.SettleAsync(ReplayBench.Accepted);
        Assert.Equal(RejectReason.Duplicate, (await waiting.Single().WaitAsync(s_patience)).Verdict.Reason);
    }

    [Fact]
    public async Task A_wait_ends_with_the_routes_time_counted_from_the_last_body_byte()
    {
        await using var bench = new ReplayBench(_clock);
        await bench.ClaimAsync("a");
        var copy = bench.Receive("a");
        _clock.Advance(TimeSpan.FromSeconds(5));
        var waiting = bench.Check.CheckAsync(copy, default).AsTask();

        _clock.Advance(TimeSpan.FromSeconds(3.4));
        var early = waiting.IsCompleted;
        _clock.Advance(TimeSpan.FromSeconds(0.2));
        var verdict = await waiting.WaitAsync(s_patience);

        Assert.False(early);
        Assert.Equal(RejectReason.DuplicateInFlight, verdict.Reason);
        Assert.Null(copy.Claim);
    }

    [Fact]
    public async Task A_waiter_that_hangs_up_leaves_its_turn_to_the_next()
    {
        await using var bench = new ReplayBench(_clock);
        var (_, holder) = await bench.ClaimAsync("a");
        using var aborted = new CancellationTokenSource();
        var gone = bench.ClaimAsync("a", aborted.Token);
        var stays = bench.ClaimAsync("a");
        await _clock.TimersArmed(2);

        await aborted.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone.WaitAsync(s_patience));
        await holder.Claim!.SettleAsync(ReplayBench.Failed);

        Assert.True((await stays.WaitAsync(s_patience)).Verdict.Passed);
    }

    [Fact]
    public async Task Turns_are_not_lost_when_waiters_hang_up_at_the_moment_they_are_woken()
    {
        for (var round = 0; round < 200; round++)
        {
            await using var bench = new ReplayBench(_clock);
            var (_, holder) = await bench.ClaimAsync("a");
            using var aborted = new CancellationTokenSource();
            var gone = bench.ClaimAsync("a", aborted.Token);
            var stays = bench.ClaimAsync("a");

            var abort = Task.Run(aborted.Cancel);
            var settle = Task.Run(async () => await holder.Claim!.SettleAsync(ReplayBench.Failed));
            await Task.WhenAll(abort, settle).WaitAsync(s_patience);
            if (await Task.WhenAny(gone, stays).WaitAsync(s_patience) == gone && gone.IsCompletedSuccessfully)
            {
                var (verdict, delivery) = await gone;
                Assert.True(verdict.Passed);
                await delivery.Claim!.SettleAsync(ReplayBench.Failed);
            }

            Assert.True((await stays.WaitAsync(s_patience)).Verdict.Passed);
        }
    }

    [Fact]
    public async Task A_claim_whose_holder_vanished_is_free_after_its_lease()
    {
        await using var bench = new ReplayBench(_clock);
        await bench.ClaimAsync("a");

        _clock.Advance(TimeSpan.FromSeconds(10));

        Assert.True((await bench.ClaimAsync("a")).Verdict.Passed);
    }

    [Fact]
    public async Task Settling_twice_does_nothing_the_second_time()
    {
        await using var bench = new ReplayBench(_clock);
        var (_, delivery) = await bench.ClaimAsync("a");
        var claim = delivery.Claim!;
        await claim.SettleAsync(ReplayBench.Accepted);

        await claim.SettleAsync(ReplayBench.Failed);

        Assert.Equal(RejectReason.Duplicate, (await bench.ClaimAsync("a")).Verdict.Reason);
    }

    [Fact]
    public async Task A_late_commit_counts_and_a_late_release_does_not()
    {
        await using var bench = new ReplayBench(_clock);
        var (_, slow) = await bench.ClaimAsync("a");
        _clock.Advance(TimeSpan.FromSeconds(11));
        var (_, second) = await bench.ClaimAsync("a");
        await slow.Claim!.SettleAsync(ReplayBench.Failed);
        var third = bench.ClaimAsync("a");
        await _clock.TimersArmed(1);
        Assert.False(third.IsCompleted);

        await second.Claim!.SettleAsync(ReplayBench.Accepted);

        Assert.Equal(RejectReason.Duplicate, (await third.WaitAsync(s_patience)).Verdict.Reason);
    }

    [Fact]
    public async Task In_memory_a_claim_and_its_end_allocate_nothing()
    {
        await using var bench = new ReplayBench(_clock, memory: 500);
        var deliveries = Enumerable.Range(0, 1_000).Select(i => bench.Receive(i.ToString(CultureInfo.InvariantCulture))).ToArray();
        var completed = 0;
        void Run(ForwardOutcome outcome)
        {
            foreach (var delivery in deliveries)
            {
                var verdict = bench.Check.CheckAsync(delivery, default);
                completed += verdict.IsCompletedSuccessfully ? 1 : 0;
                var settled = delivery.Claim!.SettleAsync(outcome);
                completed += settled.IsCompletedSuccessfully ? 1 : 0;
            }
        }

        Run(ReplayBench.Failed);
        Run(ReplayBench.Accepted);
        completed = 0;
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run(ReplayBench.Accepted);
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(2_000, completed);
        Assert.Equal(0, bytes / deliveries.Length);
    }

    [Fact]
    public async Task A_duplicate_allocates_nothing()
    {
        await using var bench = new ReplayBench(_clock);
        await bench.DeliverAsync("a", ReplayBench.Accepted);
        var copy = bench.Receive("a");
        await bench.Check.CheckAsync(copy, default);

        var before = GC.GetAllocatedBytesForCurrentThread();
        var verdict = await bench.Check.CheckAsync(copy, default);
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(RejectReason.Duplicate, verdict.Reason);
        Assert.Equal(0, bytes);
    }

    [Fact]
    public async Task When_the_memory_is_full_of_deliveries_in_flight_an_open_route_forwards_and_a_closed_one_does_not()
    {
        await using var open = new ReplayBench(_clock, memory: 1);
        await using var closed = new ReplayBench(_clock, memory: 1, closed: true);
        await open.ClaimAsync("a");
        await closed.ClaimAsync("a");

        var (passed, delivery) = await open.ClaimAsync("b");
        var (refused, _) = await closed.ClaimAsync("b");
        await delivery.Claim!.SettleAsync(ReplayBench.Accepted);

        Assert.True(passed.Passed && delivery.ReplayStoreSkipped);
        Assert.Equal(RejectReason.ReplayStoreDown, refused.Reason);
    }

    [Fact]
    public async Task A_waiter_that_finds_the_memory_full_on_a_closed_route_wakes_the_next()
    {
        await using var bench = new ReplayBench(_clock, memory: 1, closed: true);
        var (_, holder) = await bench.ClaimAsync("a");
        var waiting = Enumerable.Range(0, 3).Select(_ => bench.ClaimAsync("a")).ToArray();
        await _clock.TimersArmed(3);

        // The key's place is taken before anybody is woken.
        Assert.True(bench.Memory.Forget(bench.KeyOf("a")));
        Assert.True((await bench.ClaimAsync("b")).Verdict.Passed);
        await holder.Claim!.SettleAsync(ReplayBench.Failed);
        var answers = await Task.WhenAll(waiting).WaitAsync(s_patience);

        Assert.All(answers, answer => Assert.Equal(RejectReason.ReplayStoreDown, answer.Verdict.Reason));
    }

    [Theory]
    [InlineData(200, false)]
    [InlineData(300, true)]
    public async Task A_waiter_takes_over_only_when_enough_time_is_left_to_deliver(int left, bool takesOver)
    {
        await using var bench = new ReplayBench(_clock);
        var (_, holder) = await bench.ClaimAsync("a");
        var waiting = bench.ClaimAsync("a");
        await _clock.TimersArmed(1);
        _clock.Advance(TimeSpan.FromSeconds(8.5) - TimeSpan.FromMilliseconds(left));
        await holder.Claim!.SettleAsync(ReplayBench.Failed);
        var (verdict, delivery) = await waiting.WaitAsync(s_patience);

        Assert.Equal((takesOver, takesOver), (verdict.Passed, delivery.Claim is not null));
        Assert.Equal(takesOver ? RejectReason.NotDecided : RejectReason.DuplicateInFlight, verdict.Reason);
        if (!takesOver)
        {
            Assert.True((await bench.ClaimAsync("a")).Verdict.Passed);
        }
    }

    [Fact]
    public async Task A_waiter_without_time_passes_its_turn_to_one_that_has_it()
    {
        await using var bench = new ReplayBench(_clock);
        var (_, holder) = await bench.ClaimAsync("a");
        var early = bench.ClaimAsync("a");
        await _clock.TimersArmed(1);
        _clock.Advance(TimeSpan.FromSeconds(8.4));
        var late = bench.ClaimAsync("a");
        await _clock.TimersArmed(2);
        await holder.Claim!.SettleAsync(ReplayBench.Failed);

        Assert.Equal(RejectReason.DuplicateInFlight, (await early.WaitAsync(s_patience)).Verdict.Reason);
        Assert.True((await late.WaitAsync(s_patience)).Verdict.Passed);
    }

    [Fact]
    public async Task A_waiter_with_little_time_left_is_still_told_of_a_delivery()
    {
        await using var bench = new ReplayBench(_clock);
        var (_, holder) = await bench.ClaimAsync("a");
        var waiting = bench.ClaimAsync("a");
        await _clock.TimersArmed(1);
        _clock.Advance(TimeSpan.FromSeconds(8.4));
        await holder.Claim!.SettleAsync(ReplayBench.Accepted);

        Assert.Equal(RejectReason.Duplicate, (await waiting.WaitAsync(s_patience)).Verdict.Reason);
    }

    [Fact]
    public async Task What_another_instance_gives_up_too_late_is_not_taken_over_and_left_free_for_the_retry()
    {
        var store = new FaultyReplayStore(_clock);
        await using var one = new ReplayBench(_clock, store);
        await using var two = new ReplayBench(_clock, store, timeout: TimeSpan.FromMilliseconds(300));
        var (_, first) = await one.ClaimAsync("a");
        var copy = two.ClaimAsync("a");
        await _clock.TimersArmed(1);
        await first.Claim!.SettleAsync(ReplayBench.Failed);
        _clock.Advance(TimeSpan.FromMilliseconds(100));

        Assert.Equal(RejectReason.DuplicateInFlight, (await copy.WaitAsync(s_patience)).Verdict.Reason);
        Assert.True((await one.ClaimAsync("a")).Verdict.Passed);
    }

    [Fact]
    public async Task The_first_event_forgotten_before_its_time_is_told_once()
    {
        var log = new LogCapture();
        await using var bench = new ReplayBench(_clock, memory: 10, logger: log.CreateLogger<ReplayGuard>());
        using var metrics = new MetricCapture(bench.Meter);
        for (var i = 0; i < 10; i++)
        {
            await bench.DeliverAsync(i.ToString(CultureInfo.InvariantCulture), ReplayBench.Accepted);
        }

        Assert.Empty(log.WithEvent(3012));
        for (var i = 10; i < 20; i++)
        {
            await bench.DeliverAsync(i.ToString(CultureInfo.InvariantCulture), ReplayBench.Accepted);
        }

        Assert.Contains("full at 10 events", Assert.Single(log.WithEvent(3012)).Text, StringComparison.Ordinal);
        Assert.Equal((10, 10), (bench.Guard.State.MemoryLimit, (int)bench.Guard.State.Forgotten));
        Assert.Equal((10, 10), (metrics.Observe("webhookedge.replay.memory_keys_limit"), metrics.Sum("webhookedge.replay.memory_evictions")));
        bench.Guard.Remember(15);
        for (var i = 20; i < 25; i++)
        {
            await bench.DeliverAsync(i.ToString(CultureInfo.InvariantCulture), ReplayBench.Accepted);
        }

        Assert.Single(log.WithEvent(3012));
        await bench.DeliverAsync("one more", ReplayBench.Accepted);
        Assert.Equal(2, log.WithEvent(3012).Count);
    }

    [Fact]
    public async Task A_forgotten_event_is_delivered_again()
    {
        var store = new FaultyReplayStore(_clock);
        await using var bench = new ReplayBench(_clock, store);
        var (_, delivery) = await bench.ClaimAsync("a");
        await delivery.Claim!.SettleAsync(ReplayBench.Accepted);
        Assert.True(EventKey.TryParse(delivery.EventKeyText, out var key));

        Assert.True(await bench.Guard.ForgetAsync(key, bench.Link!));
        Assert.False(await bench.Guard.ForgetAsync(key, bench.Link!));
        Assert.True((await bench.ClaimAsync("a")).Verdict.Passed);
    }

    /// <summary>Puts <paramref name="count"/> copies in: one holds the key, up to eight wait, the rest were refused.</summary>
    private async Task<(Delivery First, Task<(Verdict Verdict, Delivery Delivery)>[] Others)> MeetAsync(ReplayBench bench, int count)
    {
        var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var pending = Enumerable.Range(0, count).Select(_ => Task.Run(async () =>
        {
            await start.Task;
            return await bench.ClaimAsync("a");
        })).ToList();
        var answered = new List<Task<(Verdict Verdict, Delivery Delivery)>>();
        start.SetResult();
        while (answered.Count < Math.Max(1, count - DuplicateWaitQueue.Seats))
        {
            var next = await Task.WhenAny(pending).WaitAsync(s_patience);
            pending.Remove(next);
            answered.Add(next);
        }

        await _clock.TimersArmed(pending.Count);
        var first = Assert.Single(answered, copy => copy.Result.Verdict.Passed);
        answered.Remove(first);
        return ((await first).Delivery, [.. pending, .. answered]);
    }
}
