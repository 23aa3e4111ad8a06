using System.Net;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.AllowLists;

/// <summary>Published address lists from the first fetch on: not loaded, loaded, changed, and refreshed by a miss.</summary>
public class Address_lists
{
    private const string Routes =
        """
        {
          "edge": {
            "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.0/8"] },
            "awsRanges": { "url": "file:{dir}/ip-ranges.json", "refresh": "1h" }
          },
          "addressSets": { "app": { "json": { "url": "file:{dir}/app.json", "pointer": "/hooks" } } },
          "routes": {
            "hook": { "path": "/hook", "allow": ["aws:us-east-1"], "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "mixed": { "path": "/mixed", "allow": ["192.0.2.1", "app", "aws:us-east-1:EC2"], "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "open": { "path": "/open", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" }
          }
        }
        """;

    [Fact]
    public async Task A_list_that_was_never_loaded_shuts_its_route_and_readiness_until_it_is()
    {
        var clock = new TestClock();
        await using var site = await Site.StartAsync(Routes, clock,
            files: new Dictionary<string, string> { ["app.json"] = """{ "hooks": ["203.0.113.0/24"] }""" });
        await Deadline.UntilAsync(() => site.Lists.All.Any(list => list is { Current: null, LastError: not null }), "the first fetch has failed");

        await site.IsRefusedAsync(() => SendAsync(site, "early", "3.80.0.1"), 503, "allow-list-unavailable", retryAfter: true);
        Assert.Equal(503, await ReadyAsync(site));
        Assert.Equal(200, (await SendAsync(site, "others are up", "198.51.100.1", "/open")).Status);
        Assert.Equal(200, (await SendAsync(site, "a literal address needs no list", "192.0.2.1", "/mixed")).Status);
        await site.IsRefusedAsync(() => SendAsync(site, "may be in the list", "198.51.100.1", "/mixed"), 503, "allow-list-unavailable", retryAfter: true,
            route: "mixed");

        WriteAws(site, 1, "3.80.0.0/12");
        clock.Advance(TimeSpan.FromMinutes(2));
        await Deadline.UntilAsync(() => site.Lists.All.All(list => list.Current is not null), "the lists are loaded");

        Assert.Equal(200, (await SendAsync(site, "early", "3.80.0.1")).Status);
        Assert.Equal(200, await ReadyAsync(site));
        await site.IsRefusedAsync(() => SendAsync(site, "not in it", "198.51.100.1"), 403, "address-not-allowed");
    }

