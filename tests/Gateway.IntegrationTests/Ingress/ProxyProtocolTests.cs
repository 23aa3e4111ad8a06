using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.Ingress;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Ingress;

/// <summary>PROXY headers over real sockets, byte for byte under the test's control. 127.0.0.9 is the trusted proxy.</summary>
public sealed class Proxy_protocol : SiteTests
{
    private const string Trusted = """ "clientAddress": { "from": "proxyProtocol", "trustedProxies": ["127.0.0.9"] } """;
    private const string Connection = """ "clientAddress": { "from": "connection" } """;
    private const string Allow = """ "allow": ["203.0.113.0/24", "2001:db8::/32", "127.0.0.9", "127.0.0.50"] """;

    private static readonly IPAddress Proxy = IPAddress.Parse("127.0.0.9");
    private static readonly IPEndPoint Client = IPEndPoint.Parse("203.0.113.9:40001");
    private static readonly IPEndPoint Client6 = IPEndPoint.Parse("[2001:db8::9]:40001");
    private static readonly IPEndPoint Public = IPEndPoint.Parse("192.0.2.1:443");
    private static readonly IPEndPoint Public6 = IPEndPoint.Parse("[2001:db8::1]:443");

    private int _sent;

    public static TheoryData<string, byte[]> Good => new()
    {
        { "203.0.113.9", ProxyHeaders.Text(Client, Public) },
        { "2001:db8::9", ProxyHeaders.Text(Client6, Public6) },
        { "203.0.113.9", ProxyHeaders.Binary(Client, Public) },
        { "2001:db8::9", ProxyHeaders.Binary(Client6, Public6) },
        { "203.0.113.9", ProxyHeaders.WithChecksum(ProxyHeaders.Binary(Client, Public, (0xEA, "vpce-0123456789abcdef0"u8.ToArray()), (0x04, new byte[300]))) },
        { "127.0.0.9", ProxyHeaders.Binary(ProxyHeaders.Local, 0, []) },
    };

    public static TheoryData<string, byte[]> Bad => new()
    {
        { "no-header", Site.Signed("without a header").ToBytes() },
        { "no-header", [0x16, 0x03, 0x01, 0x02, 0x00, 0x01] },
        { "malformed", "PROXY TCP4 203.0.113.9 192.0.2.1 040001 443\r\n"u8.ToArray() },
        { "malformed", ProxyHeaders.Binary(0x22, 0x11, new byte[12]) },
        { "too-long", Encoding.ASCII.GetBytes("PROXY TCP4 " + new string('1', 200)) },
        { "too-long", ProxyHeaders.Binary(Client, Public, (0x04, new byte[5000])) },
        { "wrong-checksum", ProxyHeaders.Binary(Client, Public, (0x03, new byte[4])) },
    };

    [Fact]
    public async Task The_journal_shows_the_proxy_whom_it_named_and_why_that_counts()
    {
        await using var connection = await Site.Gateway.ConnectAsync(Proxy);
        await connection.SendAsync(ProxyHeaders.Text(IPEndPoint.Parse("198.51.100.7:1"), Public));

        Assert.Equal(403, (await connection.ExchangeAsync(Next())).Status);

        var refusals = Site.Gateway.Host.Services.GetRequiredService<WebhookEdge.Admin.Refusals>();
        var addresses = refusals.Find(refusals.List(null, null, null, 1).Refusals[0].Number)!.Addresses;
        Assert.Equal(("127.0.0.9", "198.51.100.7"), (addresses.Peer, addresses.Chosen));
        Assert.Equal(["198.51.100.7"], addresses.Forwarded);
        Assert.Equal("The peer is a trusted proxy, and its PROXY header named the client.", addresses.Rule);
    }

    [Theory]
    [MemberData(nameof(Good))]
    public async Task The_client_is_the_one_that_the_trusted_proxy_names(string client, byte[] header)
    {
        await using var connection = await Site.Gateway.ConnectAsync(Proxy);

        // In one segment with the request, and for every request of the connection.
        await connection.SendAsync((byte[])[.. header, .. Next().ToBytes()]);
        Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
        Assert.Equal(client, Site.Upstream.Requests[^1].Headers["X-Forwarded-For"]);
        Assert.Equal(200, (await connection.ExchangeAsync(Next())).Status);
        Assert.Equal(client, Site.Upstream.Requests[^1].Headers["X-Forwarded-For"]);
    }

