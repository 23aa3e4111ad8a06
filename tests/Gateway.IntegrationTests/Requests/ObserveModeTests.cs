using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>
/// Observe mode lets a request through, says so to the app and to the operator, and touches no key or budget on behalf of who proved nothing.
/// </summary>
public class Observe_mode : SiteTests
{
    private static readonly string Wrong = new('0', 64);

    [Theory]
    [InlineData("/route", "signature-missing")]
    [InlineData("/check", "signature-missing")]
    [InlineData("/address", "address-not-allowed")]
    [InlineData("/address-route", "address-not-allowed")]
    public async Task What_would_be_refused_is_forwarded_marked_and_recorded(string path, string reason)
    {
        var route = path[1..];
        var wouldRefuse = Site.Gateway.Metrics.Sum("webhookedge.would_refuse");
        var entries = Site.Gateway.Journal.Newest().Count;
        var lines = Site.Gateway.Logs.WithEvent(1102).Count;
        var request = RawRequest.Post(path, "observed").WithHeader("X-Webhook-Trust", "verified").WithHeader("X-Token", Site.Token);

        var answer = await Site.SendAsync(route.StartsWith("address", StringComparison.Ordinal) ? request.WithHeader("X-Signature", Site.Sign("observed"u8))
            : request);

        Assert.Equal(200, answer.Status);
        var got = Site.Upstream.Requests[^1];
        Assert.Equal("observed", got.BodyText);
        Assert.Equal("observed", got.Headers["X-Webhook-Trust"]);
        Assert.Equal(route, got.Headers["X-Webhook-Route"]);
        Assert.False(got.Headers.Contains("X-Webhook-Event-Key"));
        Assert.Equal(wouldRefuse + 1, Site.Gateway.Metrics.Sum("webhookedge.would_refuse"));
        Assert.Equal(reason, Site.Gateway.Metrics.Of("webhookedge.would_refuse")[^1].Tags["reason"]);
        var line = Assert.Single(Site.Gateway.Logs.WithEvent(1102).Skip(lines));
        Assert.Equal(reason, line["Reason"]);
        var entry = Assert.Single(Site.Gateway.Journal.Newest(Site.Gateway.Journal.Newest().Count - entries));
        Assert.True(entry.Observed);
        Assert.Equal(reason, Verdicts.RejectReasons.Describe(entry.Reason).Slug);
        await Deadline.UntilAsync(() => Site.Gateway.Metrics.Of("webhookedge.requests", ("route", route), ("outcome", "accepted")).Count > 0,
            "the request is counted as forwarded");
        Assert.Empty(Site.Gateway.Metrics.Of("webhookedge.requests", ("route", route), ("outcome", "refused")));
    }

    [Fact]
    public async Task A_forged_request_takes_no_key_so_that_the_real_event_gets_through()
    {
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(200, (await Site.SendAsync(RawRequest.Post("/route", "the event").WithHeader("X-Signature", Wrong))).Status);
        }

        var real = await Site.SendAsync(Site.Signed("the event", "/route"));
        var copy = await Site.SendAsync(Site.Signed("the event", "/route"));

        Assert.False(real.Headers.Contains("X-Webhook-Duplicate"));
        Assert.Equal("verified",
            Site.Upstream.Requests.Last(request => request.Target == "/route" && request.BodyText == "the event"
            && request.Headers["X-Webhook-Trust"] == "verified").Headers["X-Webhook-Trust"]);

