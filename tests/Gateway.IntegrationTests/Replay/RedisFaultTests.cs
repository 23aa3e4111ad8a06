using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.IntegrationTests.Replay;

/// <summary>Redis is taken away under use. With one instance nothing may be lost and nothing delivered twice, whatever happens to it.</summary>
public sealed class RedisFaultTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private readonly ConcurrentDictionary<string, int> _delivered = new();
    private RedisServer _redis = null!;
    private ReplayBench _gateway = null!;

    public async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _gateway = await OpenAsync(deadline: RedisReplayStore.DefaultDeadline);
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Theory]
    [InlineData("kill")]
    [InlineData("freeze")]
    [InlineData("flush")]
    [InlineData("restart empty")]
    [InlineData("readonly")]
    [InlineData("out of memory")]
    public async Task Every_event_is_delivered_once_and_every_marker_arrives(string fault)
    {
        await DeliverTwiceAsync("before", 30);

        await BreakAsync(fault);
        await DeliverTwiceAsync("during", 30);
        await MendAsync(fault);
        await WaitForAsync(() => _gateway.Link!.Queued == 0, "the write-back to finish");
        await DeliverTwiceAsync("after", 30);

        Assert.Equal(90, _delivered.Count);
        Assert.All(_delivered.Values, times => Assert.Equal(1, times));
        await using var other = await OpenAsync();
        Assert.Equal(30, await DuplicatesAsync(other, "during", 30));
        Assert.Equal(30, await DuplicatesAsync(other, "after", 30));
    }

    [Fact]
    public async Task Redis_that_dies_between_claim_and_commit_loses_and_repeats_nothing()
    {
        var claims = await Task.WhenAll(Enumerable.Range(0, 20).Select(n => _gateway.ClaimAsync(Name("x", n))));
        await _redis.KillAsync();
        await Task.WhenAll(claims.Select((claim, n) => claim.Delivery.Claim!.SettleAsync(n % 2 == 0 ? ReplayBench.Accepted : ReplayBench.Failed).AsTask()))
            .WaitAsync(s_patience);

        for (var n = 0; n < 20; n++)
        {
            var verdict = await _gateway.DeliverAsync(Name("x", n), ReplayBench.Accepted).WaitAsync(s_patience);
            Assert.Equal(n % 2 == 1, verdict.Passed);
        }

        await _redis.RestartAsync();
        await WaitForAsync(() => _gateway.Link!.Queued == 0, "the write-back to finish");
        await using var other = await OpenAsync();
        Assert.Equal(20, await DuplicatesAsync(other, "x", 20));
    }

    [Fact]
    public async Task A_flush_between_claim_and_commit_changes_nothing()
    {
        await using var gateway = await OpenAsync();
        var (_, delivery) = await gateway.ClaimAsync("x");
        await _redis.FlushAllAsync();
        await delivery.Claim!.SettleAsync(ReplayBench.Accepted);

        await using var other = await OpenAsync();
        Assert.Equal(RejectReason.Duplicate, (await other.ClaimAsync("x")).Verdict.Reason);
    }

    [Fact]
    public async Task Two_instances_that_get_the_same_events_at_once_deliver_each_once()
    {
        await using var one = await OpenAsync();
        await using var other = await OpenAsync();

        await Task.WhenAll(Enumerable.Range(0, 50).SelectMany(n => new[] { DeliverAsync(one, Name("x", n)), DeliverAsync(other, Name("x", n)) }))
            .WaitAsync(s_patience);

        Assert.Equal(50, _delivered.Count);
        Assert.All(_delivered.Values, times => Assert.Equal(1, times));
    }

    [Fact]
    public async Task What_fails_on_one_instance_is_taken_over_by_a_copy_waiting_on_another()
    {
        await using var one = await OpenAsync();
        await using var other = await OpenAsync();
        var (_, first) = await one.ClaimAsync("x");
        var copies = Enumerable.Range(0, 5).Select(_ => other.ClaimAsync("x")).ToList();

        await first.Claim!.SettleAsync(ReplayBench.Failed);
        var heir = await Task.WhenAny(copies).WaitAsync(s_patience);
        copies.Remove(heir);
        Assert.True((await heir).Verdict.Passed);
        await (await heir).Delivery.Claim!.SettleAsync(ReplayBench.Accepted);
        var answers = await Task.WhenAll(copies).WaitAsync(s_patience);

        Assert.All(answers, answer => Assert.Equal(RejectReason.Duplicate, answer.Verdict.Reason));
    }

    [Fact]
    public async Task A_closed_route_refuses_while_redis_is_away_and_recovers_by_itself()
    {
        await using var closed = await OpenAsync(closed: true, deadline: RedisReplayStore.DefaultDeadline);
        await _redis.KillAsync();
        var refused = (await closed.ClaimAsync("x")).Verdict;
        await _redis.RestartAsync();

        Verdict passed = default;
        await WaitForAsync(async () => (passed = (await closed.DeliverAsync("x", ReplayBench.Accepted))).Passed, "the route to open again");

        Assert.Equal(RejectReason.ReplayStoreDown, refused.Reason);
        Assert.True(passed.Passed);
        Assert.Equal(0, closed.Link!.BreakerState);
    }

    [Fact]
    public async Task A_gateway_started_while_redis_is_away_finds_it_later()
    {
        await _redis.KillAsync();
        await using var early = new ReplayBench(TimeProvider.System, Open());
        var (verdict, delivery) = await early.ClaimAsync("x").WaitAsync(s_patience);
        await delivery.Claim!.SettleAsync(ReplayBench.Accepted);
        Assert.True(verdict.Passed && delivery.ReplayStoreSkipped);

        await _redis.RestartAsync();
        await WaitForAsync(() => early.Link!.Queued == 0, "the write-back to finish");

        await using var other = await OpenAsync();
        Assert.Equal(RejectReason.Duplicate, (await other.ClaimAsync("x")).Verdict.Reason);
    }

    private static string Name(string phase, int n) => string.Create(CultureInfo.InvariantCulture, $"{phase} {n}");

    private static async Task<int> DuplicatesAsync(ReplayBench gateway, string phase, int count)
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, count).Select(n => gateway.ClaimAsync(Name(phase, n)))).WaitAsync(s_patience);
        return answers.Count(answer => answer.Verdict.Reason == RejectReason.Duplicate);
    }

    private static Task WaitForAsync(Func<bool> condition, string what) => WaitForAsync(() => Task.FromResult(condition()), what);

    /// <summary>Polls what only shows from outside: a server's return.</summary>
    private static async Task WaitForAsync(Func<Task<bool>> condition, string what)
    {
        var begin = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(begin) < s_patience, $"waited {s_patience} for {what}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    private async Task DeliverTwiceAsync(string phase, int count)
    {
        var copies = Enumerable.Range(0, count).SelectMany(n => new[] { DeliverAsync(_gateway, Name(phase, n)), DeliverAsync(_gateway, Name(phase, n)) });
        var verdicts = await Task.WhenAll(copies).WaitAsync(s_patience);
        Assert.All(verdicts, verdict => Assert.True(verdict.Passed || verdict.Reason == RejectReason.Duplicate, verdict.Reason.ToString()));
    }

    private async Task<Verdict> DeliverAsync(ReplayBench gateway, string name)
    {
        var (verdict, delivery) = await gateway.ClaimAsync(name);
        if (verdict.Passed)
        {
            _delivered.AddOrUpdate(name, 1, static (_, times) => times + 1);
            await Task.Yield();
            await delivery.Claim!.SettleAsync(ReplayBench.Accepted);
        }

        return verdict;
    }

    private async Task BreakAsync(string fault)
    {
        switch (fault)
        {
            case "kill":
                await _redis.KillAsync();
                break;
            case "freeze":
                await _redis.FreezeAsync();
                break;
            case "flush":
                await _redis.FlushAllAsync();
                break;
            case "restart empty":
                await _redis.KillAsync();
                await _redis.RestartAsync();
                break;
            case "readonly":
                await _redis.CommandAsync("REPLICAOF", "127.0.0.1", "1");
                break;
            default:
                await _redis.CommandAsync("CONFIG", "SET", "maxmemory", "1");
                break;
        }
    }

    private Task MendAsync(string fault) => fault switch
    {
        "kill" => _redis.RestartAsync(),
        "freeze" => _redis.ThawAsync(),
        "readonly" => _redis.CommandAsync("REPLICAOF", "NO", "ONE"),
        "out of memory" => _redis.CommandAsync("CONFIG", "SET", "maxmemory", "0"),
        _ => Task.CompletedTask,
    };

    private RedisReplayStore Open(TimeSpan? deadline = null) =>
        RedisReplayStore.Open(_redis.ConnectionString, TimeProvider.System, NullLogger.Instance, deadline);

    /// <summary>
    /// An instance that has reached its Redis. Unless told otherwise it waits long for answers: what two instances promise together they
    /// promise while Redis answers in time, and a busy build machine is not what is tested.
    /// </summary>
    private async Task<ReplayBench> OpenAsync(bool closed = false, TimeSpan? deadline = null)
    {
        var store = Open(deadline ?? s_patience);
        await WaitForAsync(async () =>
        {
            try
            {
                await store.ForgetAsync(default);
                return true;
            }
            catch (ReplayStoreException)
            {
                return false;
            }
        }, "Redis to answer");
        return new(TimeProvider.System, store, closed);
    }
}