    [Theory]
    [MemberData(nameof(Good))]
    public async Task A_header_may_come_byte_by_byte(string client, byte[] header)
    {
        await using var connection = await Site.Gateway.ConnectAsync(Proxy);

        await connection.SendInPiecesAsync((byte[])[.. header, .. Next().ToBytes()], 1, async () => await Task.Yield());

        Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
        Assert.Equal(client, Site.Upstream.Requests[^1].Headers["X-Forwarded-For"]);
    }

    [Fact]
    public async Task A_client_that_is_not_in_the_list_is_refused_by_its_own_address()
    {
        await using var connection = await Site.Gateway.ConnectAsync(Proxy);
        await connection.SendAsync(ProxyHeaders.Binary(IPEndPoint.Parse("198.51.100.1:1"), Public));

        await Site.IsRefusedAsync(() => connection.ExchangeAsync(Next()), 403, "address-not-allowed");
        Assert.Equal("198.51.100.1", Site.Gateway.Logs.WithEvent(1100)[^1]["Client"]?.ToString());
    }

    [Theory]
    [InlineData("PROXY UNKNOWN\r\n")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\u0021\0\0\0")]
    public async Task A_client_that_the_proxy_does_not_name_is_nobody(string header)
    {
        await using var connection = await Site.Gateway.ConnectAsync(Proxy);
        await connection.SendAsync(header);

        await Site.IsRefusedAsync(() => connection.ExchangeAsync(Next()), 403, "address-unknown");
    }

    [Fact]
    public async Task An_untrusted_peer_is_the_client_and_its_header_is_no_HTTP()
    {
        Assert.Equal(200, (await Site.SendAsync(Next(), IPAddress.Parse("127.0.0.50"))).Status);
        Assert.Equal("127.0.0.50", Site.Upstream.Requests[^1].Headers["X-Forwarded-For"]);

        foreach (var header in new[] { ProxyHeaders.Text(Client, Public), ProxyHeaders.Binary(Client, Public) })
        {
            var seen = Site.Seen;
            await using var connection = await Site.Gateway.ConnectAsync(IPAddress.Parse("127.0.0.50"));
            await connection.SendAsync((byte[])[.. header, .. Next().ToBytes()]);
            Assert.Equal(400, (await connection.ReadResponseAsync()).Status);
            Assert.Equal(seen, Site.Seen);
        }
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task Anything_else_from_the_proxy_ends_the_connection_without_an_answer(string outcome, byte[] bytes)
    {
        var (seen, before) = (Site.Seen, Counted(outcome));
        await using var connection = await Site.Gateway.ConnectAsync(Proxy);

        await connection.SendAsync(bytes);

        Assert.Empty((await connection.ReadToCloseAsync()).Remaining);
        await Deadline.UntilAsync(() => Counted(outcome) == before + 1, "it is counted");
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task A_connection_that_ends_within_its_header_is_counted_and_one_without_a_byte_is_a_health_check()
    {
        var (broken, empty) = (Counted("broken-off"), Counted("empty"));
        await using (var connection = await Site.Gateway.ConnectAsync(Proxy))
        {
            await connection.SendAsync("PROXY TCP4 203.0."u8.ToArray());
            connection.HalfClose();
            Assert.Empty((await connection.ReadToCloseAsync()).Remaining);
        }

        await using (var connection = await Site.Gateway.ConnectAsync(Proxy))
        {
            connection.HalfClose();
            Assert.Empty((await connection.ReadToCloseAsync()).Remaining);
        }

        (await Site.Gateway.ConnectAsync(Proxy)).Reset();
        await Deadline.UntilAsync(() => Counted("broken-off") == broken + 1 && Counted("empty") == empty + 2, "both are counted");
        Assert.Equal(["outcome"], Site.Gateway.Metrics.TagNames("webhookedge.proxy_protocol.connections"));
    }

    [Fact]
    public async Task The_admin_listener_expects_no_header()
    {
        await using var site = await Site.WithOneRouteAsync(edge: Trusted.Replace("127.0.0.9", "127.0.0.0/8", StringComparison.Ordinal));
        using var client = new HttpClient();

        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri(site.Gateway.Admin, "/readyz"))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri(site.Gateway.Admin, "/healthz"))).StatusCode);
    }

    [Fact]
    public async Task A_header_has_five_seconds_and_refusals_of_a_while_are_one_line()
    {
        var clock = new TestClock();
        await using var site = await Site.WithOneRouteAsync(edge: Trusted, time: clock);
        await using var connection = await site.Gateway.ConnectAsync(Proxy);
        await connection.SendAsync("PROXY TCP4 203.0.113.9 "u8.ToArray());

        var closed = connection.ReadToCloseAsync();
        await Deadline.UntilAsync(
            () =>
            {
                clock.Advance(ProxyProtocolMiddleware.Deadline);
                return closed.IsCompleted;
            },
            "the header's time is up");

        Assert.Empty((await closed).Remaining);
        await Deadline.UntilAsync(() => site.Gateway.Metrics.Sum("webhookedge.proxy_protocol.connections", ("outcome", "too-slow")) == 1, "it is counted");
        Assert.Contains("127.0.0.9: too-slow", (await site.Gateway.Logs.WaitForEventAsync(6000)).Text, StringComparison.Ordinal);

        // Whatever the proxy sends, the log is not filled with it. A connection is closed after its line was written.
        clock.Advance(TimeSpan.FromSeconds(10));
        for (var i = 1; i <= 6; i++)
        {
            await RefusedAsync(site);
        }

        Assert.Equal(2, site.Gateway.Logs.WithEvent(6000).Count);
        clock.Advance(TimeSpan.FromSeconds(10));
        await RefusedAsync(site);
        Assert.Equal([0L, 0L, 5L], site.Gateway.Logs.WithEvent(6000).Select(line => line["Unsaid"]));
        Assert.Equal(7, site.Gateway.Metrics.Sum("webhookedge.proxy_protocol.connections", ("outcome", "no-header")));
    }

    [Fact]
    public async Task Stopping_does_not_wait_for_a_header()
    {
        // Its own time stands still, so that only being asked to stop ends the wait.
        var site = await Site.WithOneRouteAsync(edge: Trusted, time: new TestClock());
        await using var connection = await site.Gateway.ConnectAsync(Proxy);
        await connection.SendAsync("PROXY"u8.ToArray());
        Assert.Equal(404, (await site.SendAsync(RawRequest.Get("/elsewhere"))).Status);

        var started = TimeProvider.System.GetTimestamp();
        await site.DisposeAsync();

        Assert.Empty((await connection.ReadToCloseAsync()).Remaining);
        Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(15), "it was waited for");
    }

    [Fact]
    public async Task A_reload_switches_it_on_and_off_for_the_next_connection_and_the_next_request()
    {
        var (off, on) = (Site.OneRouteText(Allow, Connection), Site.OneRouteText(Allow, Trusted));
        await using var site = await Site.StartAsync(off);
        await using var older = await site.Gateway.ConnectAsync(Proxy);
        Assert.Equal(200, (await older.ExchangeAsync(Next())).Status);

        Assert.True(await site.Gateway.ReloadAsync(on));
        await site.IsRefusedAsync(() => older.ExchangeAsync(Next()), 403, "address-unknown");
        await using (var without = await site.Gateway.ConnectAsync(Proxy))
        {
            await without.SendAsync(Next());
            Assert.Empty((await without.ReadToCloseAsync()).Remaining);
        }

        await using var with = await site.Gateway.ConnectAsync(Proxy);
        await with.SendAsync(ProxyHeaders.Binary(Client, Public));
        Assert.Equal(200, (await with.ExchangeAsync(Next())).Status);
        Assert.Equal("203.0.113.9", site.Upstream.Requests[^1].Headers["X-Forwarded-For"]);

        Assert.True(await site.Gateway.ReloadAsync(off));
        Assert.Equal(200, (await with.ExchangeAsync(Next())).Status);
        Assert.Equal("127.0.0.9", site.Upstream.Requests[^1].Headers["X-Forwarded-For"]);
        Assert.Equal(200, (await older.ExchangeAsync(Next())).Status);
        await using var again = await site.Gateway.ConnectAsync(Proxy);
        await again.SendAsync(ProxyHeaders.Text(Client, Public));
        Assert.Equal(400, (await again.ReadResponseAsync()).Status);
    }

    private protected override Task<Site> StartAsync() => Site.WithOneRouteAsync(Allow, Trusted);

    private static async Task RefusedAsync(Site site)
    {
        await using var connection = await site.Gateway.ConnectAsync(Proxy);
        await connection.SendAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
        Assert.Empty((await connection.ReadToCloseAsync()).Remaining);
    }

    private double Counted(string outcome) => Site.Gateway.Metrics.Sum("webhookedge.proxy_protocol.connections", ("outcome", outcome));

    private RawRequest Next() => Site.Signed($"event {Interlocked.Increment(ref _sent)} of {Guid.NewGuid()}");
}
