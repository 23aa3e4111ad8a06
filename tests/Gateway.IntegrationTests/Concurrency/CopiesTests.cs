using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.IntegrationTests.Concurrency;

/// <summary>Many copies of one event at once: one reaches the upstream. <c>true</c> stands for a Redis behind the gateway.</summary>
public sealed class CopiesTests
{
    private const string Body = """{"event":"the only one"}""";

    public static TheoryData<int, bool> Crowds => new() { { 50, false }, { 100, false }, { 50, true }, { 100, true } };

    [Theory]
    [MemberData(nameof(Crowds))]
    public async Task Copies_sent_at_once_reach_the_upstream_once_and_none_is_told_it_failed(int copies, bool shared)
    {
        await using var upstream = TestUpstream.Start();
        await using var store = shared ? await RedisServer.StartAsync() : null;
        await using var gateway = await StartAsync(upstream, store);
        var clients = await ConnectAsync(gateway, copies);

        var answers = await Deadline.WaitAsync(Task.WhenAll(clients.Select(c => RetryAsync(c, Hook.Event(Body)))), "every copy to be answered");

        Assert.All(answers, static a => Assert.Equal(200, a.Status));
        Assert.Single(answers, static a => a.IsDelivered());
        Assert.Single(upstream.Requests);
        Assert.Empty(upstream.BrokenRequests);
        await CloseAsync(clients);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task While_one_copy_is_in_flight_eight_wait_and_the_ninth_is_told_to_come_back(bool shared)
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.Respond(UpstreamAnswer.Ok.HeldUntil(gate.Task));
        await using var store = shared ? await RedisServer.StartAsync() : null;
        await using var gateway = await StartAsync(upstream, store);
        var clients = await ConnectAsync(gateway, 50);
        var pending = clients.Select(static c => c.ExchangeAsync(Hook.Event(Body))).ToList();

        var refused = new List<RawResponse>();
        for (var i = 0; i < 50 - 1 - DuplicateWaitQueue.Seats; i++)
        {
            var next = await Deadline.WaitAsync(Task.WhenAny(pending), "a copy without a seat to be refused");
            pending.Remove(next);
            refused.Add(await next);
        }

        gate.SetResult();
        var answered = await Deadline.WaitAsync(Task.WhenAll(pending), "the waiting copies to be answered");

        Assert.All(refused, static a => Assert.Equal((503, "2"), (a.Status, a.Headers["Retry-After"])));
        Assert.Equal(1 + DuplicateWaitQueue.Seats, answered.Length);
        Assert.All(answered, static a => Assert.Equal(200, a.Status));
        Assert.Single(answered, static a => a.IsDelivered());
        Assert.Single(upstream.Requests);
        await CloseAsync(clients);
    }

    [Fact]
    public async Task Two_gateways_on_one_Redis_let_one_copy_through()
    {
        await using var upstream = TestUpstream.Start();
        await using var store = await RedisServer.StartAsync();
        await using var one = await StartAsync(upstream, store);
        await using var other = await StartAsync(upstream, store);
        RawHttpClient[] clients = [.. await ConnectAsync(one, 50), .. await ConnectAsync(other, 50)];

        var answers = await Deadline.WaitAsync(Task.WhenAll(clients.Select(c => RetryAsync(c, Hook.Event(Body)))), "every copy to be answered");

        Assert.All(answers, static a => Assert.Equal(200, a.Status));
        Assert.Single(answers, static a => a.IsDelivered());
        Assert.Single(upstream.Requests);
        await CloseAsync(clients);
    }

    [Theory]
    [InlineData("500", false)]
    [InlineData("reset", false)]
    [InlineData("500", true)]
    [InlineData("reset", true)]
    public async Task When_the_first_copy_fails_exactly_one_of_those_waiting_goes_through(string how, bool shared)
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        var failure = how == "500" ? UpstreamAnswer.Status(500, "boom") : UpstreamAnswer.ResetBeforeHead;
        upstream.RespondNext(failure.HeldUntil(gate.Task));
        await using var store = shared ? await RedisServer.StartAsync() : null;
        await using var gateway = await StartAsync(upstream, store);
        var clients = await ConnectAsync(gateway, 1 + DuplicateWaitQueue.Seats);
        var first = clients[0].ExchangeAsync(Hook.Event(Body));
        await upstream.WaitForRequestAsync();
        var waiting = clients.Skip(1).Select(static c => c.ExchangeAsync(Hook.Event(Body))).ToArray();
        await Deadline.UntilAsync(() => gateway.Metrics.Sum("webhookedge.replay.waits") == DuplicateWaitQueue.Seats, "eight copies wait");

        gate.SetResult();
        var failed = await first;
        var answers = await Deadline.WaitAsync(Task.WhenAll(waiting), "the waiting copies to be answered");