    [Fact]
    public async Task A_published_list_with_an_empty_half_is_ready_and_refuses_strangers_for_good()
    {
        var routes = Routes.Replace("\"pointer\": \"/hooks\" } } }",
            "\"pointer\": \"/hooks\" } }, \"app6\": { \"json\": { \"url\": \"file:{dir}/app.json\", \"pointer\": \"/hooks6\" } } }", StringComparison.Ordinal)
            .Replace("\"app\", \"aws:us-east-1:EC2\"", "\"app\", \"app6\"", StringComparison.Ordinal);
        var files = new Dictionary<string, string> { ["ip-ranges.json"] = Aws(1, "3.80.0.0/12"),
            ["app.json"] = """{ "hooks": ["203.0.113.0/24"], "hooks6": [] }""" };
        await using var site = await Site.StartAsync(routes, new TestClock(), files: files, ready: true);

        Assert.Equal(200, await ReadyAsync(site));
        Assert.Equal(200, (await SendAsync(site, "listed", "203.0.113.7", "/mixed")).Status);
        await site.IsRefusedAsync(() => SendAsync(site, "stranger", "198.51.100.1", "/mixed"), 403, "address-not-allowed", route: "mixed");
        Assert.Contains(site.Gateway.Logs.WithEvent(2009),
            line => line.Text.Contains("'/hooks6' is an empty list: it lets nobody in", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_sender_that_moved_is_refused_once_and_its_retry_passes()
    {
        var clock = new TestClock();
        await using var site = await StartLoadedAsync(clock);
        WriteAws(site, 2, "3.80.0.0/12", "44.192.0.0/11");

        // The list was looked at a moment ago: no sender can make the gateway ask all the time.
        Assert.Equal(403, (await SendAsync(site, "moved", "44.200.0.1")).Status);
        Assert.Equal(403, (await SendAsync(site, "moved", "44.200.0.1")).Status);

        clock.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(403, (await SendAsync(site, "moved", "44.200.0.1")).Status);
        await site.Gateway.Logs.WaitForAsync(line => line.Event.Id == 2000 && line.Text.Contains("2 networks", StringComparison.Ordinal),
            "the list has changed");

        Assert.Equal(200, (await SendAsync(site, "moved", "44.200.0.1")).Status);
        Assert.Equal("moved", Assert.Single(site.Upstream.Requests).BodyText);
    }

    [Theory]
    [InlineData("3.80.0.0", 200)]
    [InlineData("3.95.255.255", 200)]
    [InlineData("::ffff:3.80.0.1", 200)]
    [InlineData("[::ffff:3.80.0.1]:443", 200)]
    [InlineData("3.80.0.1:4711", 200)]
    [InlineData("203.0.113.200", 200)]
    [InlineData("198.51.100.66, 3.80.0.1", 200)]
    [InlineData("3.80.0.1, 127.0.0.1, 127.99.1.1", 200)]
    [InlineData("3.79.255.255", 403)]
    [InlineData("3.96.0.0", 403)]
    [InlineData("3.80.0.1, 198.51.100.66", 403)]
    [InlineData("3.80.0.1, 198.51.100.66, 127.0.0.1", 403)]
    [InlineData("3.80.0.1,", 403)]
    [InlineData("03.80.0.1", 403)]
    [InlineData("3.80.1", 403)]
    [InlineData("0x3.80.0.1", 403)]
    [InlineData("55574529", 403)]
    [InlineData("\"3.80.0.1\"", 403)]
    [InlineData("3.80.0.1;x", 403)]
    [InlineData("for=3.80.0.1", 403)]
    [InlineData("::3.80.0.1", 403)]
    [InlineData("64:ff9b::3.80.0.1", 403)]
    [InlineData("3.80.0.1%eth0", 403)]
    [InlineData("", 403)]
    public async Task Only_the_hop_that_a_trusted_proxy_wrote_counts(string forwardedFor, int status)
    {
        await using var site = await StartLoadedAsync(new TestClock());

        Assert.Equal(status, (await SendAsync(site, "spoof", forwardedFor, "/mixed")).Status);
        Assert.Equal(status == 200 ? 1 : 0, site.Upstream.ConnectionCount);
    }

    [Fact]
    public async Task Other_headers_and_other_lines_do_not_move_a_client()
    {
        await using var site = await StartLoadedAsync(new TestClock());
        foreach (var name in new[] { "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X_Forwarded_For", "X-Forwarded-For-2",
            "X-Original-Forwarded-For" })
        {
            var request = Site.Signed(name).WithHeader("X-Forwarded-For", "198.51.100.1").WithHeader(name, "3.80.0.1");
            Assert.Equal((name, 403), (name, (await site.SendAsync(request)).Status));
        }

        // Two lines are one list in their order: the last one is the nearest proxy's.
        Assert.Equal(403,
            (await site.SendAsync(Site.Signed("lines").WithHeader("X-Forwarded-For", "3.80.0.1").WithHeader("X-Forwarded-For", "198.51.100.1"))).Status);
        Assert.Equal(200,
            (await site.SendAsync(Site.Signed("lines").WithHeader("X-Forwarded-For", "198.51.100.1").WithHeader("X-Forwarded-For", "3.80.0.1"))).Status);
    }

    [Fact]
    public async Task The_peers_own_address_counts_where_no_proxy_is_trusted()
    {
        await using var site = await Site.WithOneRouteAsync(""" "allow": ["127.0.7.0/24"] """);

        Assert.Equal(200, (await site.SendAsync(Site.Signed("inside"), IPAddress.Parse("127.0.7.9"))).Status);
        Assert.Equal(403, (await site.SendAsync(Site.Signed("outside").WithHeader("X-Forwarded-For", "127.0.7.9"), IPAddress.Parse("127.0.8.9"))).Status);
    }

    [Fact]
    public async Task A_proxy_that_is_not_trusted_counts_by_its_own_address()
    {
        await using var site = await Site.WithOneRouteAsync(
            """ "allow": ["203.0.113.7"] """, """ "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.7.0/24"] } """);
        var request = Site.Signed("by proxy").WithHeader("X-Forwarded-For", "203.0.113.7");

        Assert.Equal(403, (await site.SendAsync(request, IPAddress.Parse("127.0.8.1"))).Status);
        Assert.Equal(200, (await site.SendAsync(request, IPAddress.Parse("127.0.7.1"))).Status);
    }

    [Fact]
    public async Task A_connection_over_an_IPv6_socket_counts_by_its_IPv4_address()
    {
        await using var site = await Site.WithOneRouteAsync(""" "allow": ["127.0.7.0/24"] """, arguments: ["--urls", "http://[::]:0"]);
        var to = new IPEndPoint(IPAddress.Loopback, site.Gateway.EndPoint.Port);

        Assert.Equal(200, (await RawHttpClient.SendOnceAsync(to, Site.Signed("mapped"), IPAddress.Parse("127.0.7.1"))).Status);
        Assert.Equal(403, (await RawHttpClient.SendOnceAsync(to, Site.Signed("mapped elsewhere"), IPAddress.Parse("127.0.8.1"))).Status);
        Assert.Equal("127.0.7.1", Assert.Single(site.Upstream.Requests).Headers["X-Forwarded-For"]);
    }

    private static async Task<Site> StartLoadedAsync(TimeProvider clock)
    {
        var files = new Dictionary<string, string> { ["ip-ranges.json"] = Aws(1, "3.80.0.0/12"), ["app.json"] = """{ "hooks": ["203.0.113.0/24"] }""" };
        var site = await Site.StartAsync(Routes, clock, files: files, ready: true);

        // A list of a file is there before its first check: what a test writes now must not be what that check reads.
        await Deadline.UntilAsync(() => site.Lists.Feeds.All(static feed => feed.Wait() > TimeSpan.Zero), "the first checks have ended");
        return site;
    }

    private static Task<RawResponse> SendAsync(Site site, string body, string forwardedFor, string target = "/hook") =>
        site.SendAsync(Site.Signed(body, target).WithHeader("X-Forwarded-For", forwardedFor));

    private static async Task<int> ReadyAsync(Site site) =>
        (await RawHttpClient.SendOnceAsync(new(IPAddress.Loopback, site.Gateway.Admin.Port), RawRequest.Get("/readyz"))).Status;

    private static void WriteAws(Site site, int token, params string[] prefixes)
    {
        var path = Path.Combine(site.Gateway.Directory, "ip-ranges.json");
        File.WriteAllText(path + ".new", Aws(token, prefixes));
        File.Move(path + ".new", path, overwrite: true);
    }

    private static string Aws(int token, params string[] prefixes)
    {
        var entries = prefixes.SelectMany(prefix =>
            new[] { "AMAZON", "EC2" }.Select(service =>
            $$"""{ "ip_prefix": "{{prefix}}", "region": "us-east-1", "service": "{{service}}", "network_border_group": "us-east-1" }"""));
        return $$"""{ "syncToken": "{{1_700_000_000 + token}}", "createDate": "2023-11-14-22-13-20", "prefixes": [{{string.Join(',', entries)}}], "ipv6_prefixes": [] }""";
    }
}