        // The whole route observes, its replay check too: a copy is noted and forwarded.
        Assert.False(copy.Headers.Contains("X-Webhook-Duplicate"));
    }

    [Fact]
    public async Task A_forged_request_spends_no_budget_of_the_route()
    {
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(200, (await Site.SendAsync(RawRequest.Post("/budget", $"forged {i}").WithHeader("X-Signature", Wrong))).Status);
        }

        Assert.Equal(200, (await Site.SendAsync(Site.Signed("real", "/budget"))).Status);
        Assert.Equal(429, (await Site.SendAsync(Site.Signed("one too many", "/budget"))).Status);
    }

    [Fact]
    public async Task An_observed_check_does_not_soften_the_others()
    {
        var seen = Site.Seen;
        Assert.Equal(401, (await Site.SendAsync(RawRequest.Post("/check", "x").WithHeader("X-Signature", Site.Sign("x"u8)))).Status);
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task Observed_replay_forwards_the_copy_and_records_it()
    {
        var request = Site.Signed("copied", "/replay");
        Assert.Equal(200, (await Site.SendAsync(request)).Status);
        await Site.IsIdleAsync();
        Assert.Equal(200, (await Site.SendAsync(request)).Status);

        Assert.Equal(2, Site.Upstream.Requests.Count(got => got.BodyText == "copied"));
        Assert.Equal(1, Site.Gateway.Metrics.Sum("webhookedge.would_refuse", ("route", "replay"), ("reason", "duplicate")));
    }

    [Fact]
    public async Task Observed_budgets_forward_and_record()
    {
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(200, (await Site.SendAsync(Site.Signed($"observed budget {i}", "/observed-budget"))).Status);
        }

        Assert.Equal(2, Site.Gateway.Metrics.Sum("webhookedge.would_refuse", ("route", "observed-budget"), ("reason", "too-many-from-address")));
    }

    [Fact]
    public async Task An_observed_budget_of_the_route_forwards_records_and_makes_nobody_wait()
    {
        // Would the second wait in the queue, it would be for an hour.
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(200, (await Site.SendAsync(Site.Signed($"observed route budget {i}", "/route-budget"))).Status);
        }

        Assert.Equal(2, Site.Gateway.Metrics.Sum("webhookedge.would_refuse", ("route", "route-budget"), ("reason", "too-many-for-route")));
    }

    [Theory]
    [InlineData("/in-flight")]
    [InlineData("/in-flight-route")]
    public async Task An_observed_copy_of_a_delivery_in_flight_is_forwarded_at_once(string path)
    {
        var gate = new TaskCompletionSource();
        var seen = Site.Upstream.Requests.Count;
        Site.Upstream.RespondNext(UpstreamAnswer.Ok.HeldUntil(gate.Task));
        var request = Site.Signed($"in flight at {path}", path);
        var first = Site.SendAsync(request);
        await Site.Upstream.WaitForRequestAsync(seen + 1);

        var copy = await Site.SendAsync(request);

        Assert.False(first.IsCompleted);
        Assert.Equal(200, copy.Status);
        Assert.Equal("observed", Site.Upstream.Requests[^1].Headers["X-Webhook-Trust"]);
        gate.SetResult();
        Assert.Equal(200, (await first).Status);
        Assert.Equal(1, Site.Gateway.Metrics.Sum("webhookedge.would_refuse", ("route", path[1..]), ("reason", "duplicate-in-flight")));
    }

    [Fact]
    public async Task An_observed_credential_is_recorded_and_spends_no_budget_that_is_enforced()
    {
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(200, (await Site.SendAsync(RawRequest.Post("/credential", $"no token {i}"))).Status);
        }

        Assert.Equal(3, Site.Gateway.Metrics.Sum("webhookedge.would_refuse", ("route", "credential"), ("reason", "credential-mismatch")));
        Assert.Equal(200, (await Site.SendAsync(RawRequest.Post("/credential", "real").WithHeader("X-Token", Site.Token))).Status);
        Assert.Equal(429, (await Site.SendAsync(RawRequest.Post("/credential", "one too many").WithHeader("X-Token", Site.Token))).Status);
    }

    [Fact]
    public async Task What_only_the_address_rule_would_refuse_leaves_no_key_behind()
    {
        // From an address that is not allowed, twice the same: neither is a duplicate of the other.
        var request = Site.Signed("observed address", "/address");
        Assert.Equal(200, (await Site.SendAsync(request)).Status);
        Assert.False((await Site.SendAsync(request)).Headers.Contains("X-Webhook-Duplicate"));

        Assert.Equal(2, Site.Upstream.Requests.Count(static got => got.BodyText == "observed address"));
    }

    [Fact]
    public async Task A_route_in_observe_mode_still_refuses_what_no_app_should_parse()
    {
        var seen = Site.Seen;
        Assert.Equal(405, (await Site.SendAsync(Site.Signed("x", "/route") with { Method = "PUT" })).Status);
        Assert.Equal(415, (await Site.SendAsync(Site.Signed("x", "/route").WithHeader("Content-Encoding", "gzip"))).Status);
        Assert.Equal(400, (await Site.SendAsync(Site.Signed("x", "/route").WithHeader("Upgrade", "websocket"))).Status);
        Assert.Equal(413, (await Site.SendAsync(Site.Signed(Site.Bytes(70_000), "/route"))).Status);
        Assert.Equal(seen, Site.Seen);
    }

    private protected override Task<Site> StartAsync() => Site.StartAsync(
        """
        {
          "routes": {
            "route": { "path": "/route", "mode": "observe", "maxBody": "64KiB", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "check": {
              "path": "/check", "upstream": "{upstream}",
              "verify": [
                { "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"], "mode": "observe" },
                { "scheme": { "kind": "token", "header": "X-Token" }, "secrets": ["file:{dir}/token"] }
              ]
            },
            "address": {
              "path": "/address", "allow": { "from": ["203.0.113.7"], "mode": "observe" }, "upstream": "{upstream}",
              "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }]
            },
            "address-route": { "path": "/address-route", "mode": "observe", "allow": ["203.0.113.7"], "upstream": "{upstream}" },
            "budget": {
              "path": "/budget", "rateLimit": { "route": { "permits": 1, "window": "1h" } }, "upstream": "{upstream}",
              "verify": [
                { "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"], "mode": "observe" }
              ],
              "allow": ["127.0.0.0/8"]
            },
            "replay": {
              "path": "/replay", "replay": { "mode": "observe" }, "upstream": "{upstream}",
              "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }]
            },
            "route-budget": {
              "path": "/route-budget", "rateLimit": { "route": { "permits": 1, "window": "1h", "queue": 5 }, "mode": "observe" }, "upstream": "{upstream}",
              "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }]
            },
            "in-flight": {
              "path": "/in-flight", "replay": { "mode": "observe" }, "upstream": "{upstream}",
              "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }]
            },
            "in-flight-route": {
              "path": "/in-flight-route", "mode": "observe", "upstream": "{upstream}",
              "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }]
            },
            "credential": {
              "path": "/credential", "rateLimit": { "route": { "permits": 1, "window": "1h" } }, "upstream": "{upstream}", "allow": ["127.0.0.0/8"],
              "verify": [{ "scheme": { "kind": "token", "header": "X-Token" }, "secrets": ["file:{dir}/token"], "mode": "observe" }]
            },
            "observed-budget": {
              "path": "/observed-budget", "rateLimit": { "address": { "permits": 1, "window": "1h" }, "mode": "observe" }, "upstream": "{upstream}",
              "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }]
            }
          }
        }
        """);
}