        Assert.Equal(how == "500" ? 500 : 502, failed.Status);
        Assert.All(answers, static a => Assert.Equal(200, a.Status));
        Assert.Single(answers, static a => a.IsDelivered());
        Assert.Equal(2, upstream.Requests.Count);
        await CloseAsync(clients);
    }

    [Fact]
    public async Task A_copy_that_fails_at_one_gateway_is_taken_over_by_exactly_one_at_another()
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.Status(500).HeldUntil(gate.Task));
        await using var store = await RedisServer.StartAsync();
        await using var one = await StartAsync(upstream, store);
        await using var other = await StartAsync(upstream, store);
        var clients = await ConnectAsync(one, 1);
        var first = clients[0].ExchangeAsync(Hook.Event(Body));
        await upstream.WaitForRequestAsync();
        RawHttpClient[] elsewhere = await ConnectAsync(other, 5);
        var waiting = elsewhere.Select(static c => c.ExchangeAsync(Hook.Event(Body))).ToArray();
        await Deadline.UntilAsync(() => other.Metrics.Sum("webhookedge.replay.waits") == 5, "five copies wait at the other gateway");

        gate.SetResult();
        var failed = await first;
        var answers = await Deadline.WaitAsync(Task.WhenAll(waiting), "the waiting copies to be answered");

        Assert.Equal(500, failed.Status);
        Assert.All(answers, static a => Assert.Equal(200, a.Status));
        Assert.Single(answers, static a => a.IsDelivered());
        Assert.Equal(2, upstream.Requests.Count);
        await CloseAsync([.. clients, .. elsewhere]);
    }

    [Fact]
    public async Task When_every_attempt_fails_the_copies_take_their_turns_one_at_a_time()
    {
        var gates = Enumerable.Range(0, 1 + DuplicateWaitQueue.Seats).Select(static _ => new TaskCompletionSource()).ToArray();
        await using var upstream = TestUpstream.Start();
        upstream.Respond(r => UpstreamAnswer.Status(500).HeldUntil(gates[r.Number - 1].Task));
        await using var gateway = await StartAsync(upstream, null);
        var clients = await ConnectAsync(gateway, gates.Length);
        var pending = clients.Select(static c => c.ExchangeAsync(Hook.Event(Body))).ToArray();
        await Deadline.UntilAsync(() => gateway.Metrics.Sum("webhookedge.replay.waits") == DuplicateWaitQueue.Seats, "eight copies wait");

        for (var turn = 1; turn <= gates.Length; turn++)
        {
            await upstream.WaitForRequestAsync(turn);
            Assert.Equal(turn, upstream.Requests.Count);
            gates[turn - 1].SetResult();
        }

        Assert.All(await Deadline.WaitAsync(Task.WhenAll(pending), "every copy to be answered"), static a => Assert.Equal(500, a.Status));
        Assert.Equal(gates.Length, upstream.Requests.Count);
        await CloseAsync(clients);
    }

    [Fact]
    public async Task A_copy_that_waits_for_another_gateway_in_vain_is_told_to_come_back()
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.Respond(UpstreamAnswer.Ok.HeldUntil(gate.Task));
        await using var store = await RedisServer.StartAsync();
        await using var slow = await StartAsync(upstream, store);
        await using var hasty = await TestGateway.StartAsync(Hook.Routes(""" "timeout": "400ms" """, Hook.WithRedis), upstream.Address, Hook.SecretsWith(store));
        await using var first = await slow.ConnectAsync();
        await first.SendAsync(Hook.Event(Body));
        await upstream.WaitForRequestAsync();

        var second = await hasty.SendAsync(Hook.Event(Body));
        gate.SetResult();
        var delivered = await first.ReadResponseAsync();
        var retry = await hasty.SendAsync(Hook.Event(Body));

        Assert.Equal((503, "2"), (second.Status, second.Headers["Retry-After"]));
        Assert.Equal(RejectReason.DuplicateInFlight, hasty.Journal.Reasons()[0]);
        delivered.AssertDelivered();
        retry.AssertDuplicate();
        Assert.Single(upstream.Requests);
    }

    [Fact]
    public async Task Different_events_do_not_wait_for_each_other()
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.Respond(r => r.BodyText == Body ? UpstreamAnswer.Ok.HeldUntil(gate.Task) : UpstreamAnswer.Ok);
        await using var gateway = await StartAsync(upstream, null);
        await using var held = await gateway.ConnectAsync();
        await held.SendAsync(Hook.Event(Body));
        await upstream.WaitForRequestAsync();

        var answers = await Deadline.WaitAsync(Task.WhenAll(Enumerable.Range(0, 20).Select(i => gateway.SendAsync(Hook.Event($"event {i}")))),
            "the other events");
        gate.SetResult();

        Assert.All(answers, static a => a.AssertDelivered());
        (await held.ReadResponseAsync()).AssertDelivered();
    }

    /// <summary>As a provider does: comes back after a 503.</summary>
    private static async Task<RawResponse> RetryAsync(RawHttpClient client, RawRequest request)
    {
        while (true)
        {
            var answer = await client.ExchangeAsync(request);
            if (answer.Status != 503)
            {
                return answer;
            }

            Assert.Equal("2", answer.Headers["Retry-After"]);
        }
    }

    private static Task<TestGateway> StartAsync(TestUpstream upstream, RedisServer? store) => store is null
        ? TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets)
        : TestGateway.StartAsync(Hook.Routes(file: Hook.WithRedis), upstream.Address, Hook.SecretsWith(store));

    private static Task<RawHttpClient[]> ConnectAsync(TestGateway gateway, int count) =>
        Task.WhenAll(Enumerable.Range(0, count).Select(_ => gateway.ConnectAsync()));

    private static async Task CloseAsync(IEnumerable<RawHttpClient> clients)
    {
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }
}
