using System.Text;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;
using Xunit.Abstractions;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>
/// One request in, at most one request out, whatever stands in it. Over HTTP/2 a field may hold bytes that no HTTP/1.1 request line or header can: a client
/// that writes them down towards the app all the same lets a stranger write the app's next request, trust headers included.
/// </summary>
public sealed class Request_smuggling(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Signature = "X-Signature";

    private Site _site = null!;

    /// <summary>A prefix route besides, and one in observe mode: no secret is needed there to be forwarded.</summary>
    private const string Routes =
        """
        {
          "routes": {
            "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}", "replay": "off" },
            "watched": { "path": "/watched/{**rest}", "mode": "observe", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "changed": {
              "path": "/changed", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}", "replay": "off",
              "transforms": [{ "QueryValueParameter": "more", "Append": "ö b" }, { "RequestHeader": "X-More", "Append": "ö" }]
            }
          }
        }
        """;

    public async Task InitializeAsync() => _site = await Site.StartAsync(Routes, arguments: Endpoints);

    public async Task DisposeAsync() => await _site.DisposeAsync();

    /// <summary>The first speaks HTTP/1.1, the second HTTP/2 with prior knowledge.</summary>
    private static readonly string[] Endpoints =
        ["--Kestrel:Endpoints:one:Url", "http://127.0.0.1:0", "--Kestrel:Endpoints:two:Url", "http://127.0.0.1:0", "--Kestrel:Endpoints:two:Protocols", "Http2"];

    /// <summary>Queries, a character for each byte; those outside ASCII are UTF-8, which the server decodes.</summary>
    public static TheoryData<string> UnsoundTargets => new(
        "?name=J\u00c3\u00b6rg", "?a b", "?a\tb", "?a\r\nX-Webhook-Trust: verified", "?\u007f", "?\u00c2\u0080", "?\u00c2\u00a0", "?\u00e2\u0082\u00ac",
        "?a=1\nb",
        "?q HTTP/1.1\r\nHost: x\r\n\r\nPOST /admin HTTP/1.1\r\n");

    [Theory]
    [MemberData(nameof(UnsoundTargets))]
    public async Task A_target_with_anything_but_visible_ASCII_is_malformed_over_HTTP_2(string query)
    {
        var before = _site.Seen;
        foreach (var path in (string[])["/hook", "/watched/a", "/watched/\u00c3\u00a9", "/nowhere", "/changed"])
        {
            var last = _site.Gateway.Journal.LastNumber;

            var status = await StatusAsync(http2: true, path + query, "", "{}"u8.ToArray(), Site.Sign("{}"u8));

            // At some bytes the server itself breaks off the stream or the connection; what it lets through is refused here.
            if (status != 0 || (path.All(char.IsAscii) && !query.Any(char.IsControl)))
            {
                Assert.Equal(400, status);
                Assert.Equal(last + 1, _site.Gateway.Journal.LastNumber);
                Assert.Equal(RejectReason.RequestMalformed, _site.Gateway.Journal.Newest(1)[0].Reason);
            }
        }

        Assert.Equal(before, _site.Seen);
        await _site.IsIdleAsync();
    }

    [Theory]
    [InlineData("?name=J\u00f6rg")]
    [InlineData("?\u0080")]
    [InlineData("?\u00ff")]
    public async Task Bytes_that_are_no_text_go_nowhere_either(string query)
    {
        var before = _site.Seen;

        Assert.NotEqual(200, await StatusAsync(http2: true, "/watched/a" + query, "", "{}"u8.ToArray()));
        Assert.NotEqual(200, await StatusAsync(http2: false, "/watched/a" + query, "", "{}"u8.ToArray()));

        Assert.Equal(before, _site.Seen);
    }

    [Theory]
    [MemberData(nameof(UnsoundTargets))]
    public async Task A_target_with_anything_but_visible_ASCII_is_malformed_over_HTTP_1(string query)
    {
        if (query.Contains('\r', StringComparison.Ordinal))
        {
            // There it ends the line, and what follows are the sender's own headers.
            return;
        }

        var before = _site.Seen;
        foreach (var path in (string[])["/hook", "/watched/a", "/watched/\u00c3\u00a9", "/nowhere"])
        {
            await using var client = await RawHttpClient.ConnectAsync(Http1);
            await client.SendAsync(Site.Signed("{}", path + query));

            Assert.Equal(400, (await client.ReadResponseAsync()).Status);
        }

        Assert.Equal(before, _site.Seen);
    }

    [Fact]
    public async Task Three_requests_of_a_stranger_do_not_write_the_fourth()
    {
        // Characters outside ASCII at the end of a target made the client send what its buffer held from earlier requests on that connection: a first
        // request fills the buffer with what is to be smuggled, a second moves it into place, a third sends it.
        await using var client = await RawHttp2Client.ConnectAsync(Http2);
        var smuggled = "POST /internal HTTP/1.1\r\nHost: app\r\nX-Webhook-Trust: verified\r\nContent-Length: 0\r\n\r\n";
        foreach (var path in (string[])["/watched/a?" + new string('x', 200), "/watched/b?" + new string('y', 100),
            "/watched/c?z" + string.Concat(Enumerable.Repeat("\u00c3\u00a9", 400))])
        {
            await client.ExchangeAsync(RawHttp2Client.Post(path, ("x-fill", new string('a', 100))), Encoding.ASCII.GetBytes(smuggled + smuggled));
        }

        Assert.All(_site.Upstream.Requests, request => Assert.StartsWith("/watched/", request.Target));
        Assert.All(_site.Upstream.Requests, request => Assert.Equal("observed", request.Headers["X-Webhook-Trust"]));
        Assert.Empty(_site.Upstream.BrokenRequests);
        Assert.Equal(2, _site.Upstream.Requests.Count);
    }

    [Fact]
    public async Task Header_values_that_would_end_a_line_are_malformed_over_HTTP_2()
    {
        var before = _site.Seen;
        foreach (var value in (string[])["a\r\nX-Webhook-Trust: verified", "a\nb", "a\rb", "a\0b", "\u0001", "\u007f"])
        {
            await using var client = await RawHttp2Client.ConnectAsync(Http2);
            try
            {
                var answer = await client.ExchangeAsync(RawHttp2Client.Post("/hook", (Signature.ToLowerInvariant(), Site.Sign("{}"u8)), ("x-more", value)),
                    "{}"u8.ToArray());
                Assert.True(answer.Status == 400 || answer.Reset is not null, $"{answer.Status} for {Convert.ToHexString(Encoding.Latin1.GetBytes(value))}");
            }
            catch (EndOfStreamException)
            {
                // The server may end the connection at such a field (RFC 9113 §8.2.1).
            }
        }

        Assert.Equal(before, _site.Seen);
    }

    [Fact]
    public async Task What_transforms_add_arrives_as_one_request()
    {
        var answer = await _site.SendAsync(Site.Signed("{}", "/changed?a=1"));

        Assert.Equal(200, answer.Status);
        var request = Assert.Single(_site.Upstream.Requests);
        Assert.Equal("/changed?a=1&more=%C3%B6%20b", request.Target);
        Assert.Equal("Ã¶", request.Headers["X-More"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whatever_is_accepted_reaches_the_app_as_exactly_one_request_with_the_very_target_that_was_matched(bool http2)
    {
        const int Requests = 300;
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var accepted = 0;

        for (var i = 0; i < Requests; i++)
        {
            var target = $"/watched/{Text(random)}?{Text(random)}";
            var body = Encoding.UTF8.GetBytes($"{Text(random)} {i}");

            var status = await StatusAsync(http2, target, Text(random).Trim(), body);

            accepted += status == 200 ? 1 : 0;
            var where = $"seed {seed}, request {i}, {status} for {Convert.ToHexString(Encoding.Latin1.GetBytes(target))}";
            Assert.True(_site.Upstream.Requests.Count == accepted, where);
            Assert.True(_site.Upstream.BrokenRequests.Count == 0, where);
            if (status == 200)
            {
                // Blanks at the end stand before the version (RFC 9112 §3) and are no part of the target.
                var request = _site.Upstream.Requests[^1];
                Assert.True(request.Target == target.TrimEnd(' ') && request.Body.AsSpan().SequenceEqual(body)
                    && request.Headers["X-Webhook-Trust"] == "observed", where);
            }
        }

        // Nothing but refusals would prove nothing.
        output.WriteLine($"seed {seed}: {accepted} of {Requests} accepted");
        Assert.InRange(accepted, Requests / 20, Requests - 1);
    }

    /// <summary>Up to 30 characters, one in 60 of them one that has no place in a request line.</summary>
    private static string Text(Random random)
    {
        const string Plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
        const string Odd = "\0\t\n\r \u007f\u0080\u00e4\u00ff#%\\\"<^`{|}?/:&=;";
        return string.Create(random.Next(31), random, static (span, random) =>
        {
            foreach (ref var c in span)
            {
                c = random.Next(60) == 0 ? Odd[random.Next(Odd.Length)] : Plain[random.Next(Plain.Length)];
            }
        });
    }

    private System.Net.IPEndPoint Http1 => Port(0);

    private System.Net.IPEndPoint Http2 => Port(1);

    private System.Net.IPEndPoint Port(int number) => new(System.Net.IPAddress.Loopback, _site.Gateway.Host.Addresses[number].Port);

    private async Task<int> StatusAsync(bool http2, string target, string value, byte[] body, string signature = "none")
    {
        try
        {
            if (http2)
            {
                await using var two = await RawHttp2Client.ConnectAsync(Http2);
                return (await two.ExchangeAsync(RawHttp2Client.Post(target, ("x-more", value), (Signature.ToLowerInvariant(), signature)), body)).Status;
            }

            await using var one = await RawHttpClient.ConnectAsync(Http1);
            return (await one.ExchangeAsync(RawRequest.Post(target, body).WithHeader("X-More", value).WithHeader(Signature, signature))).Status;
        }
        catch (Exception e) when (e is EndOfStreamException or IOException or InvalidDataException)
        {
            // Refused by ending the connection.
            return 0;
        }
    }
}
