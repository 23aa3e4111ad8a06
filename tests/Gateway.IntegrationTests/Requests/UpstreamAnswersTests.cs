using System.Text;
using Microsoft.Extensions.Logging;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>What the app answers is the sender's answer: status, headers and body, byte for byte.</summary>
public class Answers_of_the_app : SiteTests
{
    public static TheoryData<int> Statuses => [200, 201, 202, 204, 206, 400, 401, 403, 404, 409, 410, 418, 422, 429, 499, 500, 501, 502, 503, 504, 599];

    [Theory]
    [MemberData(nameof(Statuses))]
    public async Task A_status_is_passed_on_with_its_body(int status)
    {
        var body = status == 204 ? "" : $$"""{"status":{{status}}}""";
        Site.Upstream.RespondNext(UpstreamAnswer.Status(status, body, ("Content-Type", "application/json"), ("Retry-After", "7")));

        var answer = await Site.SendAsync(Site.Signed($"status {status}"));

        Assert.Equal(status, answer.Status);
        Assert.Equal(body, answer.BodyText);
        Assert.Equal("application/json", answer.Headers["Content-Type"]);
        Assert.Equal("7", answer.Headers["Retry-After"]);
        Assert.False(answer.Headers.Contains("X-Webhook-Duplicate"));
    }

    [Theory]
    [InlineData(200, "accepted")]
    [InlineData(299, "accepted")]
    [InlineData(404, "upstream-refused")]
    [InlineData(500, "upstream-refused")]
    public async Task Whether_the_app_took_it_is_counted(int status, string outcome)
    {
        var before = Site.Gateway.Metrics.Sum("webhookedge.requests", ("outcome", outcome));
        Site.Upstream.RespondNext(UpstreamAnswer.Status(status, "x"));

        await Site.SendAsync(Site.Signed($"counted {status}"));

        await Deadline.UntilAsync(() => Site.Gateway.Metrics.Sum("webhookedge.requests", ("outcome", outcome)) > before, "the metric is recorded");
        Assert.Equal(before + 1, Site.Gateway.Metrics.Sum("webhookedge.requests", ("outcome", outcome), ("route", "hook"), ("reason", "none")));
    }

    [Theory]
    [InlineData(404)]
    [InlineData(500)]
    public async Task What_the_app_did_not_take_reaches_it_again(int status)
    {
        var request = Site.Signed($"again {status}");
        Site.Upstream.RespondNext(UpstreamAnswer.Status(status), UpstreamAnswer.Status(201));

        Assert.Equal(status, (await Site.SendAsync(request)).Status);
        Assert.Equal(201, (await Site.SendAsync(request)).Status);
        Assert.Equal("true", (await Site.SendAsync(request)).Headers["X-Webhook-Duplicate"]);
    }

    [Fact]
    public async Task Headers_come_through_with_duplicates_order_and_Latin_1()
    {
        (string Name, string Value)[] headers =
        [
            ("Set-Cookie", "a=1; Path=/; HttpOnly"),
            ("Set-Cookie", "b=2, with a comma"),
            ("Set-Cookie", "a=1; Path=/; HttpOnly"),
            ("X-Twice", "one"),
            ("X-Twice", "two"),
            ("X-Latin", "gr\u00fc\u00dfe \u00ff"),
            ("X-Utf8", Encoding.Latin1.GetString("架空"u8)),
            ("X-Empty", ""),
            ("Content-Type", "text/plain; charset=\"x\""),
            ("Content-Encoding", "gzip"),
            ("Content-Language", "de"),
            ("ETag", "\"abc\""),
            ("Cache-Control", "no-store, private"),
            ("Server", "the app/1.0"),
            ("Date", "Mon, 01 Jan 2024 00:00:00 GMT"),
            ("WWW-Authenticate", "Basic realm=\"app\""),
            ("X-Request-Id", "the apps own"),
        ];
        Site.Upstream.RespondNext(UpstreamAnswer.Status(200, "not really gzip", headers));

        var answer = await Site.SendAsync(Site.Signed("headers"));

        Assert.Equal("not really gzip", answer.BodyText);
        foreach (var name in headers.Select(header => header.Name).Distinct())
        {
            Assert.Equal(headers.Where(header => header.Name == name).Select(header => header.Value), answer.Headers.All(name));
        }
    }

    [Theory]
    [InlineData("Connection", "X-Gone")]
    [InlineData("Keep-Alive", "timeout=5")]
    [InlineData("Proxy-Authenticate", "Basic")]
    [InlineData("Upgrade", "h2c")]
    [InlineData("Trailer", "X-Late")]
    public async Task Hop_by_hop_headers_of_the_app_go_no_further(string name, string value)
    {
        Site.Upstream.RespondNext(UpstreamAnswer.Status(200, "x", (name, value)));

        var answer = await Site.SendAsync(Site.Signed($"hop {name}"));

        Assert.Equal(200, answer.Status);
        Assert.False(answer.Headers.Contains(name));
    }

