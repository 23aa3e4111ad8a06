using System.Net;
using System.Net.Security;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>HTTP/2 over Kestrel's own TLS, with a certificate from PEM files as an operator configures it.</summary>
public sealed class Http2_over_TLS : SiteTests, IDisposable
{
    private readonly TempDirectory _files = new();

    private readonly HttpClient _client;
    private int _connections;

    public Http2_over_TLS() => _client = new(new SocketsHttpHandler
    {
        SslOptions = TestCertificate.ClientOptions(SslApplicationProtocol.Http2),
        AllowAutoRedirect = false,
        UseProxy = false,
        PlaintextStreamFilter = (context, _) =>
        {
            Interlocked.Increment(ref _connections);
            return ValueTask.FromResult(context.PlaintextStream);
        },
    })
    {
        Timeout = Deadline.Default,
    };

    [Theory]
    [InlineData(1, true)]
    [InlineData(600, true)]
    [InlineData(600, false)]
    [InlineData(1024 * 1024, true)]
    [InlineData(1024 * 1024, false)]
    [InlineData(20_000_000, true)]
    [InlineData(20_000_000, false)]
    public async Task A_body_arrives_byte_for_byte_with_and_without_a_declared_length(int size, bool declared)
    {
        var body = Site.Bytes(size, size + (declared ? 1 : 0));

        using var answer = await SendAsync(body, Site.Sign(body), "/large", declared);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(HttpVersion.Version20, answer.Version);
        var got = Site.Upstream.Requests[^1];
        Assert.Equal(size.ToString(), got.Headers["Content-Length"]);
        Assert.True(body.AsSpan().SequenceEqual(got.Body));
        Assert.Equal("https", got.Headers["X-Forwarded-Proto"]);
        Assert.Equal($"127.0.0.1:{Site.Gateway.EndPoint.Port}", got.Headers["X-Forwarded-Host"]);
        Assert.DoesNotContain(got.Headers.Lines, line => line.Key.StartsWith(':'));
        await Site.IsIdleAsync();
    }

    [Fact]
    public async Task A_forged_body_an_oversized_one_and_another_path_are_refused_and_the_connection_goes_on()
    {
        var before = Site.Seen;
        var large = Site.Bytes((1024 * 1024) + 1);
        using (var forged = await SendAsync([1, 2, 3], new string('0', 64), "/hook", declared: true))
        {
            Assert.Equal(HttpStatusCode.Unauthorized, forged.StatusCode);
        }

        using (var unknown = await SendAsync([1, 2, 3], Site.Sign([1, 2, 3]), "/hook/%2e", declared: true))
        {
            Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        }

        using (var counted = await SendAsync(large, Site.Sign(large), "/hook", declared: false))
        {
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, counted.StatusCode);
        }

        using (var declared = await SendAsync(large, Site.Sign(large), "/hook", declared: true))
        {
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, declared.StatusCode);
        }

        Assert.Equal(before, Site.Seen);
        using var good = await SendAsync([4, 5, 6], Site.Sign([4, 5, 6]), "/hook", declared: true);
        Assert.Equal(HttpStatusCode.OK, good.StatusCode);
        await Site.IsIdleAsync();
    }

    [Fact]
    public async Task Many_streams_of_one_connection_do_not_mix()
    {
        Site.Upstream.Respond(request => UpstreamAnswer.Status(200, request.Body));
        var bodies = Enumerable.Range(0, 60).Select(i => Site.Bytes(1000 + (i * 997), 5000 + i)).ToArray();

        await Deadline.WaitAsync(
            Task.WhenAll(bodies.Select(async (body, i) =>
            {
                using var answer = await SendAsync(body, Site.Sign(body), "/hook", declared: i % 2 == 0);
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                Assert.Equal(body, await answer.Content.ReadAsByteArrayAsync());
            })),
            "sixty streams");

        await Site.IsIdleAsync();
    }

    [Theory]
    [InlineData(100, 16 * 1024)]
    [InlineData(100, 60 * 1024)]
    [InlineData(40, 200 * 1024)]
    public async Task What_the_app_works_on_keeps_no_other_stream_of_the_connection_waiting(int streams, int size)
    {
        var gate = new TaskCompletionSource();
        Site.Upstream.Respond(_ => UpstreamAnswer.Ok.HeldUntil(gate.Task));
        var connections = _connections;
        var before = Site.Upstream.Requests.Count;
        var bodies = Enumerable.Range(0, streams).Select(i => Site.Bytes(size, (size * 1000) + i)).ToArray();
        try
        {
            var sent = bodies.Select((body, i) => SendAsync(body, Site.Sign(body), "/large", declared: i % 2 == 0)).ToArray();
            await Site.Upstream.WaitForRequestAsync(before + streams);
            gate.SetResult();
            foreach (var answer in await Deadline.WaitAsync(Task.WhenAll(sent), "the answers"))
            {
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                answer.Dispose();
            }
        }
        finally
        {
            gate.TrySetResult();
            Site.Upstream.Respond(UpstreamAnswer.Ok);
        }

        Assert.InRange(_connections - connections, 0, 1);
        Assert.Equal(bodies.Select(Convert.ToBase64String).Order(StringComparer.Ordinal),
            Site.Upstream.Requests.Skip(before).Select(static r => Convert.ToBase64String(r.Body)).Order(StringComparer.Ordinal));
        await Site.IsIdleAsync();
    }

    [Fact]
    public async Task HTTP_1_1_over_TLS_is_served_too()
    {
        await using var client = await RawHttpClient.ConnectAsync(Site.Gateway.EndPoint, tls: TestCertificate.ClientOptions(SslApplicationProtocol.Http11));

        Assert.Equal(200, (await client.ExchangeAsync(Site.Signed("over TLS").Chunked(3))).Status);
        Assert.Equal("over TLS", Site.Upstream.Requests[^1].BodyText);
        Assert.Equal("https", Site.Upstream.Requests[^1].Headers["X-Forwarded-Proto"]);
    }

    public void Dispose()
    {
        _client.Dispose();
        _files.Dispose();
    }

    private protected override Task<Site> StartAsync() => Site.StartAsync(
        """
        {
          "routes": {
            "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "large": { "path": "/large", "maxBody": "32MiB", "timeout": "30s", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" }
          }
        }
        """,
        arguments: TestCertificate.Endpoint(_files));

    private async Task<HttpResponseMessage> SendAsync(byte[] body, string signature, string path, bool declared)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post,
            new Uri(Site.Gateway.Address.ToString().TrimEnd('/') + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        request.Version = HttpVersion.Version20;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        request.Content = declared ? new ByteArrayContent(body) : new StreamContent(new LengthlessStream(body));
        request.Headers.TryAddWithoutValidation("X-Signature", signature);
        return await _client.SendAsync(request);
    }

    /// <summary>A stream that does not tell its length, so that the client declares none.</summary>
    private sealed class LengthlessStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
