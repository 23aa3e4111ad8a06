using System.Net;
using System.Text;
using System.Text.Json;
using WebhookEdge.Admin;
using WebhookEdge.Hosting;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Admin;

/// <summary>The admin API over real sockets: what it tells, what it never tells, and whom.</summary>
public sealed class AdminApiTests
{
    private const string Token = "the-token-of-the-operator";
    private const string Behind = """ "edge": { "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.0/8"] } } """;

    [Fact]
    public async Task Routes_tell_health_numbers_and_rules()
    {
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.Ok, UpstreamAnswer.Status(500));
        await using var gateway = await TestGateway.StartAsync(Hook.Routes("\"allow\": [\"127.0.0.1\"]"), upstream.Address, Hook.Secrets);
        await gateway.SendAsync(Hook.Event("one"));
        await gateway.SendAsync(Hook.Event("one"));
        await gateway.SendAsync(Hook.Event("two"));
        await gateway.SendAsync(RawRequest.Post("/hook", "unsigned"));

        var route = Assert.Single((await GetAsync(gateway, "/api/routes")).GetProperty("routes").EnumerateArray());

        Assert.Equal(("hook", "/hook", "yellow"),
            (route.GetProperty("id").GetString(), route.GetProperty("path").GetString(), route.GetProperty("health").GetProperty("colour").GetString()));
        var lately = route.GetProperty("lately");
        Assert.Equal((1, 1, 1, 1),
            (lately.GetProperty("delivered").GetInt32(), lately.GetProperty("duplicates").GetInt32(), lately.GetProperty("failed").GetInt32(),
            lately.GetProperty("refused").GetInt32()));
        Assert.Equal([0, 1, 0, 0, 1], route.GetProperty("statuses").EnumerateArray().Select(static n => n.GetInt32()));
        Assert.Equal(500, route.GetProperty("lastFailure").GetProperty("status").GetInt32());
        Assert.True(route.GetProperty("p50Ms").GetDouble() > 0);
        var secret = Assert.Single(route.GetProperty("secrets").EnumerateArray());
        Assert.StartsWith("file:", secret.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.String, secret.GetProperty("lastMatchedAt").ValueKind);
        Assert.Equal(["signature-missing", "duplicate"],
            route.GetProperty("reasons").EnumerateArray().Select(static r => r.GetProperty("reason").GetString()!).OrderDescending());
        Assert.Equal(upstream.Address + "/", Assert.Single(route.GetProperty("upstream").EnumerateArray()).GetProperty("address").GetString());
    }

    [Fact]
    public async Task Numbers_outlive_a_reload_and_go_with_their_route()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
        await gateway.SendAsync(Hook.Event("one"));

        await gateway.ReloadAsync(Hook.Routes("\"maxBody\": \"32KiB\""));
        var kept = await GetAsync(gateway, "/api/routes");
        await gateway.ReloadAsync(Hook.Routes().Replace("\"hook\"", "\"other\"", StringComparison.Ordinal));
        await gateway.ReloadAsync(Hook.Routes());
        var anew = await GetAsync(gateway, "/api/routes");

        Assert.Equal(1, kept.GetProperty("routes")[0].GetProperty("total").GetProperty("delivered").GetInt32());
        Assert.Equal(0, anew.GetProperty("routes")[0].GetProperty("total").GetProperty("delivered").GetInt32());
    }

    [Fact]
    public async Task Refusals_are_filtered_and_come_in_pages()
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);
        for (var i = 0; i < 5; i++)
        {
            await gateway.SendAsync(RawRequest.Post("/hook", "unsigned"));
        }

        await gateway.SendAsync(RawRequest.Get("/nowhere?token=kept-out"));

        var all = await GetAsync(gateway, "/api/refusals");
        var missing = await GetAsync(gateway, "/api/refusals?reason=signature-missing&limit=2");
        var rest = await GetAsync(gateway, $"/api/refusals?reason=signature-missing&limit=50&before={missing.GetProperty("next").GetInt64()}");
        var none = await GetAsync(gateway, "/api/refusals?route=none");

        Assert.Equal(6, all.GetProperty("matching").GetInt32());
        Assert.Equal("/nowhere", all.GetProperty("refusals")[0].GetProperty("path").GetString());
        Assert.Equal((5, 2), (missing.GetProperty("matching").GetInt32(), missing.GetProperty("refusals").GetArrayLength()));
        Assert.Equal((3, JsonValueKind.Null), (rest.GetProperty("refusals").GetArrayLength(), rest.GetProperty("next").ValueKind));
        Assert.Equal("route-unknown", Assert.Single(none.GetProperty("refusals").EnumerateArray()).GetProperty("reason").GetString());
        Assert.Equal(5, all.GetProperty("reasons").GetProperty("signature-missing").GetInt32());
        Assert.DoesNotContain("kept-out", all.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_tells_the_addresses_and_the_rule_and_no_value_of_a_header()
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes("\"allow\": [\"198.51.100.0/24\"]", Behind), secrets: Hook.Secrets);
        await gateway.SendAsync(Hook.Event("one").WithHeader("X-Forwarded-For", "198.51.100.7, 203.0.113.9, 127.0.0.8")
            .WithHeader("Authorization", "Bearer kept-out").WithHeader("Cookie", "kept-out"));
        var number = gateway.Journal.LastNumber;

        var detail = await GetAsync(gateway, $"/api/refusals/{number}");

        var seen = detail.GetProperty("addresses");
        Assert.Equal("203.0.113.9", seen.GetProperty("chosen").GetString());
        Assert.Equal("127.0.0.1", seen.GetProperty("peer").GetString());
        Assert.Equal(["198.51.100.7", "203.0.113.9", "127.0.0.8"], seen.GetProperty("forwarded").EnumerateArray().Select(static hop => hop.GetString()));
        Assert.Contains("right-most", seen.GetProperty("rule").GetString(), StringComparison.Ordinal);
        Assert.Contains("X-Forwarded-For names 198.51.100.7, which is allowed. That proves nothing", seen.GetProperty("hint").GetString(),
            StringComparison.Ordinal);
        Assert.False(seen.GetProperty("allowedNow").GetBoolean());
        Assert.Contains("X-Sig", detail.GetProperty("headers").EnumerateArray().Select(static h => h.GetString()));
        Assert.DoesNotContain("kept-out", detail.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain(Hook.Sign("one"u8), detail.GetRawText(), StringComparison.Ordinal);
        Assert.NotEmpty(detail.GetProperty("advice").GetString()!);
    }

    [Fact]
    public async Task What_strangers_send_is_bounded_in_the_answer()
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(file: Behind), secrets: Hook.Secrets);
        await gateway.SendAsync(RawRequest.Post("/hook", "x").WithHeader("X-Forwarded-For", string.Join(',', Enumerable.Repeat(new string('9', 300), 60)))
            .WithHeader("X-" + new string('n', 5000), "v"));
        await gateway.SendAsync(RawRequest.Post("/" + new string('p', 5000), "x"));

        var list = await GetAsync(gateway, "/api/refusals");
        var detail = await GetAsync(gateway, $"/api/refusals/{gateway.Journal.LastNumber - 1}");

        Assert.True(list.GetRawText().Length < 4000);
        Assert.True(detail.GetRawText().Length < 6000);
        Assert.True(detail.GetProperty("addresses").GetProperty("forwardedCut").GetBoolean());
    }

    [Fact]
    public async Task Configuration_tells_the_revision_and_why_the_newest_file_was_refused()
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);
        var before = await GetAsync(gateway, "/api/config");
        await gateway.ReloadAsync("""{ "routes": { "hook": { "path": "/hook", "uptsream": "x" } } }""");
        var refused = await GetAsync(gateway, "/api/config");
        await gateway.ReloadAsync(Hook.Routes("\"maxBody\": \"32KiB\""));
        var after = await GetAsync(gateway, "/api/config");

        Assert.Equal((true, JsonValueKind.Null), (before.GetProperty("newestFileTaken").GetBoolean(), before.GetProperty("refused").ValueKind));
        Assert.Equal(before.GetProperty("revision").GetString(), refused.GetProperty("revision").GetString());
        Assert.False(refused.GetProperty("newestFileTaken").GetBoolean());
        var problems = refused.GetProperty("refused").GetProperty("problems");
        Assert.Contains(problems.EnumerateArray(),
            static p => p.GetProperty("path").GetString() == "routes.hook.uptsream" && p.GetProperty("line").GetInt32() == 1);
        Assert.True(after.GetProperty("newestFileTaken").GetBoolean());
        Assert.False(after.GetProperty("refused").GetProperty("isCurrent").GetBoolean());
        Assert.NotEqual(before.GetProperty("inForceSince").GetString(), after.GetProperty("inForceSince").GetString());
    }

    [Fact]
    public async Task Addresses_tell_what_is_wrong_and_who_uses_them()
    {
        await using var gateway = await TestGateway.StartAsync(
            """
            { "edge": { "awsRanges": { "url": "file:{dir}/ip-ranges.json" } },
              "routes": { "hook": { "path": "/hook", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "allow": ["aws:us-east-1"], "upstream": "{upstream}" } } }
            """,
            secrets: Hook.Secrets);

        var list = Assert.Single((await GetAsync(gateway, "/api/addresses")).GetProperty("addresses").EnumerateArray());
        var route = (await GetAsync(gateway, "/api/routes")).GetProperty("routes")[0];

        Assert.Equal(("aws:us-east-1", false), (list.GetProperty("name").GetString(), list.GetProperty("loaded").GetBoolean()));
        Assert.Equal("hook", Assert.Single(list.GetProperty("usedBy").EnumerateArray()).GetString());
        Assert.Equal("red", route.GetProperty("health").GetProperty("colour").GetString());
    }

    [Fact]
    public async Task Addresses_tell_networks_before_and_after_merging_what_they_let_in_and_what_was_left_out()
    {
        var office = $$"""{ "ips": ["8.8.8.0/25", "8.8.8.128/25", "2606:4700::/32", {{string.Join(", ", Enumerable.Range(0, 8).Select(static i => $"\"8.8.8.{i}\""))}}, "8.8.8.8/24"] }""";
        await using var gateway = await TestGateway.StartAsync(
            """
            { "addressSets": { "office": { "json": { "url": "file:{dir}/office.json", "pointer": "/ips" } } },
              "routes": { "hook": { "path": "/hook", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "allow": ["office", "9.9.9.0/30", "9.9.9.4"], "upstream": "{upstream}" } } }
            """,
            secrets: new Dictionary<string, string>(Hook.Secrets) { ["office.json"] = office });

        var list = Assert.Single((await GetAsync(gateway, "/api/addresses")).GetProperty("addresses").EnumerateArray());

        Assert.Equal((11, 2, 1), (list.GetProperty("networks").GetInt32(), list.GetProperty("merged").GetInt32(), list.GetProperty("leftOut").GetInt32()));
        Assert.Equal(("256 IPv4 and 2^96 IPv6 addresses", 256), (list.GetProperty("letsIn").GetString(), list.GetProperty("addresses").GetInt32()));
        Assert.Contains("1 of 12 entries are no sound networks and were left out", list.GetProperty("lastError").GetString(), StringComparison.Ordinal);
        Assert.Equal("office, 9.9.9.0/30, 9.9.9.4 (5 IPv4 addresses in 2 networks of the file)", Assert.Single(gateway.Logs.WithEvent(5106))["Addresses"]);
    }

    [Fact]
    public async Task The_store_tells_when_redis_is_away()
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(file: Hook.WithRedis), upstream.Address, Hook.SecretsWith(redis));
        await gateway.SendAsync(Hook.Event("one"));
        var up = await GetAsync(gateway, "/api/store");
        await redis.FreezeAsync();
        await gateway.SendAsync(Hook.Event("two"));

        // The claim and the commit have waited in vain; the third call is that of the write-back, behind the delivery.
        await Deadline.UntilAsync(() => gateway.Metrics.Observe("webhookedge.replay.breaker") > 0, "the store is found to be away");
        var away = await GetAsync(gateway, "/api/store");
        await redis.ThawAsync();

        Assert.Equal(("redis", "up", 1), (up.GetProperty("kind").GetString(), up.GetProperty("state").GetString(), up.GetProperty("memoryKeys").GetInt32()));
        Assert.NotEqual("up", away.GetProperty("state").GetString());
        Assert.DoesNotContain("127.0.0.1", away.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_store_tells_how_many_events_it_remembers_and_a_reload_changes_that()
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(file: """ "edge": { "limits": { "rememberedEvents": 20000 } } """),
            secrets: Hook.Secrets);
        var before = await GetAsync(gateway, "/api/store");
        Assert.True(await gateway.ReloadAsync(Hook.Routes()));
        var after = await GetAsync(gateway, "/api/store");

        Assert.Equal((20_000, 1_000_000), (before.GetProperty("memoryLimit").GetInt32(), after.GetProperty("memoryLimit").GetInt32()));
        Assert.Equal((0, 0), (before.GetProperty("forgottenEarly").GetInt32(), after.GetProperty("forgottenEarly").GetInt32()));
        Assert.Equal(1_000_000, gateway.Metrics.Observe("webhookedge.replay.memory_keys_limit"));
    }

    public static TheoryData<string, string, int> Mistakes => new()
    {
        { "GET", "/api/nothing", 404 },
        { "GET", "/favicon.ico", 404 },
        { "POST", "/api/routes", 405 },
        { "GET", "/api/refusals?reason=nope", 400 },
        { "GET", "/api/refusals?limit=0", 400 },
        { "GET", "/api/refusals?limit=201", 400 },
        { "GET", "/api/refusals?limit=x", 400 },
        { "GET", "/api/refusals?before=-1", 400 },
        { "GET", "/api/refusals/999", 404 },
        { "GET", "/api/refusals/x", 404 },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task A_mistake_is_a_problem_json(string method, string path, int status)
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);

        var answer = await AskAsync(gateway, new() { Method = method, Target = path });

        Assert.Equal((status, "application/problem+json"), (answer.Status, answer.Headers["Content-Type"]));
        Assert.NotEmpty(JsonDocument.Parse(answer.Body).RootElement.GetProperty("detail").GetString()!);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/page.js")]
    [InlineData("/api/state")]
    [InlineData("/api/nothing")]
    [InlineData("/healthz")]
    public async Task Every_answer_binds_the_browser(string path)
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);

        var answer = await AskAsync(gateway, RawRequest.Get(path));

        Assert.Equal(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
            + "form-action 'self'",
            answer.Headers["Content-Security-Policy"]);
        Assert.Equal(("nosniff", "no-referrer", "no-store", "DENY"),
            (answer.Headers["X-Content-Type-Options"], answer.Headers["Referrer-Policy"], answer.Headers["Cache-Control"], answer.Headers["X-Frame-Options"]));
    }

    [Theory]
    [InlineData("/", "rebound.example.com", null, null)]
    [InlineData("/api/refusals", "rebound.example.com", null, null)]
    [InlineData("/api/state", "rebound.example.com:9901", null, null)]
    [InlineData("/api/state", "localhost.example.com", null, null)]
    [InlineData("/api/state", "localhost", "http://evil.example", null)]
    [InlineData("/api/stream", "localhost", null, "cross-site")]
    [InlineData("/api/stream", "localhost", null, "same-site")]
    [InlineData("/API/state", "localhost", "http://evil.example", null)]
    public async Task Without_a_token_pages_of_strangers_read_nothing(string path, string host, string? origin, string? site)
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);
        var request = RawRequest.Get(path) with { Host = host };
        request = origin is null ? request : request.WithHeader("Origin", origin);
        request = site is null ? request : request.WithHeader("Sec-Fetch-Site", site);

        var answer = await AskAsync(gateway, request);

        Assert.Equal((403, "application/problem+json"), (answer.Status, answer.Headers["Content-Type"]));
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.1:9901")]
    [InlineData("[::1]:9901")]
    [InlineData("LOCALHOST:1")]
    public async Task This_machine_has_loopback_names(string host)
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);

        Assert.Equal(200, (await AskAsync(gateway, RawRequest.Get("/api/state") with { Host = host })).Status);
    }

    [Fact]
    public async Task With_a_token_all_but_probes_and_the_empty_page_need_it()
    {
        await using var gateway = await StartWithTokenAsync();
        foreach (var path in (string[])["/api/state", "/api/routes", "/api/refusals", "/api/refusals/1", "/api/addresses", "/api/config", "/api/store",
            "/api/stream", "/metrics", "/api/nothing"])
        {
            var refused = await AskAsync(gateway, RawRequest.Get(path));
            Assert.Equal((401, "Bearer"), (refused.Status, refused.Headers["WWW-Authenticate"]));
        }

        foreach (var path in (string[])["/healthz", "/readyz", "/", "/page.css", "/page.js"])
        {
            Assert.Equal(200, (await AskAsync(gateway, RawRequest.Get(path) with { Host = "10.0.0.7:9901" })).Status);
        }

        Assert.Equal("{\"ready\":true}", (await AskAsync(gateway, RawRequest.Get("/readyz"))).BodyText);
        Assert.Contains("revision", (await AskAsync(gateway, RawRequest.Get("/readyz").WithHeader("Authorization", "Bearer " + Token))).BodyText,
            StringComparison.Ordinal);
        Assert.Equal(200,
            (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Authorization", "Bearer " + Token) with { Host = "admin.internal" })).Status);
    }

    [Fact]
    public async Task Signing_in_gives_a_session_that_other_origins_cannot_use_and_that_ends()
    {
        var clock = new TestClock();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets, time: clock,
            arguments: ["--urls", "http://127.0.0.1:0", "--Admin:Token", Token]);

        var answer = await AskAsync(gateway, SignIn(Token));
        var set = answer.Headers["Set-Cookie"]!;
        var cookie = set[..set.IndexOf(';', StringComparison.Ordinal)];
        var mine = RawRequest.Get("/api/state").WithHeader("Cookie", cookie);

        Assert.Equal(204, answer.Status);
        Assert.Contains("httponly", set, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", set, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(200, (await AskAsync(gateway, mine)).Status);
        Assert.Equal(403, (await AskAsync(gateway, mine.WithHeader("Sec-Fetch-Site", "cross-site"))).Status);
        Assert.Equal(403, (await AskAsync(gateway, RawRequest.Post("/api/replay/hook/forget").WithHeader("Cookie", cookie).WithHeader("Origin", "http://evil.example"))).Status);
        Assert.Equal(403, (await AskAsync(gateway, RawRequest.Post("/API/Replay/hook/forget").WithHeader("Cookie", cookie).WithHeader("Origin", "http://evil.example"))).Status);
        Assert.Equal(401, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Cookie", cookie[..^1] + (cookie[^1] == '0' ? '1' : '0')))).Status);
        Assert.Equal(401, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Cookie", AdminAccess.CookieName + "=99999999999."))).Status);
        clock.Advance(TimeSpan.FromHours(12));
        Assert.Equal(401, (await AskAsync(gateway, mine)).Status);
    }

    [Theory]
    [InlineData("multipart/form-data", "x")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nbroken")]
    [InlineData("application/x-www-form-urlencoded", null)]
    [InlineData("application/x-www-form-urlencoded; charset=utf-7", "token=x")]
    [InlineData("application/x-www-form-urlencoded; charset=no-such-thing", "token=x")]
    public async Task What_is_no_form_is_a_wrong_token_and_no_fault_of_the_gateway(string type, string? body)
    {
        await using var gateway = await StartWithTokenAsync();
        body ??= string.Concat(Enumerable.Range(0, 2000).Select(static i => $"k{i}=v&"));

        var answer = await AskAsync(gateway, RawRequest.Post("/signin", body).WithHeader("Content-Type", type));

        Assert.Equal((401, "application/problem+json"), (answer.Status, answer.Headers["Content-Type"]));
        Assert.Empty(gateway.Logs.WithEvent(1116));
    }

    [Fact]
    public async Task Guessing_the_token_is_slowed_down()
    {
        await using var gateway = await StartWithTokenAsync();
        for (var i = 0; i < FailedTries.Allowed; i++)
        {
            var request = i % 2 == 0 ? SignIn("guess-number-" + i) : RawRequest.Get("/api/state").WithHeader("Authorization", "Bearer guess-number-" + i);
            Assert.Equal(401, (await AskAsync(gateway, request)).Status);
        }

        var more = await AskAsync(gateway, SignIn("guess-number-11"));
        Assert.Equal((429, "60", "application/problem+json"), (more.Status, more.Headers["Retry-After"], more.Headers["Content-Type"]));
        Assert.Equal(429, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Authorization", "Bearer guess-number-12"))).Status);

        // Elsewhere the count begins anew. Two addresses in a thousand share one, so several are asked.
        var others = new List<int>();
        for (var i = 1; i <= 3; i++)
        {
            others.Add((await AskAsync(gateway, SignIn("guess-number-13"), IPAddress.Parse($"127.0.4.{i}"))).Status);
        }

        Assert.Contains(401, others);
    }

    [Fact]
    public async Task Guesses_at_the_same_time_pass_ten_no_more_than_one_after_the_other()
    {
        await using var gateway = await StartWithTokenAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => AskAsync(
            gateway, i % 2 == 0 ? SignIn("guess-number-" + i) : RawRequest.Get("/api/state").WithHeader("Authorization", "Bearer guess-number-" + i))));

        Assert.Equal(FailedTries.Allowed, answers.Count(static answer => answer.Status == 401));
        Assert.Equal(100 - FailedTries.Allowed, answers.Count(static answer => answer.Status == 429));
    }

    [Fact]
    public async Task The_right_token_passes_however_many_wrong_ones_came_from_wherever()
    {
        await using var gateway = await StartWithTokenAsync();
        for (var i = 0; i < 1100; i++)
        {
            await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Authorization", "Bearer guess-number-" + i),
                IPAddress.Parse($"127.1.{i / 250}.{(i % 250) + 1}"));
        }

        for (var i = 0; i < FailedTries.Allowed + 5; i++)
        {
            await AskAsync(gateway, SignIn("guess-number-" + i));
        }

        Assert.Equal(429, (await AskAsync(gateway, SignIn("one more guess"))).Status);
        Assert.Equal(204, (await AskAsync(gateway, SignIn(Token))).Status);
        Assert.Equal(200, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Authorization", "Bearer " + Token))).Status);
        Assert.Equal(204, (await AskAsync(gateway, SignIn(Token), IPAddress.Parse("127.2.0.1"))).Status);
    }

    [Theory]
    [InlineData("Origin", "http://evil.example")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    public async Task Signing_out_is_not_for_pages_of_other_origins(string header, string value)
    {
        await using var gateway = await StartWithTokenAsync();
        var cookie = await SessionAsync(gateway);

        Assert.Equal(403, (await AskAsync(gateway, RawRequest.Post("/signout").WithHeader("Cookie", cookie).WithHeader(header, value))).Status);
        Assert.Equal(403, (await AskAsync(gateway, RawRequest.Post("/signout?all=true").WithHeader("Cookie", cookie).WithHeader(header, value))).Status);
        Assert.Equal(200, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Cookie", cookie))).Status);
    }

    [Fact]
    public async Task Signing_out_ends_the_session_on_the_server_and_that_one_alone()
    {
        await using var gateway = await StartWithTokenAsync();
        var (mine, other) = (await SessionAsync(gateway), await SessionAsync(gateway));
        Assert.Equal(200, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Cookie", mine))).Status);

        Assert.Equal(204, (await AskAsync(gateway, RawRequest.Post("/signout").WithHeader("Cookie", mine))).Status);

        Assert.Equal(401, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Cookie", mine))).Status);
        Assert.Equal(200, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Cookie", other))).Status);
    }

    [Fact]
    public async Task A_live_stream_ends_with_its_session()
    {
        await using var gateway = await StartWithTokenAsync();
        var (mine, other) = (await SessionAsync(gateway), await SessionAsync(gateway));
        using var http = new HttpClient();
        await using var mineOpen = await StreamAsync(mine);
        await using var otherOpen = await StreamAsync(other);

        await AskAsync(gateway, RawRequest.Post("/signout").WithHeader("Cookie", mine));

        await Deadline.WaitAsync(mineOpen.CopyToAsync(Stream.Null), "the stream to end");
        var frame = new byte[64];
        for (var frames = 0; frames < 3;)
        {
            var read = await Deadline.WaitAsync(otherOpen.ReadAsync(frame).AsTask(), "the other stream to go on");
            Assert.NotEqual(0, read);
            frames += Encoding.UTF8.GetString(frame, 0, read).Contains("retry:", StringComparison.Ordinal) ? 1 : 0;
        }

        async Task<Stream> StreamAsync(string cookie)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(gateway.Admin, "/api/stream"));
            request.Headers.Add("Cookie", cookie);
            var answer = await Deadline.WaitAsync(http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead), "a stream to open");
            return await answer.EnsureSuccessStatusCode().Content.ReadAsStreamAsync();
        }
    }

    [Fact]
    public async Task All_sessions_can_be_ended_by_who_has_one()
    {
        await using var gateway = await StartWithTokenAsync();
        var (mine, other) = (await SessionAsync(gateway), await SessionAsync(gateway));

        await AskAsync(gateway, RawRequest.Post("/signout?all=true"));
        Assert.Equal(200, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Cookie", mine))).Status);
        await AskAsync(gateway, RawRequest.Post("/signout?all=true").WithHeader("Cookie", mine));

        Assert.Equal(401, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Cookie", mine))).Status);
        Assert.Equal(401, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Cookie", other))).Status);
        Assert.Equal(200, (await AskAsync(gateway, RawRequest.Get("/api/state").WithHeader("Cookie", await SessionAsync(gateway)))).Status);
    }

    [Theory]
    [InlineData("http://0.0.0.0:0", null, "Admin:Url")]
    [InlineData("http://*:0", "", "Admin:Url")]
    [InlineData("http://127.0.0.1:0;http://[::]:0", null, "Admin:Url")]
    [InlineData("http://127.0.0.1:0", "short", "Admin:Token")]
    [InlineData("http://loopback:0", null, "Admin:Url")]
    [InlineData("http://x@localhost:0", null, "Admin:Url")]
    public async Task A_listener_open_to_others_without_a_good_token_does_not_start(string url, string? token, string place)
    {
        using var directory = new TempDirectory();
        var path = directory.Write("routes.json", "{}");
        string[] arguments = ["--urls", "http://127.0.0.1:0", "--Admin:Url", url, .. token is null ? Array.Empty<string>() : ["--Admin:Token", token]];

        var fault = await Assert.ThrowsAsync<ConfigurationException>(() => GatewayHost.StartAsync(new() { RoutesPath = path, Arguments = arguments }));

        var problem = Assert.Single(fault.Problems);
        Assert.Equal(place, problem.Path);
        Assert.Contains("openssl rand", problem.Hint, StringComparison.Ordinal);
        Assert.DoesNotContain("short", problem.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_stream_speaks_each_second_and_has_a_bounded_number_of_listeners()
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);
        using var http = new HttpClient();
        var open = new List<Stream>();
        try
        {
            for (var i = 0; i < LiveStream.MostListeners; i++)
            {
                open.Add(await Deadline.WaitAsync(http.GetStreamAsync(new Uri(gateway.Admin, "/api/stream")), "a stream to open"));
            }

            var refused = await AskAsync(gateway, RawRequest.Get("/api/stream"));
            Assert.Equal((503, "application/problem+json", "5"), (refused.Status, refused.Headers["Content-Type"], refused.Headers["Retry-After"]));

            using var reader = new StreamReader(open[0]);
            for (var i = 0; i < 2; i++)
            {
                var line = "";
                while (!line.StartsWith("data: ", StringComparison.Ordinal))
                {
                    line = (await Deadline.WaitAsync(reader.ReadLineAsync(), "an event"))!;
                }

                Assert.Equal("hook", JsonDocument.Parse(line["data: ".Length..]).RootElement.GetProperty("routes")[0].GetProperty("id").GetString());
            }

            open[1].Dispose();
            await Deadline.UntilAsync(() => gateway.Host.Services.GetService(typeof(LiveStream)) is LiveStream { Listeners: LiveStream.MostListeners - 1 },
                "the place is free");
            open.Add(await Deadline.WaitAsync(http.GetStreamAsync(new Uri(gateway.Admin, "/api/stream")), "the free place"));
        }
        finally
        {
            open.ForEach(static stream => stream.Dispose());
        }
    }

    [Fact]
    public async Task A_listener_that_does_not_read_is_dropped()
    {
        var clock = new TestClock();
        await using var gateway = await TestGateway.StartAsync(Large(), secrets: Hook.Secrets, time: clock);
        var stream = (LiveStream)gateway.Host.Services.GetService(typeof(LiveStream))!;
        await using var client = await RawHttpClient.ConnectAsync(gateway.Admin.Port);
        await client.SendAsync(RawRequest.Get("/api/stream"));
        await Deadline.UntilAsync(() => stream.Listeners == 1, "it listens");

        // Each second another frame, until nothing more fits between the two; then ten seconds of patience.
        await Deadline.UntilAsync(
            () =>
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                return stream.Listeners == 0;
            },
            "it is dropped");
    }

    [Fact]
    public async Task An_open_stream_does_not_hold_up_the_end()
    {
        var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);
        using var http = new HttpClient();
        await using var stream = await Deadline.WaitAsync(http.GetStreamAsync(new Uri(gateway.Admin, "/api/stream")), "a stream");

        await Deadline.WaitAsync(gateway.DisposeAsync().AsTask(), "the end", TimeSpan.FromSeconds(8));
    }

    private static string Large() =>
        "{ \"routes\": { "
        + string.Join(",\n", Enumerable.Range(0, 120).Select(i => $$""" "hook-{{i}}": { "path": "/hook-{{i}}", {{Hook.Verify}}, "upstream": "{upstream}" }"""))
        + " } }";

    private static Task<TestGateway> StartWithTokenAsync() =>
        TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets, arguments: ["--urls", "http://127.0.0.1:0", "--Admin:Token", Token]);

    /// <summary>The cookie of a new session.</summary>
    private static async Task<string> SessionAsync(TestGateway gateway)
    {
        var set = (await AskAsync(gateway, SignIn(Token))).Headers["Set-Cookie"]!;
        return set[..set.IndexOf(';', StringComparison.Ordinal)];
    }

    private static RawRequest SignIn(string token) =>
        RawRequest.Post("/signin", "token=" + token).WithHeader("Content-Type", "application/x-www-form-urlencoded");

    private static Task<RawResponse> AskAsync(TestGateway gateway, RawRequest request, IPAddress? from = null) =>
        RawHttpClient.SendOnceAsync(new(IPAddress.Loopback, gateway.Admin.Port), request, from);

    private static async Task<JsonElement> GetAsync(TestGateway gateway, string path)
    {
        var answer = await AskAsync(gateway, RawRequest.Get(path));
        Assert.True(answer.Status == 200, $"{path}: {answer.Status} {answer.BodyText}");
        Assert.StartsWith("application/json", answer.Headers["Content-Type"], StringComparison.Ordinal);
        return JsonDocument.Parse(answer.Body).RootElement;
    }
}