    [Fact]
    public async Task Bodies_of_every_framing_come_through()
    {
        var bytes = Site.Bytes(3_000_000);
        (string What, UpstreamAnswer Answer)[] answers =
        [
            ("sized", UpstreamAnswer.Status(200, bytes)),
            ("chunked", UpstreamAnswer.Chunked(200, bytes.Chunk(70_001))),
            ("small chunks", UpstreamAnswer.Chunked(200, bytes[..5000].Chunk(3))),
            ("until close", UpstreamAnswer.CloseDelimited(200, bytes)),
            ("empty chunked", UpstreamAnswer.Chunked(200, [])),
            ("empty until close", UpstreamAnswer.CloseDelimited(200, [])),
            ("after 103", UpstreamAnswer.Status(200, bytes[..100]).WithInterim(103, ("Link", "</x>; rel=preload"))),
            ("after 100", UpstreamAnswer.Status(200, bytes[..100]).WithInterim(100)),
        ];
        await using var client = await Site.Gateway.ConnectAsync();
        foreach (var (what, scripted) in answers)
        {
            Site.Upstream.RespondNext(scripted);
            var answer = await client.ExchangeAsync(Site.Signed(what));
            var length = what.StartsWith("empty", StringComparison.Ordinal) ? 0 : what.StartsWith("after", StringComparison.Ordinal) ? 100
                : what == "small chunks" ? 5000 : bytes.Length;
            Assert.Equal((what, 200, length), (what, answer.Status, answer.Body.Length));
            Assert.True(answer.Body.AsSpan().SequenceEqual(bytes.AsSpan(0, length)), what);
        }
    }

    [Theory]
    [InlineData(300)]
    [InlineData(301)]
    [InlineData(303)]
    [InlineData(399)]
    public async Task A_redirect_is_not_passed_on_and_not_followed(int status)
    {
        var requests = Site.Upstream.Requests.Count;
        Site.Upstream.RespondNext(UpstreamAnswer.Status(status, "go there", ("Location", Site.Upstream.Address + "/elsewhere"), ("Set-Cookie", "a=1"),
            ("Content-Type", "text/html")));

        var answer = await Site.SendAsync(Site.Signed($"redirect {status}"));

        Assert.Equal(502, answer.Status);
        Assert.Empty(answer.Body);
        Assert.False(answer.Headers.Contains("Location"));
        Assert.False(answer.Headers.Contains("Set-Cookie"));
        Assert.False(answer.Headers.Contains("Content-Type"));
        Assert.Equal(requests + 1, Site.Upstream.Requests.Count);
    }

    [Fact]
    public async Task A_header_of_the_app_with_a_control_byte_does_not_undo_that_it_took_the_event()
    {
        var request = Site.Signed("odd header");
        Site.Upstream.RespondNext(UpstreamAnswer.Status(200, "taken", ("X-Odd", "a\x1b[31mb"), ("X-Good", "kept")));

        var answer = await Site.SendAsync(request);

        Assert.Equal(200, answer.Status);
        Assert.Equal("taken", answer.BodyText);
        Assert.Equal("kept", answer.Headers["X-Good"]);
        Assert.False(answer.Headers.Contains("X-Odd"));
        Assert.Equal("true", (await Site.SendAsync(request)).Headers["X-Webhook-Duplicate"]);
    }

    [Fact]
    public async Task An_answer_that_breaks_off_in_its_body_is_no_whole_one_and_holds_nothing_of_the_gateway()
    {
        Site.Upstream.RespondNext(UpstreamAnswer.HalfBody);
        await using var client = await Site.Gateway.ConnectAsync();
        await client.SendAsync(Site.Signed("breaks off"));

        await Assert.ThrowsAnyAsync<IOException>(() => client.ReadResponseAsync());
        await Site.IsIdleAsync();
        Assert.DoesNotContain("ended abnormally", Site.Gateway.Logs.Everything, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Content-Length: 5\r\n\r\n", "HEAD")]
    [InlineData("Content-Length: 5\r\n\r\nhello", "POST")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "POST")]
    public async Task A_205_has_no_content_whatever_the_app_says(string rest, string method)
    {
        Site.Upstream.RespondNext(UpstreamAnswer.Raw("HTTP/1.1 205 Reset Content\r\n" + rest));
        await using var client = await Site.Gateway.ConnectAsync();
        await client.SendAsync($"{method} /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: {Site.Sign("205"u8)}\r\nContent-Length: 3\r\n\r\n205");

        var answer = await client.ReadResponseAsync(isHead: method == "HEAD");

        Assert.Equal((205, "0"), (answer.Status, answer.Headers["Content-Length"]));
        Assert.Equal(200, (await client.ExchangeAsync(Site.Signed("and the next"))).Status);
        Assert.DoesNotContain(Site.Gateway.Logs.Entries, static line => line.Level >= LogLevel.Error);
    }

    [Fact]
    public async Task A_reason_phrase_with_control_characters_is_not_passed_on()
    {
        Site.Upstream.RespondNext(UpstreamAnswer.Raw("HTTP/1.1 200 Fine\u0007\u001b[31m\r\nContent-Length: 0\r\n\r\n"),
            UpstreamAnswer.Raw("HTTP/1.1 200 Fine by me\r\nContent-Length: 0\r\n\r\n"));

        var odd = await Site.SendAsync(Site.Signed("odd"));
        var plain = await Site.SendAsync(Site.Signed("plain"));

        Assert.StartsWith("HTTP/1.1 200 OK\r\n", Encoding.Latin1.GetString(odd.Head), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 Fine by me\r\n", Encoding.Latin1.GetString(plain.Head), StringComparison.Ordinal);
    }

    private protected override Task<Site> StartAsync() => Site.WithOneRouteAsync(""" "methods": ["POST", "HEAD"] """);
}
