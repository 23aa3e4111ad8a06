using System.Collections.Concurrent;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>Redis dies, freezes or forgets while events and their copies come in; one gateway loses and duplicates nothing.</summary>
public sealed class RedisFaultsTests
{
    private const int Senders = 6;

    public static TheoryData<string> Faults => ["kill", "freeze", "flush", "kill for good"];

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Under_load_nothing_is_lost_and_nothing_duplicated(string fault)
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await using var gateway = await StartAsync(upstream, redis);
        var answers = new ConcurrentBag<RawResponse>();
        var sent = new ConcurrentBag<string>();
        var stop = false;
        var senders = Enumerable.Range(0, Senders).Select(s => Task.Run(async () =>
        {
            await using var client = await gateway.ConnectAsync();
            for (var i = 0; !Volatile.Read(ref stop); i++)
            {
                var body = $"event {s}.{i}";
                sent.Add(body);
                answers.Add(await client.ExchangeAsync(Hook.Event(body)));
                answers.Add(await client.ExchangeAsync(Hook.Event(body)));
            }
        })).ToArray();

        await RequestsMoreAsync(100);
        switch (fault)
        {
            case "kill":
                await redis.KillAsync();
                await RequestsMoreAsync(200);
                await redis.RestartAsync();
                break;
            case "kill for good":
                await redis.KillAsync();
                break;
            case "freeze":
                await redis.FreezeAsync();
                await RequestsMoreAsync(200);
                await redis.ThawAsync();
                break;
            case "flush":
                await redis.FlushAllAsync();
                break;
        }

        await RequestsMoreAsync(200);
        Volatile.Write(ref stop, true);
        await Deadline.WaitAsync(Task.WhenAll(senders), "the senders to end");

        Assert.All(answers, static a => Assert.Equal(200, a.Status));
        Assert.Equal(sent.Count, answers.Count(static a => a.IsDelivered()));
        upstream.AssertEachOnce(sent);

        // And what was delivered early is still known at the end, whatever Redis forgot.
        (await gateway.SendAsync(Hook.Event("event 0.0"))).AssertDuplicate();

