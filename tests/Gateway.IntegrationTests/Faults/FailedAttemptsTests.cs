using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.FailedAttempts;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.Observability;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>Somebody hears of it before Cr3dentials switches the webhook off; over sockets.</summary>
public sealed class FailedAttemptsTests
{
    private const string Routes =
        """
        { "routes": {
            "cr3": { "path": "/cr3", "provider": "cr3dentials", "secrets": ["file:{dir}/signing"], "upstream": "{upstream}", "timeout": "2s"{more} },
            "own": { "path": "/own", "verify": [{ "scheme": { "header": "x-webhook-signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" } } }
        """;

    [Fact]
    public async Task An_event_that_the_app_keeps_refusing_raises_an_alarm_before_the_last_attempt()
    {
        await using var site = await StartAsync();
        site.Upstream.Respond(UpstreamAnswer.Status(500));
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(500, (await site.SendAsync(Event("poison"))).Status);
        }

        // A stranger's copy of the same event is no attempt of the sender's.
        Assert.Equal(401, (await site.SendAsync(RawRequest.Post("/cr3", "poison").WithHeader("x-webhook-signature", new string('0', 64)))).Status);
        await IsAsync(site, reading => reading is { Attempts: 3, NearLimit: 0 });
        Assert.Empty(site.Gateway.Logs.WithEvent(1110));

        Assert.Equal(500, (await site.SendAsync(Event("poison"))).Status);
        var alarm = await site.Gateway.Logs.WaitForEventAsync(1110);
        Assert.Equal(site.Upstream.Requests[^1].Headers["Idempotency-Key"], alarm["EventKey"]);
        Assert.Equal("cr3", alarm["Route"]);
        await site.Gateway.Logs.WaitForEventAsync(1112);
        Assert.Equal(1, site.Gateway.Metrics.Observe("webhookedge.attempts.near_limit", ("route", "cr3")));
        var shown = site.Gateway.Host.Services.GetRequiredService<WebhookEdge.Admin.AdminState>().Routes().Single(static route => route.Id == "cr3");
        Assert.Equal(("red", 5, 4, 1), (shown.Health.Colour, shown.Attempts?.Limit, shown.Attempts?.WorstAttempts, shown.Attempts?.NearLimit));
        Assert.Equal(alarm["EventKey"], shown.Attempts?.WorstEvent);

        site.Upstream.Respond(UpstreamAnswer.Ok);
        Assert.Equal(200, (await site.SendAsync(Event("poison"))).Status);
        await IsAsync(site, reading => reading is { Attempts: 0, InARow: 0, WorstEvent: null });
        Assert.Equal(0, site.Gateway.Metrics.Observe("webhookedge.attempts.near_limit", ("route", "cr3")));
    }

    [Fact]
    public async Task Every_way_in_which_the_sender_reads_no_2xx_is_a_failed_attempt()
    {
        await using var site = await StartAsync(""", "rateLimit": { "route": { "permits": 4, "window": "1h" } }""");
        site.Upstream.RespondNext(UpstreamAnswer.Status(404), UpstreamAnswer.ResetBeforeHead);
        Assert.Equal(404, (await site.SendAsync(Event("e"))).Status);
        Assert.Equal(502, (await site.SendAsync(Event("e"))).Status);
        await IsAsync(site, reading => reading is { Attempts: 2 });

        site.Upstream.Respond(UpstreamAnswer.Never);
        Assert.Equal(504, (await site.SendAsync(Event("e"))).Status);
        await IsAsync(site, reading => reading is { Attempts: 3 });

        site.Upstream.StopListening();
        Assert.Equal(503, (await site.SendAsync(Event("e"))).Status);
        await IsAsync(site, reading => reading is { Attempts: 4, NearLimit: 1 });

        // The budget refuses before the replay check has made a key: it is the same event all the same.
        Assert.Equal(429, (await site.SendAsync(Event("e"))).Status);
        await IsAsync(site, reading => reading is { Attempts: 5, GivenUp: 1, InARow: 5 });
        await site.Gateway.Logs.WaitForEventAsync(1113);
    }

    [Fact]
    public async Task A_closed_replay_store_that_is_away_counts()
    {
        await using var site = await StartAsync(""", "replay": { "onStoreError": "closed" }""", """ "edge": { "redis": "file:{dir}/redis" }, """);

        Assert.Equal(503, (await site.SendAsync(Event("e"))).Status);

        await IsAsync(site, reading => reading is { Attempts: 1 });
    }

    [Fact]
    public async Task A_route_with_replay_off_knows_its_events_by_their_bodies()
    {
        await using var site = await StartAsync(""", "replay": "off" """);
        site.Upstream.Respond(UpstreamAnswer.Status(500));
        await site.SendAsync(Event("a"));
        await site.SendAsync(Event("a"));
        await site.SendAsync(Event("b"));
        await IsAsync(site, reading => reading is { Attempts: 2, Failing: 2 });

        site.Upstream.Respond(UpstreamAnswer.Ok);
        await site.SendAsync(Event("a"));
        await IsAsync(site, reading => reading is { Attempts: 1, Failing: 1 });
    }

    [Fact]
    public async Task Counts_outlive_a_reload_and_a_sender_without_a_known_limit_has_none()
    {
        await using var site = await StartAsync();
        site.Upstream.Respond(UpstreamAnswer.Status(500));
        await site.SendAsync(Event("a"));
        await site.SendAsync(RawRequest.Post("/own", "a").WithHeader("x-webhook-signature", Site.Sign("a"u8)));
        await IsAsync(site, reading => reading is { Attempts: 1 });

        Assert.True(await site.Gateway.ReloadAsync(Routes.Replace("{more}", ", \"maxBody\": \"2KiB\"", StringComparison.Ordinal)));

        await IsAsync(site, reading => reading is { Route: "cr3", Attempts: 1 });
    }

    private static RawRequest Event(string body) =>
        RawRequest.Post("/cr3", body).WithHeader("x-webhook-signature", Site.Sign(System.Text.Encoding.UTF8.GetBytes(body)));

    private static Task<Site> StartAsync(string more = "", string edge = "") =>
        Site.StartAsync(Routes.Replace("{more}", more, StringComparison.Ordinal).Replace("{ \"routes\"", "{ " + edge + "\"routes\"", StringComparison.Ordinal),
            files: new Dictionary<string, string> { ["redis"] = "127.0.0.1:9" });

    private static Task IsAsync(Site site, Func<AttemptReading, bool> expected) =>
        Deadline.UntilAsync(() => site.Gateway.Host.Services.GetRequiredService<AttemptWatch>().Readings() is [var reading] && expected(reading),
            "the watch has counted");
}
