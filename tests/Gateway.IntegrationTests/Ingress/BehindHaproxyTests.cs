using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Ingress;

/// <summary>A real HAProxy in front, in every way it can send the header, with the gateway's endpoint configured in every way it can be.</summary>
public sealed class Behind_HAProxy : IDisposable
{
    private const string Trusted = """ "clientAddress": { "from": "proxyProtocol", "trustedProxies": ["127.0.0.9"] } """;
    private const string Allow = """ "allow": ["127.0.0.50"] """;

    private static readonly IPAddress Allowed = IPAddress.Parse("127.0.0.50");
    private static readonly IPAddress Stranger = IPAddress.Parse("127.0.0.51");

    private readonly TempDirectory _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("send-proxy", "tcp")]
    [InlineData("send-proxy-v2", "tcp")]
    [InlineData("send-proxy-v2 proxy-v2-options crc32c,unique-id", "tcp")]
    [InlineData("send-proxy", "http")]
    [InlineData("send-proxy-v2 proxy-v2-options crc32c", "http")]
    public async Task The_sender_is_known_by_its_own_address(string server, string mode)
    {
        await using var site = await Site.WithOneRouteAsync(Allow, Trusted);
        await using var haproxy = await HaproxyServer.StartAsync(server, mode, site.Gateway.EndPoint);

        Assert.Equal(200, (await RawHttpClient.SendOnceAsync(haproxy.EndPoint, Site.Signed("one"), Allowed)).Status);
        Assert.Equal("127.0.0.50", site.Upstream.Requests[^1].Headers["X-Forwarded-For"]);
        Assert.Equal(403, (await RawHttpClient.SendOnceAsync(haproxy.EndPoint, Site.Signed("two"), Stranger)).Status);
        Assert.Equal("address-not-allowed", site.Gateway.Logs.WithEvent(1100)[^1]["Reason"]);
        Assert.Equal("127.0.0.51", site.Gateway.Logs.WithEvent(1100)[^1]["Client"]?.ToString());
        Assert.Single(site.Upstream.Requests);
        Assert.Empty(site.Gateway.Logs.WithEvent(6000));
    }

    [Theory]
    [InlineData("send-proxy", true)]
    [InlineData("send-proxy-v2 proxy-v2-options crc32c,unique-id", true)]
    [InlineData("send-proxy", false)]
    [InlineData("send-proxy-v2", false)]
    public async Task TLS_passes_through_behind_the_header(string server, bool named)
    {
        await using var site = await Site.WithOneRouteAsync(Allow, Trusted, arguments: named ? NamedEndpoint() : Urls());
        await using var haproxy = await HaproxyServer.StartAsync(server, "tcp", site.Gateway.EndPoint);
        Assert.Equal("https", site.Gateway.Address.Scheme);

        await using (var client = await RawHttpClient.ConnectAsync(haproxy.EndPoint, Allowed, TestCertificate.ClientOptions()))
        {
            Assert.Equal(200, (await client.ExchangeAsync(Site.Signed("one"))).Status);
            Assert.Equal(200, (await client.ExchangeAsync(Site.Signed("two"))).Status);
        }

        var got = site.Upstream.Requests[^1];
        Assert.Equal(("127.0.0.50", "https"), (got.Headers["X-Forwarded-For"], got.Headers["X-Forwarded-Proto"]));
        await using var stranger = await RawHttpClient.ConnectAsync(haproxy.EndPoint, Stranger, TestCertificate.ClientOptions());
        Assert.Equal(403, (await stranger.ExchangeAsync(Site.Signed("three"))).Status);
        Assert.Equal(2, site.Upstream.Requests.Count);
    }

    [Fact]
    public async Task HTTP_2_passes_through_behind_the_header()
    {
        await using var site = await Site.WithOneRouteAsync("""
            "allow": ["127.0.0.1"]
            """, Trusted, arguments: NamedEndpoint());
        await using var haproxy = await HaproxyServer.StartAsync("send-proxy-v2", "tcp", site.Gateway.EndPoint);
        using var client = new HttpClient(new SocketsHttpHandler { SslOptions = TestCertificate.ClientOptions(SslApplicationProtocol.Http2), UseProxy = false });

        for (var i = 0; i < 3; i++)
        {
            var body = Site.Bytes(5000, i);
            using var request = new HttpRequestMessage(HttpMethod.Post, $"https://127.0.0.1:{haproxy.EndPoint.Port}/hook") { Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new ByteArrayContent(body) };
            request.Headers.Add("X-Signature", Site.Sign(body));
            using var answer = await Deadline.WaitAsync(client.SendAsync(request), "an answer");
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal("127.0.0.1", site.Upstream.Requests[^1].Headers["X-Forwarded-For"]);
        }
    }

    [Fact]
    public async Task Behind_TLS_too_a_sender_that_is_not_named_is_nobody_and_one_whose_header_is_missing_gets_no_handshake()
    {
        await using var site = await Site.WithOneRouteAsync(Allow, Trusted, arguments: NamedEndpoint());
        await using var client = await RawHttpClient.ConnectAsync(site.Gateway.EndPoint, HaproxyServer.Source, TestCertificate.ClientOptions(),
            "PROXY UNKNOWN\r\n"u8.ToArray());

        await site.IsRefusedAsync(() => client.ExchangeAsync(Site.Signed("one")), 403, "address-unknown");
        await Assert.ThrowsAnyAsync<IOException>(() => RawHttpClient.ConnectAsync(site.Gateway.EndPoint, HaproxyServer.Source, TestCertificate.ClientOptions()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_header_and_the_TLS_handshake_may_come_in_single_bytes(bool sliced)
    {
        await using var site = await Site.WithOneRouteAsync(Allow, Trusted.Replace("127.0.0.9", "127.0.0.1", StringComparison.Ordinal),
            arguments: NamedEndpoint());
        await using var relay = FaultRelay.Start(site.Gateway.EndPoint);
        if (sliced)
        {
            relay.Apply(new Slice());
        }

        var header = ProxyHeaders.WithChecksum(ProxyHeaders.Binary(new(Allowed, 1), new(IPAddress.Loopback, 443)));
        await using var client = await RawHttpClient.ConnectAsync(relay.EndPoint, tls: TestCertificate.ClientOptions(), preamble: header);

        Assert.Equal(200, (await client.ExchangeAsync(Site.Signed("one"))).Status);
        Assert.Equal("127.0.0.50", site.Upstream.Requests[^1].Headers["X-Forwarded-For"]);
    }

    [Theory]
    [InlineData("send-proxy")]
    [InlineData("send-proxy-v2")]
    public async Task Its_health_checks_are_no_faults(string server)
    {
        await using var site = await Site.WithOneRouteAsync(Allow, Trusted);
        await using var haproxy = await HaproxyServer.StartAsync($"{server} check inter 20ms fall 1 rise 1", "tcp", site.Gateway.EndPoint);

        await Deadline.UntilAsync(() => site.Gateway.Metrics.Of("webhookedge.proxy_protocol.connections").Count >= 10, "ten checks");

        Assert.Equal(200, (await RawHttpClient.SendOnceAsync(haproxy.EndPoint, Site.Signed("one"), Allowed)).Status);
        Assert.Empty(site.Gateway.Logs.WithEvent(6000));
        Assert.DoesNotContain(site.Gateway.Metrics.Of("webhookedge.proxy_protocol.connections"), point => point.Tags["outcome"] is not ("taken" or "empty"));
    }

    private string[] NamedEndpoint() =>
    [
        "--Kestrel:Endpoints:Https:Url", "https://127.0.0.1:0",
        "--Kestrel:Endpoints:Https:Certificate:Path", _files.Write("tls.pem", TestCertificate.Instance.ExportCertificatePem()),
        "--Kestrel:Endpoints:Https:Certificate:KeyPath", _files.Write("tls.key", TestCertificate.Instance.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()),
    ];

    private string[] Urls() =>
    [
        "--urls", "https://127.0.0.1:0",
        "--Kestrel:Certificates:Default:Path", _files.Write("tls.pem", TestCertificate.Instance.ExportCertificatePem()),
        "--Kestrel:Certificates:Default:KeyPath", _files.Write("tls.key", TestCertificate.Instance.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()),
    ];
}
