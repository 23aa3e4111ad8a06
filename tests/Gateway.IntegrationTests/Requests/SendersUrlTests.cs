using System.Net;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>Behind a proxy that ends TLS the app is told what the sender used: apps that insist on https redirect every event otherwise.</summary>
public sealed class Senders_url
{
    private const string ForwardedFor = """ "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.1"] } """;
    private const string ProxyProtocol = """ "clientAddress": { "from": "proxyProtocol", "trustedProxies": ["127.0.0.1"] } """;
    private const string PublicUrl = """ "publicUrl": "https://hooks.example.com:8443" """;

    [Theory]
    [InlineData(ForwardedFor, "https", "https")]
    [InlineData(ForwardedFor, "HTTPS", "https")]
    [InlineData(ForwardedFor, "http", "http")]
    [InlineData(ForwardedFor, "http, https", "https")]
    [InlineData(ForwardedFor, "https, http", "http")]
    [InlineData(ForwardedFor, "https,\thttps ", "https")]
    [InlineData(ForwardedFor, "ftp", "http")]
    [InlineData(ForwardedFor, "https, wss", "http")]
    [InlineData(ForwardedFor, "", "http")]
    [InlineData(ForwardedFor + "," + PublicUrl, "http", "http")]
    [InlineData(ForwardedFor + "," + PublicUrl, "ftp", "https")]
    [InlineData(PublicUrl, "http", "https")]
    [InlineData("", "https", "http")]
    public async Task The_scheme_is_a_trusted_proxys_word_or_publicUrls_or_the_connections(string edge, string proto, string expected)
    {
        await using var site = await Site.WithOneRouteAsync(edge: edge);

        Assert.Equal(200,
            (await site.SendAsync(Site.Signed("{}").WithHeader("X-Forwarded-Proto", proto).WithHeader("X-Forwarded-Host", "evil.example"))).Status);

        var got = Assert.Single(site.Upstream.Requests).Headers;
        Assert.Equal(expected, got["X-Forwarded-Proto"]);
        Assert.Equal(edge.Contains("publicUrl", StringComparison.Ordinal) ? "hooks.example.com:8443" : "localhost", got["X-Forwarded-Host"]);
    }

    [Fact]
    public async Task Several_lines_are_one_list()
    {
        await using var site = await Site.WithOneRouteAsync(edge: ForwardedFor);

        Assert.Equal(200,
            (await site.SendAsync(Site.Signed("{}").WithHeader("X-Forwarded-Proto", "http").WithHeader("X_Forwarded_Proto", "http")
            .WithHeader("X-Forwarded-Proto", "https"))).Status);

        Assert.Equal("https", Assert.Single(site.Upstream.Requests).Headers["X-Forwarded-Proto"]);
    }

    [Fact]
    public async Task A_stranger_is_not_believed()
    {
        await using var site = await Site.WithOneRouteAsync(edge: ForwardedFor);

        Assert.Equal(200, (await site.SendAsync(Site.Signed("{}").WithHeader("X-Forwarded-Proto", "https"), IPAddress.Parse("127.0.0.9"))).Status);

        Assert.Equal("http", Assert.Single(site.Upstream.Requests).Headers["X-Forwarded-Proto"]);
    }

    [Theory]
    [InlineData(ProxyProtocol, "https", "https")]
    [InlineData(ProxyProtocol, "nonsense", "http")]
    [InlineData(ProxyProtocol + "," + PublicUrl, null, "https")]
    public async Task The_same_behind_a_proxy_that_speaks_the_PROXY_protocol(string edge, string? proto, string expected)
    {
        await using var site = await Site.WithOneRouteAsync(edge: edge);
        var header = ProxyHeaders.Text(new(IPAddress.Parse("203.0.113.7"), 4711), site.Gateway.EndPoint);
        await using var client = await RawHttpClient.ConnectAsync(site.Gateway.EndPoint, preamble: header);
        var request = Site.Signed("{}");

        Assert.Equal(200, (await client.ExchangeAsync(proto is null ? request : request.WithHeader("X-Forwarded-Proto", proto))).Status);

        var got = Assert.Single(site.Upstream.Requests).Headers;
        Assert.Equal((expected, "203.0.113.7"), (got["X-Forwarded-Proto"], got["X-Forwarded-For"]));
    }

    [Fact]
    public async Task Somebody_else_who_speaks_it_to_nobody_is_not_believed()
    {
        await using var site = await Site.WithOneRouteAsync(edge: ProxyProtocol);

        Assert.Equal(200, (await site.SendAsync(Site.Signed("{}").WithHeader("X-Forwarded-Proto", "https"), IPAddress.Parse("127.0.0.9"))).Status);

        Assert.Equal("http", Assert.Single(site.Upstream.Requests).Headers["X-Forwarded-Proto"]);
    }
}
