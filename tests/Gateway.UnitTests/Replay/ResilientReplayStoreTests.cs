using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Replay;

public sealed class ResilientReplayStoreTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private readonly TestClock _clock = new();
    private readonly FaultyReplayStore _store;

    public ResilientReplayStoreTests()
    {
        _store = new(_clock);
    }

    public void Dispose() => _store.Dispose();

    [Fact]
    public async Task Two_instances_on_one_store_deliver_an_event_once()
    {
        await using var one = new ReplayBench(_clock, _store);
        await using var two = new ReplayBench(_clock, _store);

        Assert.True((await one.DeliverAsync("a", ReplayBench.Accepted)).Passed);
        Assert.Equal(RejectReason.Duplicate, (await two.DeliverAsync("a", ReplayBench.Accepted)).Reason);
        Assert.True((await one.DeliverAsync("b", ReplayBench.Failed)).Passed);
        Assert.True((await two.DeliverAsync("b", ReplayBench.Failed)).Passed);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_copy_of_what_another_instance_is_delivering_waits_for_it(bool accepted)
    {
        await using var one = new ReplayBench(_clock, _store);
        await using var two = new ReplayBench(_clock, _store);
        var (_, first) = await one.ClaimAsync("a");
        var copy = two.ClaimAsync("a");
        await _clock.TimersArmed(1);
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        await _clock.TimersArmed(1);
        Assert.False(copy.IsCompleted);

        await first.Claim!.SettleAsync(accepted ? ReplayBench.Accepted : ReplayBench.Failed);
        _clock.Advance(TimeSpan.FromMilliseconds(250));
        var (verdict, delivery) = await copy.WaitAsync(s_patience);

        Assert.Equal(!accepted, verdict.Passed);
        Assert.Equal(accepted ? RejectReason.Duplicate : RejectReason.NotDecided, verdict.Reason);
        Assert.Equal(!accepted, delivery.Claim is not null);
    }

    [Fact]
    public async Task Copies_here_wait_for_the_copy_that_asks_the_store_and_none_asks_itself()
    {
        await using var one = new ReplayBench(_clock, _store);
        await using var two = new ReplayBench(_clock, _store);
        var (_, first) = await one.ClaimAsync("a");
        var asking = two.ClaimAsync("a");
        var waiting = Enumerable.Range(0, 8).Select(_ => two.ClaimAsync("a")).ToArray();
        await _clock.TimersArmed(9);
        var calls = _store.Calls;

        await first.Claim!.SettleAsync(ReplayBench.Accepted);
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        var answers = await Task.WhenAll([asking, .. waiting]).WaitAsync(s_patience);

        Assert.All(answers, answer => Assert.Equal(RejectReason.Duplicate, answer.Verdict.Reason));
        Assert.Equal(calls + 2, _store.Calls);
    }

    [Fact]
    public async Task What_another_instance_does_not_finish_in_time_is_answered_with_come_back_and_left_unclaimed_here()
    {
        await using var one = new ReplayBench(_clock, _store);
        await using var two = new ReplayBench(_clock, _store, timeout: TimeSpan.FromMilliseconds(150));
        var (_, first) = await one.ClaimAsync("a");
        var copy = two.ClaimAsync("a");
        await _clock.TimersArmed(1);
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        await _clock.TimersArmed(1);
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        var (verdict, _) = await copy.WaitAsync(s_patience);
        await first.Claim!.SettleAsync(ReplayBench.Failed);

        Assert.Equal((RejectReason.DuplicateInFlight, TimeSpan.FromSeconds(2)), (verdict.Reason, verdict.RetryAfter));
        Assert.True((await two.ClaimAsync("a")).Verdict.Passed);
    }

    [Fact]
    public async Task A_sender_that_hangs_up_while_the_store_is_polled_leaves_nothing_claimed()
    {
        await using var one = new ReplayBench(_clock, _store);
        await using var two = new ReplayBench(_clock, _store);
        var (_, first) = await one.ClaimAsync("a");
        using var aborted = new CancellationTokenSource();
        var copy = two.ClaimAsync("a", aborted.Token);
        await _clock.TimersArmed(1);

        await aborted.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => copy.WaitAsync(s_patience));
        await first.Claim!.SettleAsync(ReplayBench.Failed);

        Assert.True((await two.ClaimAsync("a")).Verdict.Passed);
    }

    [Fact]
    public async Task While_the_store_is_away_an_open_route_forwards_says_so_and_still_knows_its_duplicates()
    {
        await using var bench = new ReplayBench(_clock, _store);
        _store.Away = true;

        var (verdict, delivery) = await bench.ClaimAsync("a");
        var copy = bench.ClaimAsync("a");
        await delivery.Claim!.SettleAsync(ReplayBench.Accepted);

        Assert.True(verdict.Passed && delivery.ReplayStoreSkipped);
        Assert.Equal(RejectReason.Duplicate, (await copy.WaitAsync(s_patience)).Verdict.Reason);
        Assert.Equal(1, bench.Link!.Queued);
        _store.Away = false;
    }

    [Fact]
    public async Task Markers_are_written_back_once_the_store_is_there_again()
    {
        await using var bench = new ReplayBench(_clock, _store);
        await using var other = new ReplayBench(_clock, _store);
        _store.Away = true;
        for (var i = 0; i < 300; i++)
        {
            Assert.True((await bench.DeliverAsync(i.ToString(CultureInfo.InvariantCulture), ReplayBench.Accepted)).Passed);
        }

        Assert.Equal(300, bench.Link!.Queued);
        _store.Away = false;
        await DrainAsync(bench);

        for (var i = 0; i < 300; i++)
        {
            Assert.Equal(RejectReason.Duplicate, (await other.ClaimAsync(i.ToString(CultureInfo.InvariantCulture))).Verdict.Reason);
        }

        Assert.Equal(0, bench.Link.BreakerState);
    }

    [Fact]
    public async Task While_the_store_is_away_a_closed_route_refuses_and_leaves_nothing_claimed()
    {
        await using var bench = new ReplayBench(_clock, _store, closed: true);
        _store.LosesAnswers = true;
        var (verdict, delivery) = await bench.ClaimAsync("a");
        _store.LosesAnswers = false;

        Assert.Equal((RejectReason.ReplayStoreDown, TimeSpan.FromSeconds(1)), (verdict.Reason, verdict.RetryAfter));
        Assert.Null(delivery.Claim);
        await DrainAsync(bench);
        await using var other = new ReplayBench(_clock, _store, closed: true);
        Assert.True((await other.ClaimAsync("a")).Verdict.Passed);
    }

    [Fact]
    public async Task A_claim_that_took_effect_though_its_answer_was_lost_does_not_block_the_retry()
    {
        await using var bench = new ReplayBench(_clock, _store);
        _store.LosesAnswers = true;
        var (_, delivery) = await bench.ClaimAsync("a");
        _store.LosesAnswers = false;
        _store.Away = true;
        await delivery.Claim!.SettleAsync(ReplayBench.Failed);
        _store.Away = false;
        _clock.Advance(TimeSpan.FromSeconds(2.5));

        var (retry, _) = await bench.ClaimAsync("a").WaitAsync(s_patience);

        Assert.True(retry.Passed);
    }

    [Fact]
    public async Task A_commit_overrides_a_claim_whose_answer_was_lost()
    {
        await using var bench = new ReplayBench(_clock, _store);
        await using var other = new ReplayBench(_clock, _store);
        _store.LosesAnswers = true;
        var (_, delivery) = await bench.ClaimAsync("a");
        _store.LosesAnswers = false;

        await delivery.Claim!.SettleAsync(ReplayBench.Accepted);
        await DrainAsync(bench);

        Assert.Equal(RejectReason.Duplicate, (await other.ClaimAsync("a")).Verdict.Reason);
    }

    [Fact]
    public async Task A_commit_that_fails_is_no_error_for_the_sender_and_is_flushed_on_the_way_out()
    {
        var bench = new ReplayBench(_clock, _store);
        var (_, delivery) = await bench.ClaimAsync("a");
        _store.Away = true;
        await delivery.Claim!.SettleAsync(ReplayBench.Accepted);
        Assert.Equal(RejectReason.Duplicate, (await bench.ClaimAsync("a")).Verdict.Reason);
        _store.Away = false;

        await bench.DisposeAsync();

        await using var other = new ReplayBench(_clock, _store);
        Assert.Equal(RejectReason.Duplicate, (await other.ClaimAsync("a")).Verdict.Reason);
        Assert.True(_store.IsDisposed);
    }

    [Fact]
    public async Task Closing_does_not_wait_for_ever_for_a_store_that_stays_away()
    {
        var bench = new ReplayBench(_clock, _store);
        _store.Away = true;
        await bench.DeliverAsync("a", ReplayBench.Accepted);

        var closing = bench.DisposeAsync().AsTask();
        for (var i = 0; i < 20 && !closing.IsCompleted; i++)
        {
            await Task.WhenAny(closing, _clock.TimersArmed(1));
            _clock.Advance(TimeSpan.FromMilliseconds(250));
        }

        await closing.WaitAsync(s_patience);
        Assert.True(_store.IsDisposed);
    }

    [Fact]
    public async Task After_three_faults_the_store_is_spared_for_one_to_two_seconds_and_then_probed_by_one()
    {
        await using var bench = new ReplayBench(_clock, _store);
        _store.Away = true;
        await bench.ClaimAsync("a");
        await bench.ClaimAsync("b");
        Assert.Equal((2, 0), (_store.Calls, bench.Link!.BreakerState));
        await bench.ClaimAsync("c");
        Assert.Equal((3, 2), (_store.Calls, bench.Link.BreakerState));

        _clock.Advance(TimeSpan.FromSeconds(0.99));
        await bench.ClaimAsync("d");
        Assert.Equal(3, _store.Calls);

        _clock.Advance(TimeSpan.FromSeconds(1.02));
        Assert.Equal(1, bench.Link.BreakerState);
        await bench.ClaimAsync("e");
        await bench.ClaimAsync("f");
        Assert.Equal(4, _store.Calls);

        _store.Away = false;
        _clock.Advance(TimeSpan.FromSeconds(2.01));
        var (_, delivery) = await bench.ClaimAsync("g");
        Assert.Equal((5, 0, false), (_store.Calls, bench.Link.BreakerState, delivery.ReplayStoreSkipped));
    }

    [Fact]
    public async Task One_foreign_value_at_one_key_keeps_the_store_from_nobody_however_often_its_event_is_retried()
    {
        await using var bench = new ReplayBench(_clock, _store);
        _store.Foreign.Add(bench.KeyOf("poisoned"));
        for (var i = 0; i < 20; i++)
        {
            var (verdict, poisoned) = await bench.ClaimAsync("poisoned");
            Assert.True(verdict.Passed && poisoned.ReplayStoreSkipped);
            await poisoned.Claim!.SettleAsync(ReplayBench.Failed);
        }

        var (_, other) = await bench.ClaimAsync("other");

        Assert.Equal((0, false, 0), (bench.Link!.BreakerState, other.ReplayStoreSkipped, bench.Link.Queued));
    }

    [Fact]
    public async Task A_foreign_value_on_a_closed_route_refuses_its_event_alone()
    {
        await using var bench = new ReplayBench(_clock, _store, closed: true);
        _store.Foreign.Add(bench.KeyOf("poisoned"));

        var (refused, _) = await bench.ClaimAsync("poisoned");
        var (passed, _) = await bench.ClaimAsync("other");

        Assert.Equal(RejectReason.ReplayStoreDown, refused.Reason);
        Assert.Contains("not ours", refused.Detail, StringComparison.Ordinal);
        Assert.True(passed.Passed);
        Assert.True((await bench.DeliverAsync("other 2", ReplayBench.Accepted)).Passed);
    }

    [Fact]
    public async Task What_the_store_does_not_take_keeps_back_no_other_marker()
    {
        await using var bench = new ReplayBench(_clock, _store);
        await using var other = new ReplayBench(_clock, _store);
        _store.Away = true;
        foreach (var name in (string[])["poisoned", "a", "b"])
        {
            await bench.DeliverAsync(name, ReplayBench.Accepted);
        }

        _store.Foreign.Add(bench.KeyOf("poisoned"));
        _store.Away = false;
        await UntilAsync(() => bench.Link!.Queued == 1);

        Assert.Equal(RejectReason.Duplicate, (await other.ClaimAsync("a")).Verdict.Reason);
        Assert.Equal(RejectReason.Duplicate, (await other.ClaimAsync("b")).Verdict.Reason);
        _store.Foreign.Clear();
    }

    [Fact]
    public async Task A_queued_release_is_not_replaced_by_that_of_another_owner()
    {
        var key = new EventKey(SHA256.HashData("a"u8));
        var lease = TimeSpan.FromSeconds(10);
        await using var bench = new ReplayBench(_clock, _store);

        // Owner 1 holds the key, and its release does not arrive; owner 2 claimed in vain, and gives up as well.
        Assert.Equal(ClaimState.Claimed, (await _store.ClaimAsync(key, 1, lease)).State);
        _store.Away = true;
        await bench.Link!.ReleaseAsync(key, 1, lease);
        await bench.Link.ReleaseAsync(key, 2, lease);
        Assert.Equal(2, bench.Link.Queued);
        _store.Away = false;
        await DrainAsync(bench);

        Assert.Equal(ClaimState.Claimed, (await _store.ClaimAsync(key, 3, lease)).State);
    }

    [Fact]
    public async Task A_queued_commit_is_not_replaced_by_a_release()
    {
        var key = new EventKey(SHA256.HashData("a"u8));
        await using var bench = new ReplayBench(_clock, _store);
        _store.Away = true;
        await bench.Link!.ReleaseAsync(key, 1, TimeSpan.FromSeconds(10));
        await bench.Link.CommitAsync(key, 200, TimeSpan.FromHours(1));
        await bench.Link.ReleaseAsync(key, 2, TimeSpan.FromSeconds(10));
        Assert.Equal(2, bench.Link.Queued);
        _store.Away = false;
        await DrainAsync(bench);

        Assert.Equal(ClaimState.Done, (await _store.ClaimAsync(key, 3, TimeSpan.FromSeconds(10))).State);
    }

    [Fact]
    public async Task Forgetting_is_not_overtaken_by_a_write_back_that_is_on_its_way()
    {
        var key = new EventKey(SHA256.HashData("a"u8));
        await using var bench = new ReplayBench(_clock, _store);
        _store.Away = true;
        await bench.Link!.CommitAsync(key, 200, TimeSpan.FromHours(1));
        var hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await SettledAsync(bench);
        var calls = _store.Calls;
        (_store.Until, _store.Away) = (hold.Task, false);

        // The write-back has taken the marker and its command is on the wire.
        await UntilAsync(() => _store.Calls > calls);
        var forgetting = bench.Link.ForgetAsync(key).AsTask();
        _store.Until = null;
        hold.SetResult();
        Assert.True(await forgetting.WaitAsync(s_patience));
        await DrainAsync(bench);

        Assert.Equal(ClaimState.Claimed, (await _store.ClaimAsync(key, 3, TimeSpan.FromSeconds(10))).State);
    }

    [Fact]
    public async Task Forgetting_is_not_undone_by_a_delivery_whose_marker_did_not_arrive()
    {
        var key = new EventKey(SHA256.HashData("a"u8));
        await using var bench = new ReplayBench(_clock, _store);
        var hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.Until = hold.Task;
        var committing = bench.Link!.CommitAsync(key, 200, TimeSpan.FromHours(1)).AsTask();
        _store.Until = null;
        await bench.Link.ForgetAsync(key);

        _store.Away = true;
        hold.SetResult();
        await committing.WaitAsync(s_patience);

        Assert.Equal(0, bench.Link.Queued);
        _store.Away = false;
    }

    [Fact]
    public async Task The_write_back_queue_is_bounded()
    {
        await using var bench = new ReplayBench(_clock, _store);
        _store.Away = true;
        for (var i = 0; i < ResilientReplayStore.WriteBackLimit + 50; i++)
        {
            await bench.Link!.CommitAsync(new(SHA256.HashData(BitConverter.GetBytes(i))), 200, TimeSpan.FromHours(1));
        }

        Assert.Equal(ResilientReplayStore.WriteBackLimit, bench.Link!.Queued);
        _store.Away = false;
    }

    [Fact]
    public async Task Forgetting_takes_a_marker_off_the_queue_and_says_when_the_store_may_still_know_it()
    {
        await using var bench = new ReplayBench(_clock, _store);
        _store.Away = true;
        var (_, delivery) = await bench.ClaimAsync("a");
        await delivery.Claim!.SettleAsync(ReplayBench.Accepted);
        Assert.True(EventKey.TryParse(delivery.EventKeyText, out var key));

        await Assert.ThrowsAsync<ReplayStoreException>(async () => await bench.Guard.ForgetAsync(key, bench.Link!));

        Assert.Equal(0, bench.Link!.Queued);
        _store.Away = false;
        _clock.Advance(TimeSpan.FromSeconds(2.5));
        Assert.True((await bench.ClaimAsync("a")).Verdict.Passed);
    }

    [Fact]
    public async Task Links_are_shared_by_connection_string_and_closed_a_while_after_nobody_uses_them()
    {
        await using var bench = new ReplayBench(_clock);
        var link = bench.Guard.Links.Connect(Connection("127.0.0.1:1,connectTimeout=100"));

        Assert.Same(link, bench.Guard.Links.Connect(Connection("127.0.0.1:1,connectTimeout=100")));
        await bench.Guard.Links.RetainAsync([]);
        _clock.Advance(TimeSpan.FromMinutes(11));
        await bench.Guard.Links.RetainAsync([]);
        Assert.NotSame(link, bench.Guard.Links.Connect(Connection("127.0.0.1:1,connectTimeout=100")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("password=hunter2")]
    [InlineData("localhost,hunter2=x=y,what=hunter2")]
    public async Task A_bad_connection_string_is_refused_without_being_repeated(string connectionString)
    {
        await using var bench = new ReplayBench(_clock);

        var fault = Assert.Throws<FormatException>(() => bench.Guard.Links.Connect(Connection(connectionString)));

        Assert.DoesNotContain("hunter2", fault.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Until the breaker is open, so that the write-back waits.</summary>
    private Task SettledAsync(ReplayBench bench) => UntilAsync(() => bench.Link!.BreakerState == 2);

    private async Task UntilAsync(Func<bool> condition)
    {
        var begin = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(begin) < s_patience, "waited in vain");
            _clock.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }
    }

    /// <summary>Lets time pass until the write-back queue is empty.</summary>
    private Task DrainAsync(ReplayBench bench) => UntilAsync(() => bench.Link!.Queued == 0);

    private static Secret Connection(string text) => new("env:REDIS", Encoding.UTF8.GetBytes(text));
}
