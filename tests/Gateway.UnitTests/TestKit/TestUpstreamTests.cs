using System.Net;
using System.Net.Sockets;
using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.TestKit;

public sealed class TestUpstreamTests
{
    [Fact]
    public async Task Records_a_sized_request_byte_for_byte()
    {
        await using var upstream = TestUpstream.Start();
        await using var client = await RawHttpClient.ConnectAsync(upstream.EndPoint);
        const string head = "POST /hooks/a?b=%20c HTTP/1.1\r\nhOsT: x\r\nX-Twice: 1\r\nX-Twice:  2 \r\nContent-Length: 4\r\n\r\n";

        await client.SendAsync(head + "\0\r\nÿ");
        var response = await client.ReadResponseAsync();

        Assert.Equal(200, response.Status);
        Assert.Equal("taken", response.BodyText);
        var request = Assert.Single(upstream.Requests);
        Assert.Equal(head, request.HeadText);
        Assert.Equal("POST", request.Method);
        Assert.Equal("/hooks/a?b=%20c", request.Target);
        Assert.Equal(["hOsT", "X-Twice", "X-Twice", "Content-Length"], request.Headers.Lines.Select(line => line.Key));
        Assert.Equal(["1", "2"], request.Headers.All("x-twice"));
        Assert.Equal([0, 13, 10, 255], request.Body);
        Assert.False(request.IsChunked);
        Assert.Equal(head.Length + 4, upstream.BytesReceived);
        Assert.Empty(upstream.BrokenRequests);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1000)]
    public async Task Parses_a_chunked_body_however_it_is_segmented(int segment)
    {
        await using var upstream = TestUpstream.Start();
        await using var client = await RawHttpClient.ConnectAsync(upstream.EndPoint);
        var request = RawRequest.Post("/chunked", "hello chunked world").Chunked(1, 4, 7);

        await client.SendInPiecesAsync(request.ToBytes(), segment);
        await client.ReadResponseAsync();

        var recorded = await upstream.WaitForRequestAsync();
        Assert.True(recorded.IsChunked);
        Assert.Equal("hello chunked world", recorded.BodyText);
        Assert.Equal(request.ToBytes().Length, upstream.BytesReceived);
    }

    [Fact]
    public async Task Serves_many_requests_on_one_connection_and_counts_both()
    {
        await using var upstream = TestUpstream.Start();
        await using var client = await RawHttpClient.ConnectAsync(upstream.EndPoint);

        for (var i = 0; i < 20; i++)
        {
            var request = RawRequest.Post($"/{i}", new string('b', i * 1000));
            await client.ExchangeAsync(i % 2 == 0 ? request : request.Chunked(10));
        }

        Assert.Equal(1, upstream.ConnectionCount);
        Assert.Equal(Enumerable.Range(0, 20).Select(i => (i + 1, $"/{i}", i * 1000)), upstream.Requests.Select(r => (r.Number, r.Target, r.Body.Length)));
    }

    [Fact]
    public async Task Serves_many_connections_at_once()
    {
        await using var upstream = TestUpstream.Start();
        var release = new TaskCompletionSource();
        upstream.Respond(UpstreamAnswer.Ok.HeldUntil(release.Task));

        var answers = Enumerable.Range(0, 50).Select(i => RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post($"/{i}", "x"))).ToArray();
        await upstream.WaitForRequestAsync(50);
        Assert.DoesNotContain(answers, answer => answer.IsCompleted);
        release.SetResult();

        Assert.All(await Task.WhenAll(answers), answer => Assert.Equal(200, answer.Status));
        Assert.Equal(50, upstream.ConnectionCount);
    }

    [Fact]
    public async Task Passes_20_MB_unchanged()
    {
        await using var upstream = TestUpstream.Start();
        var body = new byte[20 * 1024 * 1024];
        new Random(1).NextBytes(body);

        await RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/sized", body));
        await RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/chunked", body).Chunked(1, 70_000, 5_000_000));

        Assert.Equal(2, upstream.Requests.Count);
        Assert.All(upstream.Requests, request => Assert.True(body.AsSpan().SequenceEqual(request.Body)));
    }

    [Fact]
    public async Task Refuses_and_accepts_again_on_the_same_port()
    {
        await using var upstream = TestUpstream.Start();
        await RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/1"));

        upstream.StopListening();
        var refused = await Assert.ThrowsAsync<SocketException>(() => RawHttpClient.ConnectAsync(upstream.EndPoint));
        upstream.StartListening();
        var response = await RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/2"));

        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        Assert.Equal(200, response.Status);
        Assert.Equal(["/1", "/2"], upstream.Requests.Select(request => request.Target));
        Assert.Equal(2, upstream.ConnectionCount);
    }

    [Fact]
    public async Task Stopping_resets_what_is_open_unless_told_otherwise()
    {
        await using var upstream = TestUpstream.Start();
        await using var kept = await RawHttpClient.ConnectAsync(upstream.EndPoint);
        await kept.ExchangeAsync(RawRequest.Post("/1"));

        upstream.StopListening(resetConnections: false);
        var answer = await kept.ExchangeAsync(RawRequest.Post("/2"));
        upstream.StopListening();
        var (_, orderly) = await kept.ReadToCloseAsync();

        Assert.Equal(200, answer.Status);
        Assert.False(orderly);
    }

    [Fact]
    public async Task Remembers_a_request_that_was_cut_off_but_not_as_a_request()
    {
        await using var upstream = TestUpstream.Start();
        await using var client = await RawHttpClient.ConnectAsync(upstream.EndPoint);

        await client.SendAsync("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf!");
        client.HalfClose();
        await client.ReadToCloseAsync();
        await Deadline.UntilAsync(() => upstream.BrokenRequests.Count == 1, "the broken request is noted");

        Assert.Empty(upstream.Requests);
        Assert.Contains("5 of 10", upstream.BrokenRequests[0].Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n")]
    [InlineData("POST  / HTTP/1.1\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nno colon\r\n\r\n")]
    public async Task Takes_no_ambiguous_or_malformed_request_for_one(string bytes)
    {
        await using var upstream = TestUpstream.Start();
        await using var client = await RawHttpClient.ConnectAsync(upstream.EndPoint);

        await client.SendAsync(bytes);
        await client.ReadToCloseAsync();

        await Deadline.UntilAsync(() => upstream.BrokenRequests.Count == 1, "the broken request is noted");
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task Answers_as_scripted()
    {
        await using var upstream = TestUpstream.Start();
        await using var client = await RawHttpClient.ConnectAsync(upstream.EndPoint);
        upstream.Respond(request => UpstreamAnswer.Status(201, "echo " + request.BodyText, ("X-From", "script")));
        upstream.RespondNext(
            UpstreamAnswer.Chunked(202, ["ab"u8.ToArray(), "cde"u8.ToArray()]).WithInterim(103, ("Link", "</a>")),
            UpstreamAnswer.Redirect(307, "http://elsewhere/"),
            UpstreamAnswer.Status(204),
            UpstreamAnswer.HugeHeaders(100 * 1024));

        var chunked = await client.ExchangeAsync(RawRequest.Post("/"));
        var redirect = await client.ExchangeAsync(RawRequest.Post("/"));
        var empty = await client.ExchangeAsync(RawRequest.Post("/"));
        var huge = await client.ExchangeAsync(RawRequest.Post("/"));
        var scripted = await client.ExchangeAsync(RawRequest.Post("/", "body"));

        Assert.Equal((202, "abcde"), (chunked.Status, chunked.BodyText));
        Assert.Equal([103], chunked.Interim);
        Assert.Equal((307, "http://elsewhere/"), (redirect.Status, redirect.Headers["location"]));
        Assert.Equal((204, ""), (empty.Status, empty.BodyText));
        Assert.True(huge.Head.Length > 100_000);
        Assert.Equal((201, "echo body", "script"), (scripted.Status, scripted.BodyText, scripted.Headers["X-From"]));
        Assert.Equal(1, upstream.ConnectionCount);
    }

    [Fact]
    public async Task Breaks_off_as_scripted()
    {
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.ResetBeforeHead, UpstreamAnswer.ResetInHead, UpstreamAnswer.ResetAfterHead, UpstreamAnswer.HalfBody,
            UpstreamAnswer.CloseBeforeHead);

        await Assert.ThrowsAsync<IOException>(() => RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/1")));
        await Assert.ThrowsAsync<IOException>(() => RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/2")));
        await Assert.ThrowsAsync<IOException>(() => RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/3")));
        var half = await Assert.ThrowsAsync<EndOfStreamException>(() => RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/4")));
        var none = await Assert.ThrowsAsync<EndOfStreamException>(() => RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/5")));

        Assert.Contains("5 of 10", half.Message, StringComparison.Ordinal);
        Assert.Contains("without an answer", none.Message, StringComparison.Ordinal);
        Assert.Equal(5, upstream.Requests.Count);
    }

    [Fact]
    public async Task Holds_the_body_until_released()
    {
        await using var upstream = TestUpstream.Start();
        var release = new TaskCompletionSource();
        upstream.Respond(UpstreamAnswer.Status(200, "late").BodyHeldUntil(release.Task));
        await using var client = await RawHttpClient.ConnectAsync(upstream.EndPoint);
        await client.SendAsync(RawRequest.Post("/"));

        var reading = client.ReadResponseAsync();
        await upstream.WaitForRequestAsync();
        Assert.False(reading.IsCompleted);
        release.SetResult();

        Assert.Equal("late", (await reading).BodyText);
    }

    [Fact]
    public async Task A_script_that_throws_is_reported()
    {
        await using var upstream = TestUpstream.Start();
        upstream.Respond(_ => throw new NotSupportedException("the script's own fault"));

        await Assert.ThrowsAnyAsync<IOException>(() => RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/")));

        Assert.Contains("the script's own fault", Assert.Single(upstream.BrokenRequests).Fault, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_what_it_waited_for()
    {
        await using var upstream = TestUpstream.Start();

        var timeout = await Assert.ThrowsAsync<TimeoutException>(() => upstream.WaitForRequestAsync(2, TimeSpan.FromMilliseconds(1)));

        Assert.Contains("request 2 at the upstream", timeout.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Never_answers_when_told_so()
    {
        await using var upstream = TestUpstream.Start();
        upstream.Respond(UpstreamAnswer.Never);
        await using var client = await RawHttpClient.ConnectAsync(upstream.EndPoint, IPAddress.Parse("127.0.0.7"));
        await client.SendAsync(RawRequest.Post("/"));
        var reading = client.ReadResponseAsync();

        await upstream.WaitForRequestAsync();
        await client.SendAsync("more");
        await Deadline.UntilAsync(() => upstream.BytesReceived > upstream.Requests[0].Head.Length, "the bytes after the request are counted");

        Assert.False(reading.IsCompleted);
        client.HalfClose();
        await Assert.ThrowsAsync<EndOfStreamException>(() => reading);
    }

    [Fact]
    public void A_single_value_is_not_read_where_there_are_several()
    {
        var (_, headers) = WireReader.ParseHead(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nA: 1\r\na: 2\r\n\r\n"));

        Assert.Throws<InvalidOperationException>(() => headers["A"]);
        Assert.Null(headers["B"]);
    }
}
