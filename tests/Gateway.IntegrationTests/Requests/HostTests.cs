using System.Net;
using Microsoft.Extensions.Logging;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>
/// The Host header's own text is what counts, over HTTP/1.1 and as <c>:authority</c>: never a decoded form, which nobody sent and some texts do not have.
/// </summary>
public sealed class Host_names : SiteTests
{
    private const string Verify = """ "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "replay": "off", "upstream": "{upstream}" """;

    private static readonly string[] Endpoints =
        ["--urls", "", "--Kestrel:Endpoints:one:Url", "http://127.0.0.1:0", "--Kestrel:Endpoints:two:Url", "http://127.0.0.1:0",
            "--Kestrel:Endpoints:two:Protocols", "Http2"];

    private IPEndPoint Http2 => new(IPAddress.Loopback, Site.Gateway.Host.Addresses[1].Port);

    public static TheoryData<string> Valid => new(
        "localhost", "xn--.example", "xn--a", "xn--\u0061\u0062\u0063.xn--", "XN--.EXAMPLE:8080", "xn--mnchen-3ya.example", "my_gateway", "10.0.0.1:8080",
        "[::1]:8080", "[2001:db8::1]", "hooks.example.com.", "-a-.b", "a:65535", "a:0");

    public static TheoryData<string> Invalid => new(
        "a..b", ".", ".a", "a.:x", "a%20b", "a%2e", "a$b", "a@b", "a,b", "(a)", "a=b", "a;b", "a~b", "a!b", "[::1", "[::1]a", "[1:2]", "[12345::1]",
        "[::1.2.3.4.5]", "a:65536", "a:999999", "a:123456", "a:", ":80", "a:b", "a:8 0",
        new string('a', 64) + ".example", string.Join('.', Enumerable.Repeat(new string('a', 50), 6)));

    [Theory]
    [MemberData(nameof(Valid))]
    public async Task A_valid_one_is_accepted_and_told_to_the_app_as_it_was_sent(string host)
    {
        foreach (var path in (string[])["/hook", "/kept"])
        {
            Assert.Equal(200, (await Site.SendAsync(Site.Signed("{}", path) with { Host = host })).Status);
            Assert.Equal(host, Site.Upstream.Requests[^1].Headers["X-Forwarded-Host"]);
            Assert.Equal(path == "/kept" ? host : Site.Upstream.Address["http://".Length..], Site.Upstream.Requests[^1].Headers["Host"]);

            Assert.Equal(200, (await Over2Async(host, path)).Status);
            Assert.Equal(host, Site.Upstream.Requests[^1].Headers["X-Forwarded-Host"]);
            Assert.Equal(path == "/kept" ? host : Site.Upstream.Address["http://".Length..], Site.Upstream.Requests[^1].Headers["Host"]);
        }

        NothingIsSaid();
    }

    [Theory]
    [MemberData(nameof(Invalid))]
    public async Task What_is_none_is_malformed_and_counted_on_every_path(string host)
    {
        var seen = Site.Seen;
        foreach (var path in (string[])["/hook", "/named", "/nowhere"])
        {
            var before = Count();
            Assert.Equal(400, (await Site.SendAsync(Site.Signed("{}", path) with { Host = host })).Status);
            await Deadline.UntilAsync(() => Count() >= before + 1, "the request is counted");

            // Where the server itself sees it, it resets the stream; the others are refused here.
            var answer = await Over2Async(host, path);
            Assert.True(answer is { Status: 400 } or { Status: 0, Reset: 1 }, $"{answer.Status} {answer.Reset}");
            if (answer.Status != 0)
            {
                await Deadline.UntilAsync(() => Count() >= before + 2, "the request is counted");
            }
        }

        Assert.Equal(seen, Site.Seen);
        NothingIsSaid();
    }

