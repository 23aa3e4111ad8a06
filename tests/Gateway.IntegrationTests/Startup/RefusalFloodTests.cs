using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Startup;

/// <summary>What is counted although it is in no log line, and what is in no log line although it is counted.</summary>
public sealed class RefusalFloodTests
{
    [Fact]
    public async Task A_flood_of_refusals_writes_few_lines_and_counts_every_request()
    {
        var clock = new TestClock();
        await using var site = await Site.WithOneRouteAsync(time: clock, arguments: ["--urls", "http://127.0.0.1:0", "--Logging:RefusalsPerSecond", "3"]);
        await using var client = await site.Gateway.ConnectAsync();
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(401, (await client.ExchangeAsync(RawRequest.Post("/hook", "forged"))).Status);
        }

        Assert.Equal(3, site.Gateway.Logs.WithEvent(1100).Count);
        Assert.Equal(10, site.Gateway.Metrics.Sum("webhookedge.requests", ("reason", "signature-missing")));
        Assert.Equal(10, site.Gateway.Journal.Newest().Count);

        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(7L, (await site.Gateway.Logs.WaitForEventAsync(1109))["LeftOut"]);
    }

    [Fact]
    public async Task Requests_without_a_route_are_bounded_by_gateway_and_not_by_process()
    {
        string[] arguments = ["--urls", "http://127.0.0.1:0", "--Logging:RefusalsPerSecond", "2", "--Logging:LogLevel:Default", "Debug"];
        await using var one = await Site.WithOneRouteAsync(time: new TestClock(), arguments: arguments);
        await using var other = await Site.WithOneRouteAsync(time: new TestClock(), arguments: arguments);
        foreach (var site in new[] { one, other })
        {
            for (var i = 0; i < 5; i++)
            {
                Assert.Equal(404, (await site.SendAsync(RawRequest.Post("/nowhere", "x"))).Status);
            }

            Assert.Equal(2, site.Gateway.Logs.WithEvent(1100).Count);
        }
    }

    [Fact]
    public async Task Observed_requests_and_forwarded_ones_are_not_mixed_up_with_them()
    {
        await using var site = await Site.WithOneRouteAsync("\"mode\": \"observe\"",
            arguments: ["--urls", "http://127.0.0.1:0", "--Logging:RefusalsPerSecond", "2"], time: new TestClock());
        await using var client = await site.Gateway.ConnectAsync();
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(200, (await client.ExchangeAsync(RawRequest.Post("/hook", $"forged {i}"))).Status);
        }

        Assert.Equal(2, site.Gateway.Logs.WithEvent(1102).Count);
        Assert.Equal(5, site.Gateway.Metrics.Sum("webhookedge.would_refuse"));
    }

    [Theory]
    [InlineData("POST /hook HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")]
    [InlineData("POST /hook HTTP/1.1\nHost: a\nContent-Length: 0\n\n")]
    [InlineData("POST /hook HTTP/1.1\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("nonsense\r\n\r\n")]
    public async Task What_the_server_refuses_before_there_is_a_route_is_counted(string bytes)
    {
        await using var site = await Site.WithOneRouteAsync();
        await using var client = await site.Gateway.ConnectAsync();
        await client.SendAsync(bytes);
        Assert.Equal(400, (await client.ReadResponseAsync()).Status);

        await Deadline.UntilAsync(() =>
            site.Gateway.Metrics.Sum("webhookedge.requests", ("route", "none"), ("reason", "request-malformed"), ("outcome", "refused")) == 1,
            "the request is counted");
        Assert.Single(site.Gateway.Metrics.Of("webhookedge.requests"));
    }

    [Fact]
    public async Task A_head_or_a_line_that_is_too_long_is_counted_too()
    {
        await using var site = await Site.WithOneRouteAsync();
        foreach (var (request, status) in new[] { ($"GET /{new string('x', 9000)} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            ($"POST /hook HTTP/1.1\r\nHost: a\r\nX-Long: {new string('x', 40_000)}\r\n\r\n", 431) })
        {
            await using var client = await site.Gateway.ConnectAsync();
            await client.SendAsync(request);
            Assert.Equal(status, (await client.ReadResponseAsync()).Status);
        }

        await Deadline.UntilAsync(() => site.Gateway.Metrics.Sum("webhookedge.requests", ("reason", "request-malformed")) == 2, "both are counted");
    }

    /// <summary>The server notices a broken body as well, after the gate has answered.</summary>
    [Theory]
    [InlineData("/hook", "request-malformed", 400)]
    [InlineData("/nowhere", "route-unknown", 404)]
    public async Task A_broken_body_is_counted_once(string target, string reason, int status)
    {
        await using var site = await Site.WithOneRouteAsync();
        await using (var client = await site.Gateway.ConnectAsync())
        {
            await client.SendAsync($"POST {target} HTTP/1.1\r\nHost: a\r\nX-Signature: {Site.Sign("x"u8)}\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n");
            Assert.Equal(status, (await client.ReadResponseAsync()).Status);
            await client.ReadToCloseAsync();
        }

        await site.IsIdleAsync();
        var point = Assert.Single(site.Gateway.Metrics.Of("webhookedge.requests"));
        Assert.Equal(reason, point.Tags["reason"]);
    }
}
