using System.Net.Security;
using System.Text;
using WebhookEdge.Gate;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>A sender that leaves: before its body is whole it has done nothing, afterwards the delivery does not hang on it.</summary>
public sealed class SenderHangsUpTests
{
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public async Task In_the_middle_of_the_body_and_nothing_is_forwarded_or_claimed(bool reset, bool chunked)
    {
        var body = new string('b', 50_000);
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);
        var request = chunked ? Hook.Event(body).Chunked(10_000, 20_000) : Hook.Event(body);
        await using (var client = await gateway.ConnectAsync())
        {
            await client.SendAsync(request.ToBytes().AsMemory(..^1_000));
            await Deadline.UntilAsync(() => gateway.Host.Services.GetRequiredService<Capacity>().BufferedBytes > 45_000, "the gateway holds most of the body");
            if (reset)
            {
                client.Reset();
            }
            else
            {
                client.HalfClose();
            }

            await Deadline.UntilAsync(() => gateway.Journal.Newest().Count == 1, "the request is given up");
        }

        var whole = await gateway.SendAsync(request);

        Assert.Equal(RejectReason.BodyIncomplete, gateway.Journal.Newest()[0].Reason);
        whole.AssertDelivered();
        Assert.Single(upstream.Requests);
        Assert.Equal(1, upstream.ConnectionCount);
        await NothingIsHeldAsync(gateway);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task While_it_is_forwarded_and_the_retry_is_a_duplicate(bool reset)
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.Ok.HeldUntil(gate.Task));
        await using var gateway = await StartAsync(upstream);
        await using (var client = await gateway.ConnectAsync())
        {
            await client.SendAsync(Hook.Event("one"));
            await upstream.WaitForRequestAsync();
            if (reset)
            {
                client.Reset();
            }
        }

        // The retry comes while the first copy is still at the upstream.
        var retry = gateway.SendAsync(Hook.Event("one"));
        await Deadline.UntilAsync(() => gateway.Metrics.Sum("webhookedge.replay.waits") == 1, "the retry waits for the first copy");
        gate.SetResult();

        (await Deadline.WaitAsync(retry, "the retry")).AssertDuplicate();
        (await gateway.SendAsync(Hook.Event("one"))).AssertDuplicate();
        upstream.AssertEachOnce(["one"]);
    }

    [Fact]
    public async Task With_a_large_body_and_every_byte_of_it_arrives()
    {
        var body = string.Concat(Enumerable.Range(0, 300_000).Select(static i => $"{i:x8}|"));
        await using var upstream = TestUpstream.Start();
        await using var relay = FaultRelay.Start(upstream.EndPoint);
        var freeze = new Freeze();
        relay.Apply(freeze, RelayDirection.ToTarget);
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(""" "maxBody": "5MiB" """), $"http://{relay.EndPoint}", Hook.Secrets);
        await using (var client = await gateway.ConnectAsync())
        {
            await client.SendAsync(Hook.Event(body));
            await relay.WaitForConnectionAsync();
            client.Reset();
        }

        // Others use the server's buffers meanwhile; none of their bytes may turn up in this body.
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => gateway.SendAsync(Hook.Event(new string('x', 100_000), secret: "wrong"))));
        relay.Heal();
        var arrived = await upstream.WaitForRequestAsync();

        Assert.Equal(body, Encoding.UTF8.GetString(arrived.Body));
        (await gateway.SendAsync(Hook.Event(body))).AssertDuplicate();
        Assert.Single(upstream.Requests);
        await NothingIsHeldAsync(gateway);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Having_ended_its_side_after_a_complete_request_it_gets_its_answer(bool chunked, bool tls)
    {
        await using var upstream = TestUpstream.Start();
        using var files = new TempDirectory();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets,
            arguments: tls ? TestCertificate.Endpoint(files) : null);

        // Often, because what is at stake is a race between the end of the input and the request.
        for (var i = 0; i < 20; i++)
        {
            var request = Hook.Event($"event {i} {new string('.', i * 1000)}");
            request = chunked ? request.Chunked(10) : request;
            await using var client = await RawHttpClient.ConnectAsync(gateway.EndPoint,
                tls: tls ? TestCertificate.ClientOptions(SslApplicationProtocol.Http11) : null);
            await client.SendInPiecesAsync(request.ToBytes(), i % 2 == 0 ? 100_000 : request.HeadBytes().Length);
            client.HalfClose();

            (await client.ReadResponseAsync()).AssertDelivered();
            Assert.True((await client.ReadToCloseAsync()).Orderly);
        }

        Assert.Equal(20, upstream.Requests.Count);
        Assert.Empty(gateway.Journal.Newest());
    }

    [Fact]
    public async Task Having_ended_its_side_after_several_requests_it_gets_an_answer_to_each()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);
        await using var client = await gateway.ConnectAsync();
        await client.SendAsync((byte[])[.. Hook.Event("one").ToBytes(), .. Hook.Event("two", secret: "wrong").ToBytes(), .. Hook.Event("three").ToBytes()]);
        client.HalfClose();

        (await client.ReadResponseAsync()).AssertDelivered();
        Assert.Equal(401, (await client.ReadResponseAsync()).Status);
        (await client.ReadResponseAsync()).AssertDelivered();
        Assert.True((await client.ReadToCloseAsync()).Orderly);
        upstream.AssertEachOnce(["one", "three"]);
    }

    [Fact]
    public async Task Having_ended_its_side_while_the_app_works_it_gets_the_answer()
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.Status(200, new string('a', 300_000)).HeldUntil(gate.Task));
        await using var gateway = await TestGateway.StartAsync(
            Hook.Routes(), upstream.Address, Hook.Secrets,
            arguments: ["--urls", "http://127.0.0.1:0", "--Logging:LogLevel:Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets", "Debug"]);
        await using var client = await gateway.ConnectAsync();
        await client.SendAsync(Hook.Event("one"));
        await upstream.WaitForRequestAsync();
        client.HalfClose();
        await gateway.Logs.WaitForAsync(static line => line.Text.Contains("received FIN", StringComparison.Ordinal), "the server has met the end");
        gate.SetResult();

        Assert.Equal(300_000, (await client.ReadResponseAsync()).Body.Length);
        await NothingIsHeldAsync(gateway);
    }

    [Fact]
    public async Task An_idle_connection_that_its_sender_ended_is_closed()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);
        await using var fresh = await gateway.ConnectAsync();
        fresh.HalfClose();
        Assert.True((await fresh.ReadToCloseAsync()).Orderly);

        await using var used = await gateway.ConnectAsync();
        (await used.ExchangeAsync(Hook.Event("one"))).AssertDelivered();
        used.HalfClose();
        Assert.True((await used.ReadToCloseAsync()).Orderly);
    }

    [Fact]
    public async Task A_probe_of_the_admin_listener_that_ended_its_side_gets_its_answer()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);
        for (var i = 0; i < 10; i++)
        {
            await using var client = await RawHttpClient.ConnectAsync(gateway.Admin.Port);
            await client.SendAsync(RawRequest.Get("/healthz"));
            client.HalfClose();

            Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        }
    }

    [Fact]
    public async Task While_it_waits_as_a_copy_and_its_seat_is_free_again()
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.Ok.HeldUntil(gate.Task));
        await using var gateway = await StartAsync(upstream);
        await using var first = await gateway.ConnectAsync();
        await first.SendAsync(Hook.Event("one"));
        await upstream.WaitForRequestAsync();
        var waiting = new List<RawHttpClient>();
        for (var i = 0; i < DuplicateWaitQueue.Seats; i++)
        {
            waiting.Add(await gateway.ConnectAsync());
            await waiting[i].SendAsync(Hook.Event("one"));
        }

        await Deadline.UntilAsync(() => gateway.Metrics.Sum("webhookedge.replay.waits") == DuplicateWaitQueue.Seats, "every seat is taken");
        Assert.Equal(503, (await gateway.SendAsync(Hook.Event("one"))).Status);
        // Who only ended its side still reads, and waits on.
        waiting[5].HalfClose();
        waiting[3].Reset();
        await Deadline.UntilAsync(() => gateway.Journal.Newest().Count == 2, "the copy that left is given up");
        Assert.Equal(RejectReason.SenderHungUp, gateway.Journal.Newest()[0].Reason);
        var late = gateway.SendAsync(Hook.Event("one"));
        await Deadline.UntilAsync(() => gateway.Metrics.Sum("webhookedge.replay.waits") == DuplicateWaitQueue.Seats + 1, "the free seat is taken");
        gate.SetResult();

        (await Deadline.WaitAsync(late, "the late copy")).AssertDuplicate();
        (await first.ReadResponseAsync()).AssertDelivered();
        foreach (var client in waiting.Where((_, i) => i != 3))
        {
            (await client.ReadResponseAsync()).AssertDuplicate();
        }

        upstream.AssertEachOnce(["one"]);
        foreach (var client in waiting)
        {
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task While_it_waits_for_the_routes_budget_and_its_body_is_not_blamed()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(""" "rateLimit": { "route": { "permits": 1, "window": "1h", "queue": 5 } } """),
            upstream.Address, Hook.Secrets);
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();
        await using (var client = await gateway.ConnectAsync())
        {
            // Of another length than the first: its bytes are given back a moment after its answer, and must not be taken for these. A connection that is reset
            // before its request was read leaves nothing behind.
            await client.SendAsync(Hook.Event("the second"));
            await Deadline.UntilAsync(() => gateway.Host.Services.GetRequiredService<Capacity>().BufferedBytes == "the second".Length, "the second event waits");
            client.Reset();
            await Deadline.UntilAsync(() => gateway.Journal.Newest().Count == 1, "the event that nobody waits for is given up");
        }

        Assert.Equal(RejectReason.SenderHungUp, gateway.Journal.Newest()[0].Reason);
        Assert.Equal(1, gateway.Metrics.Sum("webhookedge.requests", ("reason", "sender-hung-up")));
        Assert.Equal(0, gateway.Metrics.Sum("webhookedge.requests", ("reason", "body-incomplete")));
        upstream.AssertEachOnce(["one"]);
    }

    [Fact]
    public async Task Having_left_as_a_waiting_copy_it_takes_no_turn_from_the_others()
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.Status(500).HeldUntil(gate.Task));
        await using var gateway = await StartAsync(upstream);
        await using var first = await gateway.ConnectAsync();
        await first.SendAsync(Hook.Event("one"));
        await upstream.WaitForRequestAsync();
        await using var second = await gateway.ConnectAsync();
        await second.SendAsync(Hook.Event("one"));
        await Deadline.UntilAsync(() => gateway.Metrics.Sum("webhookedge.replay.waits") == 1, "the second copy waits");
        await using var third = await gateway.ConnectAsync();
        await third.SendAsync(Hook.Event("one"));
        await Deadline.UntilAsync(() => gateway.Metrics.Sum("webhookedge.replay.waits") == 2, "the third copy waits");

        second.Reset();
        await Deadline.UntilAsync(() => gateway.Journal.Newest().Count == 1, "the copy that left is given up");
        gate.SetResult();

        Assert.Equal(500, (await first.ReadResponseAsync()).Status);
        (await third.ReadResponseAsync()).AssertDelivered();
        upstream.AssertEachOnce(["one", "one"]);
    }

    // Given back after the answer has left, so a moment after it was read.
    private static Task NothingIsHeldAsync(TestGateway gateway) =>
        Deadline.UntilAsync(() => gateway.Host.Services.GetRequiredService<Capacity>().BufferedBytes == 0, "all buffered bytes to be given back");

    private static Task<TestGateway> StartAsync(TestUpstream upstream) => TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
}
