using System.Net;
using WebhookEdge.Gate;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.IntegrationTests.RateLimits;

/// <summary>The budget of an address is spent before authentication, that of a route after it, and neither by who has no business with it.</summary>
public class Budgets
{
    [Fact]
    public async Task Each_address_has_a_budget_of_its_own_and_forged_requests_spend_it_too()
    {
        await using var site = await Site.WithOneRouteAsync(""" "rateLimit": { "address": { "permits": 3, "window": "1h" } } """);
        var one = IPAddress.Parse("127.0.5.1");
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(401, (await site.SendAsync(RawRequest.Post("/hook", $"{i}"), one)).Status);
        }

        await site.IsRefusedAsync(() => site.SendAsync(Site.Signed("spent"), one), 429, "too-many-from-address", retryAfter: true);
        Assert.Equal(200, (await site.SendAsync(Site.Signed("another"), IPAddress.Parse("127.0.5.2"))).Status);
    }

    [Fact]
    public async Task A_spent_address_is_refused_before_its_body_is_looked_at_and_the_connection_goes_on()
    {
        await using var site = await Site.WithOneRouteAsync(""" "rateLimit": { "address": { "permits": 1, "window": "1h" } } """);
        await using var client = await site.Gateway.ConnectAsync();

        Assert.Equal(200, (await client.ExchangeAsync(Site.Signed("first"))).Status);
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(429, (await client.ExchangeAsync(Site.Signed(Site.Bytes(100_000, i)))).Status);
        }

        Assert.Single(site.Upstream.Requests);
        await site.IsIdleAsync();
    }

    [Fact]
    public async Task Forged_requests_never_spend_the_budget_of_the_route()
    {
        await using var site = await Site.WithOneRouteAsync(""" "rateLimit": { "route": { "permits": 2, "window": "1h" } } """);
        await using var client = await site.Gateway.ConnectAsync();
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(401, (await client.ExchangeAsync(RawRequest.Post("/hook", $"forged {i}").WithHeader("X-Signature", new string('0', 64)))).Status);
        }

        Assert.Equal(200, (await client.ExchangeAsync(Site.Signed("one"))).Status);
        Assert.Equal(200, (await client.ExchangeAsync(Site.Signed("two"))).Status);
        var refused = await site.IsRefusedAsync(() => client.ExchangeAsync(Site.Signed("three")), 429, "too-many-for-route", retryAfter: true);
        Assert.Equal(429, refused.Status);
    }

    [Fact]
    public async Task What_the_route_refused_for_its_budget_is_no_duplicate_afterwards()
    {
        await using var site = await Site.WithOneRouteAsync(""" "rateLimit": { "route": { "permits": 1, "window": "1h" } } """);
        Assert.Equal(200, (await site.SendAsync(Site.Signed("one"))).Status);
        Assert.Equal(429, (await site.SendAsync(Site.Signed("two"))).Status);

        Assert.True(await site.Gateway.ReloadAsync(Site.OneRouteText()));

        var answer = await site.SendAsync(Site.Signed("two"));
        Assert.Equal(200, answer.Status);
        Assert.False(answer.Headers.Contains("X-Webhook-Duplicate"));
        Assert.Equal(2, site.Upstream.Requests.Count);
    }

    [Fact]
    public async Task Deliveries_queue_for_the_budget_of_the_route_as_far_as_it_says()
    {
        await using var site = await Site.WithOneRouteAsync(""" "rateLimit": { "route": { "permits": 2, "window": "400ms", "queue": 4 } } """);

        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => site.SendAsync(Site.Signed($"queued {i}"))));

        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Equal(6, site.Upstream.Requests.Count);
        await site.IsIdleAsync();
    }

    [Theory]
    [InlineData("203.0.113.1", "203.0.113.1", true)]
    [InlineData("203.0.113.1", "::ffff:203.0.113.1", true)]
    [InlineData("203.0.113.1", "198.51.100.7, 203.0.113.1", true)]
    [InlineData("203.0.113.1", "203.0.113.1, 198.51.100.7", false)]
    [InlineData("203.0.113.1", "203.0.113.2", false)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    public async Task Behind_a_proxy_the_budget_is_the_clients_and_not_what_it_claims_to_be(string first, string second, bool same)
    {
        await using var site = await Site.WithOneRouteAsync(
            """ "rateLimit": { "address": { "permits": 1, "window": "1h" } } """,
            """ "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.0/8"] } """);

        Assert.Equal(200, (await site.SendAsync(Site.Signed("first").WithHeader("X-Forwarded-For", first))).Status);
        Assert.Equal(same ? 429 : 200, (await site.SendAsync(Site.Signed("second").WithHeader("X-Forwarded-For", second))).Status);
    }

    [Theory]
    [InlineData("/nowhere")]
    [InlineData("/%68ook")]
    public async Task Paths_that_are_no_route_have_a_budget_by_address_and_routes_do_not_notice(string target)
    {
        await using var site = await Site.WithOneRouteAsync();
        await using var client = await site.Gateway.ConnectAsync();
        for (var i = 0; i < UnroutedBudget.Permits; i++)
        {
            Assert.Equal(404, (await client.ExchangeAsync(RawRequest.Get(target))).Status);
        }

        var refused = await client.ExchangeAsync(RawRequest.Get(target));
        Assert.Equal((429, 0), (refused.Status, refused.Body.Length));
        Assert.InRange(int.Parse(refused.Headers["Retry-After"]!), 1, 60);
        Assert.Equal(1, site.Gateway.Metrics.Sum("webhookedge.requests", ("reason", "too-many-from-address")));
        Assert.Equal(RejectReason.TooManyFromAddress, site.Gateway.Journal.Newest()[0].Reason);
        Assert.Equal(429, (await client.ExchangeAsync(RawRequest.Get("/another"))).Status);
        Assert.Equal(200, (await client.ExchangeAsync(Site.Signed("an event"))).Status);

        // Two addresses in four thousand share a budget, so several are asked.
        var others = new List<int>();
        for (var i = 1; i <= 3; i++)
        {
            others.Add((await site.SendAsync(RawRequest.Get(target), IPAddress.Parse($"127.0.5.{i}"))).Status);
        }

        Assert.Contains(404, others);
    }

    [Fact]
    public async Task Without_proxies_the_header_is_not_looked_at()
    {
        await using var site = await Site.WithOneRouteAsync(""" "rateLimit": { "address": { "permits": 1, "window": "1h" } } """);

        Assert.Equal(200, (await site.SendAsync(Site.Signed("first").WithHeader("X-Forwarded-For", "203.0.113.1"))).Status);
        Assert.Equal(429, (await site.SendAsync(Site.Signed("second").WithHeader("X-Forwarded-For", "203.0.113.2"))).Status);
        Assert.Equal("127.0.0.1", site.Upstream.Requests[0].Headers["X-Forwarded-For"]);
    }
}

