using System.Net.Sockets;
using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>Two servers that read one request differently are a way around a rule: whatever could be framed in two ways is refused or re-framed.</summary>
public class Framing : SiteTests
{
    private static readonly string Signature = Site.Sign("{}"u8);

    /// <summary>Requests that no webhook sender has a reason to send, by what is odd about them; all validly signed where they can be.</summary>
    private static Dictionary<string, string> Refused { get; } = new()
    {
        ["Transfer-Encoding and Content-Length"] = Head("Transfer-Encoding: chunked", "Content-Length: 2") + "2\r\n{}\r\n0\r\n\r\n",
        ["Content-Length and Transfer-Encoding"] = Head("Content-Length: 7", "Transfer-Encoding: chunked") + "2\r\n{}\r\n0\r\n\r\n",
        ["Transfer-Encoding and a moved Content-Length"] = Head("Transfer-Encoding: chunked", "X-Content-Length: 2") + "2\r\n{}\r\n0\r\n\r\n",
        ["two different Content-Lengths"] = Head("Content-Length: 2", "Content-Length: 3") + "{}",
        ["two equal Content-Lengths"] = Head("Content-Length: 2", "Content-Length: 2") + "{}",
        ["a list of Content-Lengths"] = Head("Content-Length: 2, 2") + "{}",
        ["a negative Content-Length"] = Head("Content-Length: -2") + "{}",
        ["a hexadecimal Content-Length"] = Head("Content-Length: 0x2") + "{}",
        ["a Content-Length with a sign"] = Head("Content-Length: +2") + "{}",
        ["a Content-Length of minus nothing"] = Head("Content-Length: -0"),
        ["a Content-Length of plus nothing"] = Head("Content-Length: +0"),
        ["a Content-Length with a fraction"] = Head("Content-Length: 2.0") + "{}",
        ["a Content-Length with a blank in it"] = Head("Content-Length: 0 2") + "{}",
        ["an empty Content-Length"] = Head("Content-Length:") + "{}",
        ["a Content-Length beyond numbers"] = Head("Content-Length: 99999999999999999999") + "{}",
        ["an unknown transfer coding"] = Head("Transfer-Encoding: gzip") + "{}",
        ["chunked twice"] = Head("Transfer-Encoding: chunked, chunked") + "2\r\n{}\r\n0\r\n\r\n",
        ["a coding before chunked"] = Head("Transfer-Encoding: gzip, chunked") + "2\r\n{}\r\n0\r\n\r\n",
        ["a coding in a line before chunked"] = Head("Transfer-Encoding: identity", "Transfer-Encoding: chunked") + "2\r\n{}\r\n0\r\n\r\n",
        ["chunked not last"] = Head("Transfer-Encoding: chunked, identity") + "2\r\n{}\r\n0\r\n\r\n",
        ["chunked with a tail"] = Head("Transfer-Encoding: chunkedx") + "2\r\n{}\r\n0\r\n\r\n",
        ["a blank before the colon"] = Head("Transfer-Encoding : chunked") + "2\r\n{}\r\n0\r\n\r\n",
        ["a folded line"] = Head("X-Folded: one\r\n two", "Content-Length: 2") + "{}",
        ["a folded line with a tab"] = Head("X-Folded: one\r\n\ttwo", "Content-Length: 2") + "{}",
        ["a line without a colon"] = Head("nonsense", "Content-Length: 2") + "{}",
        ["an empty name"] = Head(": empty", "Content-Length: 2") + "{}",
        ["a bare LF after a line"] = "POST /hook HTTP/1.1\r\nHost: localhost\nX-Signature: " + Signature + "\r\nContent-Length: 2\r\n\r\n{}",
        ["a bare LF after the request line"] = "POST /hook HTTP/1.1\nHost: localhost\r\nX-Signature: " + Signature + "\r\nContent-Length: 2\r\n\r\n{}",
        ["a bare LF before the body"] = "POST /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: " + Signature + "\r\nContent-Length: 2\r\n\n{}",
        ["a bare CR in a value"] = Head("X-Odd: a\rb", "Content-Length: 2") + "{}",
        ["a NUL in a value"] = Head("X-Odd: a\0b", "Content-Length: 2") + "{}",
        ["an escape in a value"] = Head("X-Odd: a\x1b[0m", "Content-Length: 2") + "{}",
        ["a bell in a value"] = Head("X-Odd: \a", "Content-Length: 2") + "{}",
        ["a delete in a value"] = Head("X-Odd: a\x7f", "Content-Length: 2") + "{}",
        ["a byte that is no UTF-8 in a value"] = Head("X-Odd: a\xff", "Content-Length: 2") + "{}",
        ["no Host"] = "POST /hook HTTP/1.1\r\nX-Signature: " + Signature + "\r\nContent-Length: 2\r\n\r\n{}",
        ["two Hosts"] = Head("Host: elsewhere", "Content-Length: 2") + "{}",
        ["a Host that is none"] = "POST /hook HTTP/1.1\r\nHost: a b\r\nX-Signature: " + Signature + "\r\nContent-Length: 2\r\n\r\n{}",
        ["a chunk size that is none"] = Head("Transfer-Encoding: chunked") + "2z\r\n{}\r\n0\r\n\r\n",
        ["a chunk size with 0x"] = Head("Transfer-Encoding: chunked") + "0x2\r\n{}\r\n0\r\n\r\n",
        ["a negative chunk size"] = Head("Transfer-Encoding: chunked") + "-2\r\n{}\r\n0\r\n\r\n",
        ["a chunk size beyond numbers"] = Head("Transfer-Encoding: chunked") + "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        ["a chunk longer than its size"] = Head("Transfer-Encoding: chunked") + "1\r\n{}\r\n0\r\n\r\n",
        ["a bare LF after a chunk size"] = Head("Transfer-Encoding: chunked") + "2\n{}\r\n0\r\n\r\n",
        ["a bare LF in a chunk extension"] = Head("Transfer-Encoding: chunked") + "2;a\n\r\n{}\r\n0\r\n\r\n",
        ["a bare LF after a chunk"] = Head("Transfer-Encoding: chunked") + "2\r\n{}\n0\r\n\r\n",
        ["Upgrade to a websocket"] = Head("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Content-Length: 2") + "{}",
        ["Upgrade to a websocket without a body"] = Head("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        ["Upgrade to a websocket without Connection"] = Head("Upgrade: WebSocket", "Content-Length: 2") + "{}",
        ["Upgrade to HTTP/2 or a websocket"] = Head("Connection: Upgrade", "Upgrade: h2c, websocket", "Content-Length: 2") + "{}",
        ["Upgrade to a websocket in a second line"] = Head("Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket", "Content-Length: 2") + "{}",
        ["Upgrade to what is not HTTP"] = Head("Connection: Upgrade", "Upgrade: IRC/6.9", "Content-Length: 2") + "{}",
        ["CONNECT"] = "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
        ["CONNECT to the route"] = "CONNECT /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: " + Signature + "\r\nContent-Length: 2\r\n\r\n{}",
        ["an unknown version"] = "POST /hook HTTP/1.2\r\nHost: localhost\r\n\r\n",
        ["no version"] = "POST /hook\r\nHost: localhost\r\n\r\n",
        ["a blank in the target"] = "POST /hook ?a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        ["too many lines"] = Head([.. Enumerable.Range(0, 120).Select(i => $"X-Many-{i}: 1"), "Content-Length: 2"]) + "{}",
        ["lines too long"] = Head("X-Long: " + new string('l', 40_000), "Content-Length: 2") + "{}",
    };

    public static TheoryData<string> RefusedNames => [.. Refused.Keys];

    [Theory]
    [MemberData(nameof(RefusedNames))]
    public async Task What_could_be_read_in_two_ways_is_refused_and_not_a_byte_of_it_goes_further(string what)
    {
        var seen = Site.Seen;
        await using var client = await Site.Gateway.ConnectAsync();
        await client.SendAsync(Refused[what]);

        var answer = await client.ReadResponseAsync();

        Assert.InRange(answer.Status, 400, 505);
        Assert.DoesNotContain(answer.Status, new[] { 401, 403, 500, 502, 503, 504 });
        Assert.Empty(answer.Body);
        await Site.IsIdleAsync();
        Assert.Equal(seen, Site.Seen);
    }

    [Theory]
    [InlineData("Transfer-Encoding and Content-Length")]
    [InlineData("Content-Length and Transfer-Encoding")]
    [InlineData("Upgrade to a websocket without a body")]
    [InlineData("Upgrade to a websocket without Connection")]
    [InlineData("Upgrade to HTTP/2 or a websocket")]
    [InlineData("Upgrade to what is not HTTP")]
    [InlineData("chunked twice")]
    [InlineData("a coding before chunked")]
    [InlineData("a Content-Length with a sign")]
    [InlineData("a Content-Length of minus nothing")]
    [InlineData("CONNECT")]
    [InlineData("an escape in a value")]
    [InlineData("a chunk longer than its size")]
    public async Task It_is_recorded_as_malformed_where_the_server_lets_it_through(string what)
    {
        var before = Site.Gateway.Metrics.Sum("webhookedge.requests", ("reason", "request-malformed"));
        await using var client = await Site.Gateway.ConnectAsync();
        await client.SendAsync(Refused[what]);

        Assert.Equal(400, (await client.ReadResponseAsync()).Status);
        Assert.Equal(before + 1, Site.Gateway.Metrics.Sum("webhookedge.requests", ("reason", "request-malformed")));
    }

    [Theory]
    [InlineData("chunked", "2\r\n{}\r\n0\r\n\r\n")]
    [InlineData("Chunked", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")]
    [InlineData("chunked", "2;name=value\r\n{}\r\n0\r\n\r\n")]
    [InlineData("chunked", "2;name=\"quoted; value\"\r\n{}\r\n0;last\r\n\r\n")]
    [InlineData("chunked", "0002\r\n{}\r\n000\r\n\r\n")]
    [InlineData("chunked", "2\r\n{}\r\n0\r\nX-Webhook-Trust: forged\r\nX-Late: forged\r\nContent-Length: 99\r\n\r\n")]
    public async Task A_chunked_body_is_framed_anew_without_extensions_and_trailers(string coding, string body)
    {
        await using var site = await Site.WithOneRouteAsync(""" "replay": "off" """);
        await using var client = await site.Gateway.ConnectAsync();
        await client.SendAsync(Head($"Transfer-Encoding: {coding}") + body);

        Assert.Equal(200, (await client.ReadResponseAsync()).Status);

        var got = Assert.Single(site.Upstream.Requests);
        Assert.Equal("{}", got.BodyText);
        Assert.False(got.IsChunked);
        Assert.Equal("2", got.Headers["Content-Length"]);
        Assert.DoesNotContain("forged", got.HeadText, StringComparison.Ordinal);
        Assert.False(got.Headers.Contains("Transfer-Encoding"));
    }

    [Fact]
    public async Task A_request_without_framing_has_no_body_and_what_follows_is_no_request()
    {
        var seen = Site.Seen;
        await using var client = await Site.Gateway.ConnectAsync();
        await client.SendAsync(Head() + "{}\r\n\r\n");

        Assert.Equal(401, (await client.ReadResponseAsync()).Status);
        Assert.Equal(400, (await client.ReadResponseAsync()).Status);
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task The_preface_of_HTTP_2_on_a_plain_connection_ends_it()
    {
        var seen = Site.Seen;
        await using var client = await Site.Gateway.ConnectAsync();
        await client.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

        await client.ReadToCloseAsync();
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task A_request_hidden_behind_another_is_judged_by_itself()
    {
        var number = Site.Upstream.Requests.Count;
        var body = Encoding.UTF8.GetBytes("POST /hook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        await using var client = await Site.Gateway.ConnectAsync();

        Assert.Equal(200, (await client.ExchangeAsync(Site.Signed(body))).Status);
        await client.SendAsync(Site.Signed("before the hidden one").ToBytes());
        await client.SendAsync(body);

        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        Assert.Equal(401, (await client.ReadResponseAsync()).Status);
        Assert.Equal(number + 2, Site.Upstream.Requests.Count);
        Assert.Empty(Site.Upstream.BrokenRequests);
    }

    [Fact]
    public async Task A_sender_that_waits_for_100_Continue_gets_it_and_the_app_never_sees_Expect()
    {
        var body = "waited for"u8.ToArray();
        using var sender = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await Deadline.WaitAsync(sender.ConnectAsync(Site.Gateway.EndPoint), "a connection");
        await sender.SendAsync(Site.Signed(body).WithHeader("Expect", "100-continue").HeadBytes());

        Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", await ReadHeadAsync(sender));
        await sender.SendAsync(body);

        Assert.StartsWith("HTTP/1.1 200 ", await ReadHeadAsync(sender), StringComparison.Ordinal);
        Assert.Equal("waited for", Site.Upstream.Requests[^1].BodyText);
        Assert.False(Site.Upstream.Requests[^1].Headers.Contains("Expect"));
    }

    [Fact]
    public async Task A_sender_that_waits_for_100_Continue_is_refused_without_it_when_its_head_is_enough()
    {
        var seen = Site.Seen;
        await using var client = await Site.Gateway.ConnectAsync();

        await client.SendAsync("GET /hook HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 500000\r\n\r\n");

        var answer = await client.ReadResponseAsync();
        Assert.Equal(405, answer.Status);
        Assert.Empty(answer.Interim);
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task A_request_of_HTTP_1_0_is_forwarded_as_any_other()
    {
        var answer = await Site.SendAsync(Site.Signed("an old one") with { Version = "HTTP/1.0" });

        Assert.Equal(200, answer.Status);
        Assert.Equal("an old one", Site.Upstream.Requests[^1].BodyText);
    }

    private protected override Task<Site> StartAsync() => Site.WithOneRouteAsync(""" "methods": ["POST", "PUT"] """);

    private static async Task<string> ReadHeadAsync(Socket from)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            Assert.Equal(1, await Deadline.WaitAsync(from.ReceiveAsync(one), "a head"));
            head.Append((char)one[0]);
        }

        return head.ToString();
    }

    private static string Head(params string[] lines) =>
        $"POST /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: {Signature}\r\n{string.Concat(lines.Select(line => line + "\r\n"))}\r\n";
}
