using System.Text;
using Microsoft.Extensions.Logging;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>Requests that no library sends. Whatever they are answered: never with a fault of ours, and never with a line of the server's.</summary>
public sealed class Odd_requests : SiteTests
{
    private static readonly string Chunked = $"POST /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: {Site.Sign("{}"u8)}\r\nTransfer-Encoding: "
        + $"chunked\r\n\r\n2\r\n{{}}\r\n0\r\n";

    private static readonly Dictionary<string, (string Bytes, string? Reason)> Requests = new()
    {
        ["a trailer with a NUL"] = (Chunked + "X: a\0b\r\n\r\n", "request-malformed"),
        ["a trailer that is no text"] = (Chunked + "X: \u00ff\u00fe\r\n\r\n", "request-malformed"),
        ["a trailer without a colon"] = (Chunked + "nothing\r\n\r\n", "request-malformed"),
        ["a trailer with a blank in its name"] = (Chunked + "a b: c\r\n\r\n", "request-malformed"),
        ["a trailer of 40 kB"] = (Chunked + "X: " + new string('a', 40_000) + "\r\n\r\n", "request-malformed"),
        ["two hundred trailers"] = (Chunked + string.Concat(Enumerable.Range(0, 200).Select(static i => $"X-{i}: a\r\n")) + "\r\n", "request-malformed"),
        ["a chunk of a size that is no number"] = (Head("Transfer-Encoding: chunked") + "FFFFFFFFFFFFFFFFF\r\n", "request-malformed"),
        ["a chunk of a negative size"] = (Head("Transfer-Encoding: chunked") + "-1\r\n", "request-malformed"),
        ["a chunk without its end"] = (Head("Transfer-Encoding: chunked") + "2\r\n{}{}", "request-malformed"),
        ["a header that is no text"] = (Head("X-Odd: \u00ff\u00fe", "Content-Length: 0"), "request-malformed"),
        ["a header with a NUL"] = (Head("X-Odd: a\0b", "Content-Length: 0"), "request-malformed"),
        ["an unknown expectation"] = (Head("Expect: miracles", "Content-Length: 2") + "{}", null),
        ["a target that is an asterisk"] = ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "route-unknown"),
        ["CONNECT"] = ("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n", "request-malformed"),
        ["a URL without a host"] = ("POST http:// HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "request-malformed"),
        ["a URL with half an address"] = ("POST http://[::1/hook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "request-malformed"),
        ["a URL with punycode that is none"] = ("POST http://xn--.example/hook HTTP/1.1\r\nHost: xn--.example\r\nContent-Length: 0\r\n\r\n",
            "signature-missing"),
        ["HTTP/2 where it is not spoken"] = ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", null),
        ["an unknown version"] = ("POST /hook HTTP/3.0\r\nHost: localhost\r\n\r\n", "request-malformed"),
        ["HTTP/1.0 without a length"] = ("POST /hook HTTP/1.0\r\n\r\n", "request-malformed"),
        ["an escape that is none"] = ("POST /%zz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", null),
        ["an escaped NUL"] = ("POST /%00 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "request-malformed"),
        ["a handshake of TLS"] = ("\u0016\u0003\u0001\0\u00a5\u0001\0\0\u00a1\u0003\u0003", null),
        ["lines without end"] = (new string('\n', 5_000), null),
    };

    public static TheoryData<string> Names => [.. Requests.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Are_refused_and_counted_and_the_server_says_nothing(string name)
    {
        var (bytes, reason) = Requests[name];
        var before = reason is null ? 0 : Count(reason);
        await using (var client = await Site.Gateway.ConnectAsync())
        {
            await client.SendAsync(Encoding.Latin1.GetBytes(bytes));
            client.HalfClose();
            var (answer, _) = await client.ReadToCloseAsync();
            Assert.DoesNotContain(" 500 ", Encoding.Latin1.GetString(answer), StringComparison.Ordinal);
        }

        await Site.IsIdleAsync();
        if (reason is not null)
        {
            await Deadline.UntilAsync(() => Count(reason) > before, "the request is counted");
        }

        Assert.Equal(0, Count("check-failed"));
        var lines = Site.Gateway.Logs.Entries.Where(static line => line.Level >= LogLevel.Error
            || (line.Level >= LogLevel.Warning && line.Category.StartsWith("Microsoft.", StringComparison.Ordinal))).ToArray();
        Assert.True(lines.Length == 0, string.Join('\n', lines.Select(static line => line.ToString())));
    }

    private protected override Task<Site> StartAsync() => Site.WithOneRouteAsync();

    private static string Head(params ReadOnlySpan<string> lines) =>
        $"POST /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: {Site.Sign("{}"u8)}\r\n{string.Join("\r\n", lines)}\r\n\r\n";

    private double Count(string reason) => Site.Gateway.Metrics.Sum("webhookedge.requests", ("reason", reason));
}