/// <summary>The gateway's own two bounds: over them it says so, and everything that was taken is given back.</summary>
public class Capacity_limits
{
    [Fact]
    public async Task Requests_beyond_the_limit_are_503_and_room_made_is_used_again()
    {
        await using var site = await Site.WithOneRouteAsync(edge: """ "limits": { "concurrentRequests": 2 } """);
        for (var round = 0; round < 3; round++)
        {
            var release = new TaskCompletionSource();
            site.Upstream.RespondNext(UpstreamAnswer.Ok.HeldUntil(release.Task), UpstreamAnswer.Ok.HeldUntil(release.Task));
            var number = site.Upstream.Requests.Count;
            var held = new[] { site.SendAsync(Site.Signed($"held {round} a")), site.SendAsync(Site.Signed($"held {round} b")) };
            await site.Upstream.WaitForRequestAsync(number + 2);
            Assert.Equal(2, site.Capacity.Requests);

            // One connection: the refusal leaves it usable.
            await using var client = await site.Gateway.ConnectAsync();
            for (var i = 0; i < 3; i++)
            {
                var refused = await client.ExchangeAsync(Site.Signed(Site.Bytes(50_000, i)));
                Assert.Equal(503, refused.Status);
                Assert.Equal("1", refused.Headers["Retry-After"]);
            }

            Assert.Equal(number + 2, site.Upstream.Requests.Count);
            release.SetResult();
            foreach (var answer in await Deadline.WaitAsync(Task.WhenAll(held), "the held ones"))
            {
                Assert.Equal(200, answer.Status);
            }

            await site.IsIdleAsync();
            Assert.Equal(200, (await client.ExchangeAsync(Site.Signed($"after {round}"))).Status);
            await site.IsIdleAsync();
        }

        Assert.Equal(9, site.Gateway.Metrics.Sum("webhookedge.requests", ("reason", "overloaded"), ("route", "hook")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Bodies_beyond_the_memory_are_503_and_the_memory_is_given_back(bool chunked)
    {
        await using var site = await Site.WithOneRouteAsync(""" "maxBody": "64KiB" """, """ "limits": { "maxBody": "64KiB", "bufferedBodies": "64KiB" } """);
        var release = new TaskCompletionSource();
        site.Upstream.RespondNext(UpstreamAnswer.Ok.HeldUntil(release.Task));
        var held = site.SendAsync(Site.Signed(Site.Bytes(40_000)));
        await site.Upstream.WaitForRequestAsync();
        Assert.Equal(40_000, site.Capacity.BufferedBytes);
        var large = Site.Signed(Site.Bytes(40_000, 2));
        var seen = site.Seen;

        var refused = await site.SendAsync(chunked ? large.Chunked(10_000, 10_000) : large);

        Assert.Equal(503, refused.Status);
        Assert.Equal("1", refused.Headers["Retry-After"]);
        Assert.Equal(seen, site.Seen);
        Assert.Equal(200, (await site.SendAsync(Site.Signed(Site.Bytes(20_000)))).Status);
        release.SetResult();
        Assert.Equal(200, (await Deadline.WaitAsync(held, "the held one")).Status);
        await site.IsIdleAsync();
        Assert.Equal(200, (await site.SendAsync(large)).Status);
    }

    [Fact]
    public async Task Refusals_of_every_kind_give_back_what_they_took()
    {
        await using var site = await Site.WithOneRouteAsync(edge: """ "limits": { "concurrentRequests": 1 } """);
        RawRequest[] requests =
        [
            RawRequest.Get("/hook"),
            RawRequest.Post("/hook", Site.Bytes(30_000)),
            RawRequest.Post("/hook", Site.Bytes(30_000)).WithHeader("X-Signature", new string('0', 64)),
            Site.Signed(Site.Bytes((1024 * 1024) + 1)).Chunked(9),
            Site.Signed("x").WithHeader("Content-Encoding", "gzip"),
            Site.Signed("x").WithHeader("Upgrade", "h2c"),
        ];
        foreach (var request in requests)
        {
            await site.SendAsync(request);
            await site.IsIdleAsync();
        }

        UpstreamAnswer[] answers = [UpstreamAnswer.ResetBeforeHead, UpstreamAnswer.CloseBeforeHead, UpstreamAnswer.ResetInHead, UpstreamAnswer.ResetAfterHead,
            UpstreamAnswer.Redirect(302, "/"), UpstreamAnswer.Status(500)];
        for (var i = 0; i < answers.Length; i++)
        {
            site.Upstream.RespondNext(answers[i]);
            await site.SendAsync(Site.Signed($"broken {i}"));
            await site.IsIdleAsync();
        }

        site.Upstream.RespondNext(UpstreamAnswer.HalfBody);
        await using (var client = await site.Gateway.ConnectAsync())
        {
            await client.SendAsync(Site.Signed("half"));
            await client.ReadToCloseAsync();
            await site.IsIdleAsync();
        }

        Assert.Equal(200, (await site.SendAsync(Site.Signed("and still there is room"))).Status);
    }
}