        async Task RequestsMoreAsync(int count) => await upstream.WaitForRequestAsync(upstream.Requests.Count + count);
    }

    [Theory]
    [InlineData("kill")]
    [InlineData("freeze")]
    public async Task What_was_delivered_while_Redis_was_away_is_written_back(string fault)
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await using var gateway = await StartAsync(upstream, redis);
        (await gateway.SendAsync(Hook.Event("before"))).AssertDelivered();
        await (fault == "kill" ? redis.KillAsync() : redis.FreezeAsync());

        for (var i = 0; i < 20; i++)
        {
            (await gateway.SendAsync(Hook.Event($"meanwhile {i}"))).AssertDelivered();
            (await gateway.SendAsync(Hook.Event($"meanwhile {i}"))).AssertDuplicate();
        }

        Assert.True(gateway.Metrics.Observe("webhookedge.replay.write_back_queue") > 0);
        await (fault == "kill" ? redis.RestartAsync() : redis.ThawAsync());
        await Deadline.UntilAsync(() => gateway.Metrics.Observe("webhookedge.replay.write_back_queue") == 0, "the markers are written back");

        Assert.Null(upstream.Requests[0].Headers["X-Webhook-Replay-Store"]);
        foreach (var request in upstream.Requests.Skip(1))
        {
            Assert.Equal("unavailable", request.Headers["X-Webhook-Replay-Store"]);
            Assert.StartsWith("D:200:", await redis.CommandAsync("GET", "wh:1:" + request.Headers["X-Webhook-Event-Key"]));
        }

        // Another gateway has none of this in its own memory.
        await using var other = await StartAsync(upstream, redis);
        (await other.SendAsync(Hook.Event("meanwhile 7"))).AssertDuplicate();
        Assert.Equal(21, upstream.Requests.Count);
    }

    [Fact]
    public async Task A_stopping_gateway_writes_back_first()
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        string key;
        await using (var gateway = await StartAsync(upstream, redis))
        {
            await redis.FreezeAsync();
            (await gateway.SendAsync(Hook.Event("late"))).AssertDelivered();
            key = upstream.Requests[0].Headers["X-Webhook-Event-Key"]!;
            await Deadline.UntilAsync(() => gateway.Metrics.Observe("webhookedge.replay.write_back_queue") == 1, "the commit has waited in vain");
            await redis.ThawAsync();
        }

        Assert.StartsWith("D:200:", await redis.CommandAsync("GET", "wh:1:" + key));
    }

    [Theory]
    [InlineData("kill")]
    [InlineData("freeze")]
    public async Task A_closed_route_refuses_while_Redis_is_away_and_recovers(string fault)
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await using var gateway = await StartAsync(upstream, redis, """ "replay": { "onStoreError": "closed" } """);
        (await gateway.SendAsync(Hook.Event("before"))).AssertDelivered();
        await (fault == "kill" ? redis.KillAsync() : redis.FreezeAsync());

        for (var i = 0; i < 5; i++)
        {
            var refused = await gateway.SendAsync(Hook.Event("meanwhile"));
            Assert.Equal((503, "1"), (refused.Status, refused.Headers["Retry-After"]));
        }

        Assert.All(gateway.Journal.Reasons(), static r => Assert.Equal(RejectReason.ReplayStoreDown, r));
        (await gateway.SendAsync(Hook.Event("before"))).AssertDuplicate();
        await (fault == "kill" ? redis.RestartAsync() : redis.ThawAsync());
        var answer = await UntilNot503Async(gateway, "meanwhile");

        answer.AssertDelivered();
        upstream.AssertEachOnce(["before", "meanwhile"]);
    }

    [Fact]
    public async Task A_gateway_starts_and_delivers_while_Redis_is_away()
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await redis.KillAsync();
        await using var gateway = await StartAsync(upstream, redis);

        var first = await gateway.SendAsync(Hook.Event("early"));
        var second = await gateway.SendAsync(Hook.Event("early"));
        await Deadline.UntilAsync(() => gateway.Metrics.Observe("webhookedge.replay.write_back_queue") == 1, "the commit has waited in vain");
        await redis.RestartAsync();
        await Deadline.UntilAsync(() => gateway.Metrics.Observe("webhookedge.replay.write_back_queue") == 0, "the marker is written back");

        first.AssertDelivered();
        second.AssertDuplicate();
        Assert.StartsWith("D:200:", await redis.CommandAsync("GET", "wh:1:" + Assert.Single(upstream.Requests).Headers["X-Webhook-Event-Key"]));
    }

    [Fact]
    public async Task A_claim_whose_answer_was_lost_does_not_block_the_event()
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await using var gateway = await StartAsync(upstream, redis);
        (await gateway.SendAsync(Hook.Event("before"))).AssertDelivered();

        // The claim is executed when Redis thaws, long after the gateway stopped waiting for it; the delivery it was for failed.
        upstream.RespondNext(UpstreamAnswer.Status(500));
        await redis.FreezeAsync();
        Assert.Equal(500, (await gateway.SendAsync(Hook.Event("zombie"))).Status);
        await Deadline.UntilAsync(() => gateway.Metrics.Observe("webhookedge.replay.write_back_queue") > 0, "the release has waited in vain");
        await redis.ThawAsync();
        await Deadline.UntilAsync(() => gateway.Metrics.Observe("webhookedge.replay.write_back_queue") == 0, "the release is written back");

        var retry = await gateway.SendAsync(Hook.Event("zombie"));
        retry.AssertDelivered();
        Assert.Equal(3, upstream.Requests.Count);
    }

    [Fact]
    public async Task A_slow_Redis_costs_a_delivery_its_deadline_once_and_no_failed_attempt()
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await using var relay = FaultRelay.Start(new(System.Net.IPAddress.Loopback, redis.Port));
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(file: Hook.WithRedis), upstream.Address,
            new Dictionary<string, string>(Hook.Secrets) { ["redis"] = relay.EndPoint.ToString() });
        (await gateway.SendAsync(Hook.Event("before"))).AssertDelivered();

        foreach (var fault in (IRelayFault[])[new Freeze(), new Slice(), new Blackhole()])
        {
            relay.Apply(fault);
            for (var i = 0; i < 5; i++)
            {
                var answer = await gateway.SendAsync(Hook.Event($"{fault.GetType().Name} {i}"));
                answer.AssertDelivered();
            }
        }

        relay.Cut();
        relay.Heal();
        (await gateway.SendAsync(Hook.Event("after"))).AssertDelivered();
        Assert.Equal(17, upstream.Requests.Count);
    }

    private static async Task<RawResponse> UntilNot503Async(TestGateway gateway, string body)
    {
        using var deadline = new CancellationTokenSource(Deadline.Default, TimeProvider.System);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            var answer = await gateway.SendAsync(Hook.Event(body));
            if (answer.Status != 503)
            {
                return answer;
            }

            await timer.WaitForNextTickAsync(deadline.Token);
        }
    }

    private static async Task<TestGateway> StartAsync(TestUpstream upstream, RedisServer redis, string route = "") =>
        await TestGateway.StartAsync(Hook.Routes(route, Hook.WithRedis), upstream.Address, Hook.SecretsWith(redis));
}
