using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>The table of answers: one test for each row, with status, headers and every trace it leaves.</summary>
public class Answer_table : SiteTests
{
    private const string Timestamped =
        """
        { "kind": "hmac", "header": "X-Signature", "signed": "{timestamp}.{body}", "timestamp": { "from": "header:X-Timestamp", "unit": "s", "toleranceSeconds": 300 } }
        """;

    [Theory]
    [InlineData("/")]
    [InlineData("/hook2")]
    [InlineData("/hoo")]
    [InlineData("/index.html")]
    [InlineData("/.well-known/security.txt")]
    public async Task An_unknown_route_is_404(string target) =>
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("{}", target)), 404, "route-unknown", route: "none");

    [Theory]
    [InlineData("/hook/")]
    [InlineData("/HOOK")]
    [InlineData("/%68ook")]
    [InlineData("/x/../hook")]
    [InlineData("/prefix/a%20b", "prefix")]
    [InlineData("/prefix/a;b", "prefix")]
    [InlineData("/prefix/a//b", "prefix")]
    [InlineData("/prefix/a/../b", "prefix")]
    public async Task A_path_that_leads_to_a_route_and_is_written_otherwise_is_404_with_a_reason_of_its_own(string target, string route = "hook") =>
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("{}", target)), 404, "path-refused", route: route);

    [Theory]
    [InlineData("GET")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("OPTIONS")]
    [InlineData("TRACE")]
    [InlineData("post")]
    [InlineData("PostX")]
    public async Task Another_method_is_405(string method) =>
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("{}") with { Method = method }), 405, "method-refused");

    [Fact]
    public async Task A_HEAD_request_is_405_without_a_body()
    {
        var answer = await Site.SendAsync(new RawRequest { Method = "HEAD", Target = "/hook" });

        Assert.Equal(405, answer.Status);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("GZIP")]
    [InlineData("identity, gzip")]
    public async Task An_encoded_body_is_415(string encoding) =>
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("{}").WithHeader("Content-Encoding", encoding)), 415, "encoding-refused");

    [Fact]
    public async Task A_body_declared_over_the_cap_is_413_before_it_is_sent()
    {
        await using var client = await Site.Gateway.ConnectAsync();

        await Site.IsRefusedAsync(
            async () =>
            {
                await client.SendAsync("POST /hook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n");
                return await client.ReadResponseAsync();
            },
            413,
            "body-too-large");
    }

    [Fact]
    public async Task A_body_counted_over_the_cap_is_413()
    {
        var body = Site.Bytes((1024 * 1024) + 1);

        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed(body).Chunked(400_000, 400_000)), 413, "body-too-large");
    }

    [Fact]
    public async Task A_body_that_ends_early_is_recorded_as_incomplete()
    {
        await Site.IsIdleAsync();
        var traces = Site.Traces();
        var seen = Site.Seen;
        await using (var client = await Site.Gateway.ConnectAsync())
        {
            await client.SendAsync("POST /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: " + Site.Sign("{}"u8) + "\r\nContent-Length: 3\r\n\r\n{}");
            client.HalfClose();
            await client.ReadToCloseAsync();
        }

        await Site.LeavesTracesAsync(traces, "body-incomplete", 408, "hook", requestId: null);
        Assert.Equal(seen, Site.Seen);
        await Site.IsIdleAsync();
    }

    [Fact]
    public async Task A_malformed_request_is_400() =>
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("{}").WithHeader("X-Odd", "a\x1b[31mb")), 400, "request-malformed");

    [Fact]
    public async Task An_address_outside_the_list_is_403() =>
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("{}", "/address").WithHeader("X-Forwarded-For", "198.51.100.7")), 403,
            "address-not-allowed", route: "address");

    [Theory]
    [InlineData("not-an-address")]
    [InlineData("198.51.100.7, unknown")]
    [InlineData("0306.51.100.7")]
    [InlineData("198.51.100.7,")]
    public async Task A_client_address_that_cannot_be_established_is_403(string forwardedFor) =>
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("{}", "/address").WithHeader("X-Forwarded-For", forwardedFor)), 403, "address-unknown",
            route: "address");

    [Fact]
    public async Task An_address_list_that_was_never_loaded_is_503() =>
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("{}", "/unloaded")), 503, "allow-list-unavailable", retryAfter: true, route: "unloaded");

    [Fact]
    public async Task A_missing_signature_is_401() =>
        await Site.IsRefusedAsync(() => Site.SendAsync(RawRequest.Post("/hook", "{}")), 401, "signature-missing");

    [Fact]
    public async Task A_malformed_signature_is_401() =>
        await Site.IsRefusedAsync(() => Site.SendAsync(RawRequest.Post("/hook", "{}").WithHeader("X-Signature", "test-signature")), 401, "signature-malformed");

    [Fact]
    public async Task A_wrong_signature_is_401() =>
        await Site.IsRefusedAsync(() => Site.SendAsync(RawRequest.Post("/hook", "{}").WithHeader("X-Signature", new string('0', 64))), 401,
            "signature-mismatch");

    [Theory]
    [InlineData(-301)]
    [InlineData(400)]
    public async Task A_signed_time_outside_the_window_is_401(int seconds) =>
        await Site.IsRefusedAsync(() => Site.SendAsync(SignedAt(seconds)), 401, "timestamp-outside-window", route: "timed");

    [Fact]
    public async Task A_wrong_credential_is_401() =>
        await Site.IsRefusedAsync(() => Site.SendAsync(RawRequest.Post("/token", "{}").WithHeader("X-Token", "wrong")), 401, "credential-mismatch",
            route: "token");

    [Fact]
    public async Task A_spent_budget_of_an_address_is_429()
    {
        var from = IPAddress.Parse("127.0.3.1");
        Assert.Equal(200, (await Site.SendAsync(Site.Signed("address budget 1", "/scarce-address"), from)).Status);

        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("address budget 2", "/scarce-address"), from), 429, "too-many-from-address",
            retryAfter: true, route: "scarce-address");
    }

    [Fact]
    public async Task A_spent_budget_of_a_route_is_429()
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed("route budget 1", "/scarce-route"))).Status);

        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("route budget 2", "/scarce-route")), 429, "too-many-for-route", retryAfter: true,
            route: "scarce-route");
    }

    [Fact]
    public async Task A_gateway_without_memory_for_the_body_is_503()
    {
        Assert.True(Site.Capacity.TryReserve(new(), (256L * 1024 * 1024) - 10));
        try
        {
            await Deadline.UntilAsync(() => Site.Capacity.Requests == 0, "no request is in flight");
            var traces = Site.Traces();
            var seen = Site.Seen;
            var answer = await Site.SendAsync(Site.Signed("eleven byte"));

            Assert.Equal(503, answer.Status);
            Assert.Equal("1", answer.Headers["Retry-After"]);
            Assert.Empty(answer.Body);
            await Site.LeavesTracesAsync(traces, "overloaded", 503, "hook", answer.Headers["X-Request-Id"]);
            Assert.Equal(seen, Site.Seen);
        }
        finally
        {
            var holder = new Gate.Delivery { ReservedBytes = (256L * 1024 * 1024) - 10 };
            Site.Capacity.Release(holder);
        }

        await Site.IsIdleAsync();
    }

    [Fact]
    public async Task A_copy_of_a_delivered_event_is_200_and_not_delivered()
    {
        var request = Site.Signed("delivered twice");
        Assert.Equal(200, (await Site.SendAsync(request)).Status);
        await Site.IsIdleAsync();
        var seen = Site.Seen;
        var traces = Site.Traces();

        var answer = await Site.SendAsync(request);

        Assert.Equal(200, answer.Status);
        Assert.Equal("true", answer.Headers["X-Webhook-Duplicate"]);
        Assert.Equal("""{"duplicate":true}""", answer.BodyText);
        await Site.LeavesTracesAsync(traces, "duplicate", 200, "hook", answer.Headers["X-Request-Id"]);
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task A_copy_of_an_event_in_flight_that_has_waited_its_time_is_503()
    {
        // Two routes cannot share a key, so the copy gets its shorter time from a reload: the first one keeps the rules it started with.
        await using var site = await Site.WithOneRouteAsync(""" "timeout": "30s" """);
        var release = new TaskCompletionSource();
        site.Upstream.RespondNext(UpstreamAnswer.Ok.HeldUntil(release.Task));
        var first = site.SendAsync(Site.Signed("in flight"));
        await site.Upstream.WaitForRequestAsync();
        Assert.True(await site.Gateway.ReloadAsync(Site.OneRouteText(""" "timeout": "300ms" """)));
        var traces = site.Traces();
        var seen = site.Seen;

        var copy = await site.SendAsync(Site.Signed("in flight"));

        Assert.Equal(503, copy.Status);
        Assert.True(copy.Headers.Contains("Retry-After"));
        Assert.Empty(copy.Body);
        await site.LeavesTracesAsync(traces, "duplicate-in-flight", 503, "hook", copy.Headers["X-Request-Id"]);
        Assert.Equal(seen, site.Seen);
        release.SetResult();
        Assert.Equal(200, (await Deadline.WaitAsync(first, "the first one's answer")).Status);
        await site.IsIdleAsync();
    }

    [Fact]
    public async Task A_replay_store_that_is_away_is_503_on_a_route_that_is_closed_then()
    {
        await using var site = await Site.StartAsync(
            """
            {
              "edge": { "redis": "file:{dir}/redis" },
              "routes": {
                "hook": {
                  "path": "/hook", "replay": { "onStoreError": "closed" }, "upstream": "{upstream}",
                  "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }]
                }
              }
            }
            """,
            files: new Dictionary<string, string> { ["redis"] = "127.0.0.1:9,connectTimeout=200" });

        await site.IsRefusedAsync(() => site.SendAsync(Site.Signed("store away")), 503, "replay-store-down", retryAfter: true);
    }

    [Fact]
    public async Task An_app_that_refuses_connections_is_503_when_the_time_is_up() =>
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("nobody there", "/nobody")), 503, "upstream-unreachable", retryAfter: true, route: "nobody");

    [Fact]
    public async Task An_app_that_does_not_answer_in_time_is_504()
    {
        Site.Upstream.RespondNext(UpstreamAnswer.Never);

        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("no answer", "/slow")), 504, "upstream-timeout", retryAfter: true, reachesUpstream: true,
            route: "slow");
    }

    [Fact]
    public async Task An_app_that_breaks_off_is_502()
    {
        foreach (var answer in new[] { UpstreamAnswer.ResetBeforeHead, UpstreamAnswer.CloseBeforeHead, UpstreamAnswer.ResetInHead })
        {
            Site.Upstream.RespondNext(answer);
            await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("breaks off")), 502, "upstream-failed", retryAfter: true, reachesUpstream: true);
        }
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(304)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_redirect_is_502_without_its_location(int status)
    {
        Site.Upstream.RespondNext(UpstreamAnswer.Redirect(status, "http://elsewhere.example/"));

        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed($"redirect {status}")), 502, "upstream-failed", retryAfter: true, reachesUpstream: true);
    }

    [Fact]
    public async Task A_check_that_fails_by_itself_is_500_and_never_a_pass()
    {
        // Of its own, so that nothing in the background asks the clock in the check's place.
        var clock = new FaultyClock();
        await using var site = await Site.StartAsync(
            $$"""
            { "routes": { "timed": { "path": "/timed", "verify": [{ "scheme": {{Timestamped}}, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" } } }
            """,
            clock);
        var request = SignedAt(0);
        clock.FailOnce();

        await site.IsRefusedAsync(() => site.SendAsync(request), 500, "check-failed", route: "timed");

        Assert.Contains(site.Gateway.Logs.WithEvent(1104), line => line.Exception is InvalidTimeZoneException);
        Assert.Equal(200, (await site.SendAsync(request)).Status);
    }

    [Fact]
    public async Task A_route_may_answer_with_another_status()
    {
        await Site.IsRefusedAsync(() => Site.SendAsync(RawRequest.Post("/overrides", "{}").WithHeader("X-Signature", new string('0', 64))), 403,
            "signature-mismatch", route: "overrides");
        await Site.IsRefusedAsync(() => Site.SendAsync(RawRequest.Get("/overrides")), 404, "method-refused", route: "overrides");
        await Site.IsRefusedAsync(() => Site.SendAsync(RawRequest.Post("/overrides", "{}")), 401, "signature-missing", route: "overrides");
    }

    [Theory]
    [InlineData(202, "{\"duplicate\":true}")]
    [InlineData(204, "")]
    [InlineData(205, "")]
    [InlineData(299, "{\"duplicate\":true}")]
    public async Task A_duplicate_is_marked_as_one_with_any_2xx(int status, string body)
    {
        await using var site = await Site.WithOneRouteAsync($$""" "refuse": { "duplicate": {{status}} } """);
        await using var client = await site.Gateway.ConnectAsync();
        Assert.Equal(200, (await client.ExchangeAsync(Site.Signed("{}"))).Status);

        for (var i = 0; i < 2; i++)
        {
            var copy = await client.ExchangeAsync(Site.Signed("{}"));

            Assert.Equal((status, "true", body), (copy.Status, copy.Headers["X-Webhook-Duplicate"], copy.BodyText));
        }

        Assert.Single(site.Upstream.Requests);
    }

    [Fact]
    public async Task Every_401_looks_the_same_from_outside()
    {
        RawRequest[] requests =
        [
            RawRequest.Post("/hook", "{}"),
            RawRequest.Post("/hook", "{}").WithHeader("X-Signature", "x"),
            RawRequest.Post("/hook", "{}").WithHeader("X-Signature", new string('0', 64)),
            RawRequest.Post("/hook", Site.Bytes(300_000)).WithHeader("X-Signature", new string('0', 64)),
            RawRequest.Post("/hook", "{}").WithHeader("X-Signature", new string('0', 64)).Chunked(1),
            SignedAt(400),
            SignedAt(-400),
            RawRequest.Post("/token", "{}"),
            RawRequest.Post("/token", "{}").WithHeader("X-Token", "wrong"),
            RawRequest.Post("/token", Site.Bytes(300_000)).WithHeader("X-Token", "wrong"),
        ];
        var answers = new HashSet<string>();
        foreach (var request in requests)
        {
            await using var client = await Site.Gateway.ConnectAsync();
            for (var i = 0; i < 2; i++)
            {
                var answer = await client.ExchangeAsync(request);
                Assert.Equal(401, answer.Status);
                Assert.Empty(answer.Body);
                answers.Add(Regex.Replace(answer.HeadText, "(X-Request-Id|Date): [^\r]*", "$1: *"));
            }
        }

        Assert.True(answers.Count == 1, string.Join('\n', answers));
    }

    [Fact]
    public async Task No_secret_signature_or_body_is_in_any_trace()
    {
        var body = "a-body-nobody-should-read";
        await Site.SendAsync(RawRequest.Post("/hook?token=in-the-query", body).WithHeader("X-Signature", new string('7', 64)));
        await Site.SendAsync(RawRequest.Post("/token", body).WithHeader("X-Token", "a-guess-at-the-token"));
        await Site.SendAsync(Site.Signed(body, "/hook?token=in-the-query"));
        await Site.SendAsync(Site.Signed(body, "/hook?token=in-the-query"));

        foreach (var text in new[] { body, new string('7', 64), "a-guess-at-the-token", Site.Sign(Encoding.UTF8.GetBytes(body)), Site.SigningSecret,
            Site.Token, "in-the-query" })
        {
            Assert.DoesNotContain(text, Site.Gateway.Logs.Everything, StringComparison.Ordinal);
        }
    }

    private protected override Task<Site> StartAsync() => Site.StartAsync(
            $$"""
            {
              "edge": {
                "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.0/8"] },
                "awsRanges": { "url": "file:{dir}/not-there.json" }
              },
              "routes": {
                "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
                "prefix": { "path": "/prefix/{**rest}", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
                "address": { "path": "/address", "allow": ["203.0.113.0/24"], "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
                "unloaded": { "path": "/unloaded", "allow": ["aws:us-east-1"], "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
                "timed": { "path": "/timed", "verify": [{ "scheme": {{Timestamped}}, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
                "token": { "path": "/token", "verify": [{ "scheme": { "kind": "token", "header": "X-Token" }, "secrets": ["file:{dir}/token"] }], "upstream": "{upstream}" },
                "scarce-address": {
                  "path": "/scarce-address", "rateLimit": { "address": { "permits": 1, "window": "1h" } },
                  "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}"
                },
                "scarce-route": {
                  "path": "/scarce-route", "rateLimit": { "route": { "permits": 1, "window": "1h" } },
                  "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}"
                },
                "slow": { "path": "/slow", "timeout": "400ms", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
                "nobody": { "path": "/nobody", "timeout": "600ms", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "http://127.0.0.1:9" },
                "overrides": {
                  "path": "/overrides", "refuse": { "signature-mismatch": 403, "method-refused": 404 },
                  "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}"
                }
              }
            }
            """,
            // An unknown route is logged at Debug: scanners would fill the log otherwise.
            arguments: ["--urls", "http://127.0.0.1:0", "--Logging:LogLevel:WebhookEdge", "Debug"]);

    private static RawRequest SignedAt(int secondsFromNow)
    {
        var at = (TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + secondsFromNow).ToString();
        return RawRequest.Post("/timed", "{}").WithHeader("X-Timestamp", at).WithHeader("X-Signature", Site.Sign(Encoding.UTF8.GetBytes(at + ".{}")));
    }

    /// <summary>The system's time, which can be made to fail: it stands for any fault inside a check.</summary>
    private sealed class FaultyClock : TimeProvider
    {
        private int _failures;

        public void FailOnce() => Volatile.Write(ref _failures, 1);

        public override DateTimeOffset GetUtcNow() =>
            Interlocked.Exchange(ref _failures, 0) == 0 ? System.GetUtcNow() : throw new InvalidTimeZoneException("the clock fails once");
    }
}