    [Theory]
    [InlineData("named.example", "exact")]
    [InlineData("NAMED.example", "exact")]
    [InlineData("named.example:80", "exact")]
    [InlineData("named.example:8443", "port")]
    [InlineData("other.named.example", "below")]
    [InlineData("a.b.named.example", "below")]
    [InlineData("deep.below.named.example", "deeper")]
    [InlineData("xn--mnchen-3ya.example", "letters")]
    [InlineData("XN--MNCHEN-3YA.example", "letters")]
    [InlineData("xn--bcher-kva.example", "punycode")]
    [InlineData("xn--.example", "any")]
    [InlineData("badnamed.example", "any")]
    [InlineData("m", "any")]
    public async Task Routes_of_one_path_are_told_apart_by_the_text(string host, string route)
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed("{}", "/named") with { Host = host })).Status);
        Assert.Equal(route, Site.Upstream.Requests[^1].Headers["X-Webhook-Route"]);
        Assert.Equal(200, (await Over2Async(host, "/named")).Status);
        Assert.Equal(route, Site.Upstream.Requests[^1].Headers["X-Webhook-Route"]);
        NothingIsSaid();
    }

    [Theory]
    [InlineData("only.example", 200)]
    [InlineData("xn--.example", 404)]
    [InlineData("only.example.", 404)]
    [InlineData("", 404)]
    public async Task A_route_of_one_host_answers_to_that_host_alone(string host, int status)
    {
        Assert.Equal(status, (await Site.SendAsync(Site.Signed("{}", "/only") with { Host = host })).Status);
        NothingIsSaid();
    }

    [Theory]
    [InlineData("xn--.example", 403)]
    [InlineData("a..b", 400)]
    [InlineData("[::1", 400)]
    [InlineData("localhost", 200)]
    [InlineData("[::1]:9901", 200)]
    public async Task The_admin_listener_reads_it_the_same_way(string host, int status)
    {
        foreach (var path in (string[])["/api/routes", "/readyz", "/"])
        {
            var answer = await RawHttpClient.SendOnceAsync(new(IPAddress.Loopback, Site.Gateway.Admin.Port), RawRequest.Get(path) with { Host = host });

            Assert.Equal(status, answer.Status);
        }

        NothingIsSaid();
    }

    /// <summary>Switched on, the host's own line about each request asks for the decoded name, before any code of ours runs.</summary>
    [Fact]
    public async Task One_that_cannot_be_decoded_is_served_even_if_the_host_logs_each_request()
    {
        await using var site = await Site.WithOneRouteAsync(""" "replay": { "key": ["body"] } """,
            arguments: ["--urls", "http://127.0.0.1:0", "--Logging:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics", "Information"]);

        Assert.Equal(200, (await site.SendAsync(Site.Signed("{}") with { Host = "xn--.example" })).Status);
        Assert.DoesNotContain(site.Gateway.Logs.Entries, static line => line.Level >= LogLevel.Warning);
    }

    private protected override Task<Site> StartAsync() => Site.StartAsync(
        $$"""
        {
          "routes": {
            "hook": { "path": "/hook", {{Verify}} },
            "kept": { "path": "/kept", "transforms": [{ "RequestHeaderOriginalHost": "true" }], {{Verify}} },
            "any": { "path": "/named", {{Verify}} },
            "exact": { "path": "/named", "hosts": ["named.example"], {{Verify}} },
            "port": { "path": "/named", "hosts": ["named.example:8443"], {{Verify}} },
            "below": { "path": "/named", "hosts": ["*.named.example"], {{Verify}} },
            "deeper": { "path": "/named", "hosts": ["*.below.named.example"], {{Verify}} },
            "letters": { "path": "/named", "hosts": ["münchen.example"], {{Verify}} },
            "punycode": { "path": "/named", "hosts": ["xn--bcher-kva.example"], {{Verify}} },
            "only": { "path": "/only", "hosts": ["only.example"], {{Verify}} }
          }
        }
        """,
        arguments: Endpoints);

    private double Count() => Site.Gateway.Metrics.Sum("webhookedge.requests", ("route", "none"), ("reason", "request-malformed"));

    private void NothingIsSaid() => Assert.DoesNotContain(Site.Gateway.Logs.Entries, static line => line.Level >= LogLevel.Error);

    private async Task<Http2Answer> Over2Async(string host, string path)
    {
        await using var client = await RawHttp2Client.ConnectAsync(Http2);
        return await client.ExchangeAsync([(":method", "POST"), (":scheme", "http"), (":authority", host), (":path", path), ("x-signature", Site.Sign("{}"u8))], "{}"u8.ToArray());
    }
}
