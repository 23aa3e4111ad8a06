using System.Security.Cryptography;
using System.Text;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>The upstream has the request and then misbehaves. Without a 2xx the key is released and a retry reaches it; a 2xx is a fact.</summary>
public sealed class UpstreamFaultsTests
{
    [Fact]
    public async Task An_upstream_that_never_answers_costs_the_timeout_and_a_retry_reaches_it()
    {
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.Never);
        await using var gateway = await StartAsync(upstream, """ "timeout": "700ms" """);
        var begin = TimeProvider.System.GetTimestamp();

        var answer = await gateway.SendAsync(Hook.Event("one"));
        var took = TimeProvider.System.GetElapsedTime(begin);
        var retry = await gateway.SendAsync(Hook.Event("one"));

        Assert.Equal((504, "1"), (answer.Status, answer.Headers["Retry-After"]));
        Assert.InRange(took, TimeSpan.FromMilliseconds(690), TimeSpan.FromSeconds(5));
        Assert.Equal([RejectReason.UpstreamTimeout], gateway.Journal.Reasons());
        retry.AssertDelivered();
        Assert.Equal(2, upstream.Requests.Count);
    }

    public static TheoryData<string> BeforeTheHead =>
        ["reset before the head", "close before the head", "reset in the head", "nonsense", "huge headers", "redirect", "101", "600", "999"];

    [Theory]
    [MemberData(nameof(BeforeTheHead))]
    public async Task Without_a_whole_answer_the_sender_gets_502_and_a_retry_reaches_the_upstream(string fault)
    {
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(fault switch
        {
            "reset before the head" => UpstreamAnswer.ResetBeforeHead,
            "close before the head" => UpstreamAnswer.CloseBeforeHead,
            "reset in the head" => UpstreamAnswer.ResetInHead,
            "nonsense" => UpstreamAnswer.Raw("SSH-2.0-OpenSSH_9.2p1\r\n\r\n", AfterAnswer.Close),
            "huge headers" => UpstreamAnswer.HugeHeaders(256 * 1024),
            "redirect" => UpstreamAnswer.Redirect(307, "http://127.0.0.1:9/elsewhere"),
            "600" or "999" => UpstreamAnswer.Raw($"HTTP/1.1 {fault} Whatever\r\nContent-Length: 2\r\n\r\nno"),
            _ => UpstreamAnswer.Raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", AfterAnswer.Close),
        });
        await using var gateway = await StartAsync(upstream);
        await using var client = await gateway.ConnectAsync();

        var answer = await client.ExchangeAsync(Hook.Event("one"));
        var retry = await client.ExchangeAsync(Hook.Event("one"));

        Assert.Equal((502, "1"), (answer.Status, answer.Headers["Retry-After"]));
        Assert.Empty(answer.Body);
        Assert.Null(answer.Headers["Location"]);
        Assert.Equal([RejectReason.UpstreamFailed], gateway.Journal.Reasons());
        retry.AssertDelivered();
        Assert.Equal(["one", "one"], upstream.Requests.Select(static r => r.BodyText));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(503)]
    public async Task A_refusal_of_the_upstream_is_passed_on_and_a_retry_reaches_it(int status)
    {
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.Status(status, "no, thanks", ("Retry-After", "7"), ("X-App", "says no")));
        await using var gateway = await StartAsync(upstream);

        var answer = await gateway.SendAsync(Hook.Event("one"));
        var retry = await gateway.SendAsync(Hook.Event("one"));

        Assert.Equal((status, "no, thanks", "7", "says no"), (answer.Status, answer.BodyText, answer.Headers["Retry-After"], answer.Headers["X-App"]));
        retry.AssertDelivered();
        Assert.Equal(2, upstream.Requests.Count);
    }

    [Theory]
    [InlineData("reset after the head")]
    [InlineData("half of the body")]
    [InlineData("chunk cut off")]
    public async Task A_2xx_that_breaks_off_is_a_fact_and_its_retry_a_duplicate(string fault)
    {
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(fault switch
        {
            "reset after the head" => UpstreamAnswer.ResetAfterHead,
            "half of the body" => UpstreamAnswer.HalfBody,
            _ => UpstreamAnswer.Raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nnot two hundred and fifty-five", AfterAnswer.Close),
        });
        await using var gateway = await StartAsync(upstream);

        // Broken, or 502: whole is what it must not look.
        var broken = await Record.ExceptionAsync(async () => Assert.Equal(502, (await gateway.SendAsync(Hook.Event("one"))).Status));
        var retry = await gateway.SendAsync(Hook.Event("one"));

        Assert.True(broken is null or IOException, $"{broken}");
        retry.AssertDuplicate();
        Assert.Single(upstream.Requests);
        Assert.Equal([RejectReason.UpstreamFailed, RejectReason.Duplicate], gateway.Journal.Reasons());
    }

    [Fact]
    public async Task A_2xx_whose_body_never_ends_is_cut_at_the_timeout_and_committed()
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.Status(200, "at last").BodyHeldUntil(gate.Task));
        await using var gateway = await StartAsync(upstream, """ "timeout": "700ms" """);

        var broken = await Record.ExceptionAsync(async () => Assert.Equal(502, (await gateway.SendAsync(Hook.Event("one"))).Status));
        var retry = await gateway.SendAsync(Hook.Event("one"));
        gate.SetResult();

        Assert.True(broken is null or IOException, $"{broken}");
        retry.AssertDuplicate();
        Assert.Single(upstream.Requests);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(102)]
    [InlineData(103)]
    public async Task Interim_answers_are_not_the_answer(int status)
    {
        await using var upstream = TestUpstream.Start();
        upstream.Respond(UpstreamAnswer.Status(201, "made").WithInterim(status, ("Link", "</style.css>; rel=preload")).WithInterim(status));
        await using var gateway = await StartAsync(upstream);

        var answer = await gateway.SendAsync(Hook.Event("one"));

        Assert.Equal((201, "made"), (answer.Status, answer.BodyText));
        (await gateway.SendAsync(Hook.Event("one"))).AssertDuplicate();
        Assert.Single(upstream.Requests);
    }

    [Theory]
    [InlineData(nameof(Rest.Reads))]
    [InlineData(nameof(Rest.Ignores))]
    [InlineData(nameof(Rest.Closes))]
    public async Task An_answer_before_the_body_was_read_corrupts_no_later_request(string rest)
    {
        // 20 MB: far more than sockets and buffers on the way can hold.
        var large = RandomNumberGenerator.GetBytes(20 * 1024 * 1024);
        var small = RandomNumberGenerator.GetBytes(100_000);
        await using var upstream = new EagerUpstream(413, Enum.Parse<Rest>(rest));
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(""" "maxBody": "20MiB", "timeout": "2s" """), upstream.Address, Hook.Secrets);
        await using var client = await gateway.ConnectAsync();

        var early = await client.ExchangeAsync(Hook.Event(large));
        for (var i = 0; i < 3; i++)
        {
            small[0] = (byte)i;
            var next = await client.ExchangeAsync(Hook.Event(small).WithHeader("X-Patient", "yes"));
            Assert.Equal((200, "patient"), (next.Status, next.BodyText));
            Assert.Contains(Convert.ToHexString(SHA256.HashData(small)), upstream.Bodies);
        }

        Assert.Contains(early.Status, rest switch { nameof(Rest.Reads) => (int[])[413], nameof(Rest.Ignores) => [413, 504], _ => [413] });
        Assert.Equal(rest == nameof(Rest.Reads), upstream.Bodies.Contains(Convert.ToHexString(SHA256.HashData(large))));
        Assert.Equal(4, upstream.Heads);
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(900_000)]
    [InlineData(5_000_000)]
    [InlineData(20 * 1024 * 1024)]
    public async Task What_the_app_says_before_it_has_read_the_body_is_passed_on_although_it_closes(int size)
    {
        await using var upstream = new EagerUpstream(413, Rest.Closes);
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(""" "maxBody": "20MiB" """), upstream.Address, Hook.Secrets);

        for (var i = 0; i < 3; i++)
        {
            var answer = await gateway.SendAsync(Hook.Event(RandomNumberGenerator.GetBytes(size)));

            Assert.Equal((413, "early"), (answer.Status, answer.BodyText));
        }

        Assert.Equal(3, upstream.Heads);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_the_upstream_closed_while_it_was_idle_is_not_used_again(bool orderly)
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);
        for (var i = 0; i < 10; i++)
        {
            upstream.RespondNext(orderly ? UpstreamAnswer.Ok.Then(AfterAnswer.Close) : UpstreamAnswer.Ok);
            (await gateway.SendAsync(Hook.Event($"event {i}"))).AssertDelivered();
            upstream.ResetConnections();
            await Deadline.UntilAsync(() => upstream.OpenConnections == 0, "the upstream has closed the connection");
        }

        upstream.AssertEachOnce(Enumerable.Range(0, 10).Select(static i => $"event {i}"));
        Assert.Equal(10, upstream.ConnectionCount);
    }

    [Theory]
    [InlineData(true, "")]
    [InlineData(false, "")]
    [InlineData(true, "one")]
    public async Task On_a_reused_connection_a_request_with_Expect_is_never_sent_twice(bool reset, string body)
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(
            """{ "routes": { "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "token", "header": "X-Token" }, "secrets": ["file:{dir}/secret"] }], "upstream": "{upstream}", "replay": "off" } } }""",
            upstream.Address, Hook.Secrets);
        await using var client = await gateway.ConnectAsync();
        Assert.Equal(200, (await client.ExchangeAsync(RawRequest.Post("/hook", "warm up").WithHeader("X-Token", Hook.Secret))).Status);
        upstream.RespondNext(reset ? UpstreamAnswer.ResetBeforeHead : UpstreamAnswer.CloseBeforeHead);

        var answer = await client.ExchangeAsync(RawRequest.Post("/hook", body).WithHeader("X-Token", Hook.Secret).WithHeader("Expect", "100-continue"));

        Assert.Equal(502, answer.Status);
        Assert.Equal(2, upstream.Requests.Count);
        Assert.Equal(1, upstream.ConnectionCount);
        Assert.Null(upstream.Requests[1].Headers["Expect"]);
    }

    [Fact]
    public async Task Bytes_of_an_answer_come_through_as_they_are()
    {
        var body = Enumerable.Range(0, 70_000).Select(static i => (byte)(i * 7)).ToArray();
        await using var upstream = TestUpstream.Start();
        upstream.Respond(UpstreamAnswer.Chunked(207, body.Chunk(9_999), ("X-Name", "caf\u00e9"), ("Content-Type", "application/octet-stream")));
        await using var gateway = await StartAsync(upstream);

        var answer = await gateway.SendAsync(Hook.Event("one"));

        Assert.Equal(207, answer.Status);
        Assert.Equal(body, answer.Body);
        Assert.Equal("caf\u00e9", answer.Headers["X-Name"]);
    }

    [Fact]
    public async Task A_crowd_of_failures_leaves_every_connection_usable()
    {
        await using var upstream = TestUpstream.Start();
        upstream.Respond(static r => (r.Number % 5) switch
        {
            0 => UpstreamAnswer.ResetBeforeHead,
            1 => UpstreamAnswer.Status(500),
            2 => UpstreamAnswer.Redirect(302, "/x"),
            3 => UpstreamAnswer.CloseBeforeHead,
            _ => UpstreamAnswer.Ok,
        });
        await using var gateway = await StartAsync(upstream);
        var senders = Enumerable.Range(0, 8).Select(async s =>
        {
            await using var client = await gateway.ConnectAsync();
            for (var i = 0; i < 25; i++)
            {
                // As a provider: until it is taken.
                while (!(await client.ExchangeAsync(Hook.Event($"event {s}.{i}"))).IsDelivered())
                {
                }
            }
        });

        await Deadline.WaitAsync(Task.WhenAll(senders), "every event to be taken");

        Assert.Equal(200, upstream.Requests.Select(static r => r.BodyText).Distinct().Count());
        Assert.Equal(200, upstream.Requests.Count(static r => r.Number % 5 == 4));
        Assert.Empty(upstream.BrokenRequests);
    }

    private static Task<TestGateway> StartAsync(TestUpstream upstream, string route = "") =>
        TestGateway.StartAsync(Hook.Routes(route), upstream.Address, Hook.Secrets);
}
