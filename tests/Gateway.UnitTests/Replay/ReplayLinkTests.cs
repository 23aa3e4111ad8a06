using System.Globalization;
using System.Security.Cryptography;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Replay;

public sealed class ReplayLinkTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private readonly TestClock _clock = new();
    private readonly FaultyReplayStore _store;

    public ReplayLinkTests()
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
    public async Task After_a_fault_the_store_is_spared_for_one_to_two_seconds_and_then_probed_by_one()
    {
        await using var bench = new ReplayBench(_clock, _store);
        _store.Away = true;
        await bench.ClaimAsync("a");
        Assert.Equal((1, 2), (_store.Calls, bench.Link!.BreakerState));

        _clock.Advance(TimeSpan.FromSeconds(0.99));
        await bench.ClaimAsync("b");
        Assert.Equal(1, _store.Calls);

        _clock.Advance(TimeSpan.FromSeconds(1.02));
        Assert.Equal(1, bench.Link.BreakerState);
        await bench.ClaimAsync("c");
        await bench.ClaimAsync("d");
        Assert.Equal(2, _store.Calls);

        _store.Away = false;
        _clock.Advance(TimeSpan.FromSeconds(2.01));
        var (_, delivery) = await bench.ClaimAsync("e");
        Assert.Equal((3, 0, false), (_store.Calls, bench.Link.BreakerState, delivery.ReplayStoreSkipped));
    }

    [Fact]
    public void A_half_open_breaker_lets_one_caller_in_until_that_one_reports()
    {
        var breaker = new StoreBreaker(_clock, new Random(1));
        Assert.True(breaker.Failed(out var pause));
        Assert.InRange(pause, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        Assert.False(breaker.TryEnter());

        _clock.Advance(pause + TimeSpan.FromMilliseconds(1));
        Assert.True(breaker.TryEnter());
        Assert.False(breaker.TryEnter());
        breaker.Abandon();
        Assert.True(breaker.TryEnter());
        Assert.False(breaker.Failed(out pause));
        Assert.False(breaker.TryEnter());
        _clock.Advance(pause + TimeSpan.FromMilliseconds(1));
        Assert.True(breaker.TryEnter());
        Assert.True(breaker.Succeeded());
        Assert.True(breaker.TryEnter() && breaker.TryEnter());
    }

    [Fact]
    public async Task The_write_back_queue_is_bounded()
    {
        await using var bench = new ReplayBench(_clock, _store);
        _store.Away = true;
        for (var i = 0; i < ReplayLink.WriteBackLimit + 50; i++)
        {
            await bench.Link!.CommitAsync(new(SHA256.HashData(BitConverter.GetBytes(i))), 200, TimeSpan.FromHours(1));
        }

        Assert.Equal(ReplayLink.WriteBackLimit, bench.Link!.Queued);
        _store.Away = false;
    }

    [Fact]
    public async Task Forgetting_takes_a_marker_off_the_queue_and_says_when_the_store_may_still_know_it()
    {
        await using var bench = new ReplayBench(_clock, _store);
        _store.Away = true;
        var (_, delivery) = await bench.ClaimAsync("a");
        await delivery.Claim!.SettleAsync(ReplayBench.Accepted);
        Assert.True(ReplayKey.TryParse(delivery.EventKey, out var key));

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
        var link = bench.Guard.Connect("127.0.0.1:1,connectTimeout=100");

        Assert.Same(link, bench.Guard.Connect("127.0.0.1:1,connectTimeout=100"));
        await bench.Guard.RetainAsync([]);
        _clock.Advance(TimeSpan.FromMinutes(11));
        await bench.Guard.RetainAsync([]);
        Assert.NotSame(link, bench.Guard.Connect("127.0.0.1:1,connectTimeout=100"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("password=hunter2")]
    [InlineData("localhost,hunter2=x=y,what=hunter2")]
    public async Task A_bad_connection_string_is_refused_without_being_repeated(string connectionString)
    {
        await using var bench = new ReplayBench(_clock);

        var fault = Assert.Throws<FormatException>(() => bench.Guard.Connect(connectionString));

        Assert.DoesNotContain("hunter2", fault.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Lets time pass until the write-back queue is empty.</summary>
    private async Task DrainAsync(ReplayBench bench)
    {
        for (var i = 0; i < 200 && bench.Link!.Queued > 0; i++)
        {
            try
            {
                await _clock.TimersArmed(1);
            }
            catch (TimeoutException) when (bench.Link.Queued == 0)
            {
                return;
            }

            _clock.Advance(TimeSpan.FromMilliseconds(250));
            for (var spin = 0; spin < 100 && bench.Link.Queued > 0; spin++)
            {
                await Task.Yield();
            }
        }

        Assert.Equal(0, bench.Link!.Queued);
    }
}
