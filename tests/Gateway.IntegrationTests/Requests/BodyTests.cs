using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.Ingress;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>
/// Bodies of every size and framing reach the app byte for byte, with an exact Content-Length; what is over the cap does not reach it at all.
/// </summary>
public class Bodies : SiteTests
{
    private const int Cap = 1024 * 1024;

    public static TheoryData<int> Sizes => [1, 2, 600, 3071, 3072, 4095, 4096, 4097, 12_288, 49_152, 49_153, 65_535, 65_537, 300_000, Cap - 1, Cap];

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task A_sized_body_arrives_byte_for_byte(int size)
    {
        var body = Site.Bytes(size, seed: size);

        Assert.Equal(200, (await Site.SendAsync(Site.Signed(body))).Status);

        ArrivedLast(body);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task A_chunked_body_arrives_byte_for_byte_wherever_it_is_cut(int size)
    {
        int[][] cuts = [[], [1], [1, 1, 1], [7, 4096, 1, 65_536, 3], [size / 2], [.. Enumerable.Repeat(13, Math.Min(500, size / 13))]];
        foreach (var cut in cuts)
        {
            var body = Site.Bytes(size, seed: size ^ (cut.Length * 7_919) ^ cut.Sum());
            if (size < 3)
            {
                // Too few different bodies of this size for the replay memory.
                await using var site = await Site.WithOneRouteAsync(""" "replay": "off" """);
                Assert.Equal(200, (await site.SendAsync(Site.Signed(body).Chunked(cut))).Status);
                Assert.Equal(body, site.Upstream.Requests[^1].Body);
                continue;
            }

            Assert.Equal(200, (await Site.SendAsync(Site.Signed(body).Chunked(cut))).Status);
            ArrivedLast(body);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(17)]
    [InlineData(1000)]
    public async Task A_request_that_comes_in_small_segments_arrives_byte_for_byte(int segment)
    {
        foreach (var request in new[] { Site.Signed(Site.Bytes(1500, segment)), Site.Signed(Site.Bytes(1500, segment + 1)).Chunked(100, 1, 999) })
        {
            await using var client = await Site.Gateway.ConnectAsync();
            await client.SendInPiecesAsync(request.ToBytes(), segment);

            Assert.Equal(200, (await client.ReadResponseAsync()).Status);
            ArrivedLast(request.Body.ToArray());
        }
    }

    [Fact]
    public async Task An_empty_body_is_refused_where_the_body_is_what_is_signed()
    {
        var seen = Site.Seen;
        Assert.Equal(401, (await Site.SendAsync(Site.Signed(""))).Status);
        Assert.Equal(401, (await Site.SendAsync(Site.Signed("").Chunked())).Status);
        Assert.Equal(seen, Site.Seen);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_empty_body_arrives_as_one_where_a_token_is_the_proof(bool chunked)
    {
        var request = RawRequest.Post(chunked ? "/token/b" : "/token/a", "").WithHeader("X-Token", Site.Token);

        Assert.Equal(200, (await Site.SendAsync(chunked ? request.Chunked() : request)).Status);

        ArrivedLast([]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    [InlineData(Cap)]
    public async Task A_body_over_the_cap_is_refused_without_a_declared_length_too(int firstChunk)
    {
        var seen = Site.Seen;
        var body = Site.Bytes(Cap + 1, seed: 77);
        var request = firstChunk == 0 ? Site.Signed(body).Chunked() : Site.Signed(body).Chunked(firstChunk);

        Assert.Equal(413, (await Site.SendAsync(request)).Status);
        await Site.IsIdleAsync();
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task A_body_declared_over_the_cap_is_refused_before_it_is_sent()
    {
        await using var client = await Site.Gateway.ConnectAsync();
        await client.SendAsync($"POST /hook HTTP/1.1\r\nHost: localhost\r\nContent-Length: {Cap + 1}\r\n\r\n");

        Assert.Equal(413, (await client.ReadResponseAsync()).Status);
        await Site.IsIdleAsync();
    }

    [Theory]
    [InlineData("sized")]
    [InlineData("chunked")]
    public async Task Twenty_megabytes_within_the_cap_arrive_byte_for_byte(string framing)
    {
        var body = Site.Bytes(20_000_000, seed: framing.Length);
        var request = Site.Signed(body, "/large");
        await using var client = await Site.Gateway.ConnectAsync();

        Assert.Equal(200, (await client.ExchangeAsync(framing == "sized" ? request : request.Chunked(1, 1_000_003, 65_537))).Status);
        ArrivedLast(body);

        // The buffers went back and the connection goes on.
        Assert.Equal(200, (await client.ExchangeAsync(Site.Signed($"after {framing}"))).Status);
        await Site.IsIdleAsync();
    }

    [Fact]
    public async Task A_refusal_before_or_after_reading_leaves_the_connection_usable()
    {
        (string What, RawRequest Request, int Status)[] refusals =
        [
            ("no route", Site.Signed(Site.Bytes(50_000), "/nowhere"), 404),
            ("wrong method", Site.Signed(Site.Bytes(50_000)) with { Method = "PUT" }, 405),
            ("encoded", Site.Signed(Site.Bytes(50_000)).WithHeader("Content-Encoding", "gzip"), 415),
            ("encoded, chunked", Site.Signed(Site.Bytes(50_000)).WithHeader("Content-Encoding", "gzip").Chunked(9, 20_000), 415),
            ("credential, body unread", RawRequest.Post("/token/x", Site.Bytes(500_000)).WithHeader("X-Token", "wrong"), 401),
            ("credential, chunked body unread", RawRequest.Post("/token/x", Site.Bytes(500_000)).WithHeader("X-Token", "wrong").Chunked(77), 401),
            ("no signature", RawRequest.Post("/hook", Site.Bytes(50_000)), 401),
            ("wrong signature, small", RawRequest.Post("/hook", "{}").WithHeader("X-Signature", new string('0', 64)), 401),
            ("wrong signature, large", RawRequest.Post("/hook", Site.Bytes(900_000)).WithHeader("X-Signature", new string('0', 64)), 401),
            ("wrong signature, chunked", RawRequest.Post("/hook", Site.Bytes(900_000)).WithHeader("X-Signature", new string('0', 64)).Chunked(1, 300_000), 401),
            ("control byte", Site.Signed("{}").WithHeader("X-Odd", "\x01"), 400),
        ];
        await using var client = await Site.Gateway.ConnectAsync();
        foreach (var (what, request, status) in refusals)
        {
            Assert.Equal((what, status), (what, (await client.ExchangeAsync(request)).Status));
            Assert.Equal((what, 200), (what, (await client.ExchangeAsync(Site.Signed($"after {what}"))).Status));
            Assert.Equal($"after {what}", Site.Upstream.Requests[^1].BodyText);
        }
    }

    [Theory]
    [InlineData("declared")]
    [InlineData("counted")]
    [InlineData("broken chunk")]
    public async Task An_answer_after_which_the_rest_of_the_body_is_not_read_says_that_the_connection_closes(string what)
    {
        await using var client = await Site.Gateway.ConnectAsync();
        var request = what switch
        {
            "declared" => Site.Signed(Site.Bytes(1_100_000)).ToBytes(),
            "counted" => Site.Signed(Site.Bytes(1_100_000)).Chunked(70_000).ToBytes(),
            _ => [.. Encoding.Latin1.GetBytes("POST /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: " + new string('0', 64)
                + "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdeXX\r\n")],
        };
        var sending = client.SendAsync(request);
        var answer = await client.ReadResponseAsync();

        Assert.Equal(what == "broken chunk" ? 400 : 413, answer.Status);
        Assert.Equal("close", answer.Headers["Connection"]);
        try
        {
            await sending;
        }
        catch (IOException)
        {
            // The server had stopped reading, as it said.
        }
    }

    [Fact]
    public async Task Pipelined_requests_are_answered_in_order_and_none_mixes_with_another()
    {
        var first = Site.Upstream.Requests.Count;
        await using var client = await Site.Gateway.ConnectAsync();
        byte[] all =
        [
            .. Site.Signed("pipelined one").ToBytes(),
            .. Site.Signed("pipelined two").Chunked(3, 1).ToBytes(),
            .. RawRequest.Post("/hook", "forged").WithHeader("X-Signature", new string('0', 64)).ToBytes(),
            .. Site.Signed("pipelined three", "/nowhere").ToBytes(),
            .. Site.Signed("pipelined four").ToBytes(),
        ];
        await client.SendAsync(all);

        foreach (var status in new[] { 200, 200, 401, 404, 200 })
        {
            Assert.Equal(status, (await client.ReadResponseAsync()).Status);
        }

        Assert.Equal(["pipelined one", "pipelined two", "pipelined four"], Site.Upstream.Requests.Skip(first).Select(request => request.BodyText));
    }

    [Theory]
    [InlineData("sized")]
    [InlineData("chunked")]
    [InlineData("reset")]
    public async Task A_body_that_is_cut_off_reaches_nobody_even_where_nothing_signs_it(string how)
    {
        var seen = Site.Seen;
        var head = $"POST /token/cut HTTP/1.1\r\nHost: localhost\r\nX-Token: {Site.Token}\r\n";
        await using (var client = await Site.Gateway.ConnectAsync())
        {
            await client.SendAsync(head + (how == "chunked" ? "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" : "Content-Length: 9\r\n\r\nhello"));
            await Deadline.UntilAsync(() => Site.Capacity.BufferedBytes == 5, "the gateway has read the part");
            if (how == "reset")
            {
                client.Reset();
            }
            else
            {
                client.HalfClose();
                await client.ReadToCloseAsync();
            }
        }

        await Site.IsIdleAsync();
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task A_body_that_is_not_there_within_the_deadline_is_408_and_given_back()
    {
        var clock = new TestClock();
        await using var site = await Site.WithOneRouteAsync(time: clock);
        await using var client = await site.Gateway.ConnectAsync();
        await client.SendAsync("POST /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: " + Site.Sign("hello!"u8) + "\r\nContent-Length: 6\r\n\r\nhello");
        await Deadline.UntilAsync(() => site.Capacity.BufferedBytes == 5, "the gateway has read the part");

        clock.Advance(PayloadCheck.BodyDeadline);

        var answer = await client.ReadResponseAsync();
        Assert.Equal(408, answer.Status);
        await site.IsIdleAsync();
        Assert.Equal("body-incomplete", Assert.Single(site.Gateway.Logs.WithEvent(1100))["Reason"]);
        Assert.Equal(0, site.Upstream.ConnectionCount);
    }

    [Fact]
    public async Task A_body_that_pauses_for_seven_seconds_is_taken()
    {
        await using var client = await Site.Gateway.ConnectAsync();
        var whole = Site.Signed("it pauses").ToBytes();
        await client.SendAsync(whole.AsMemory()[..^4]);
        await Faults.Hook.PassAsync(TimeSpan.FromSeconds(7));
        await client.SendAsync(whole.AsMemory()[^4..]);

        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        Assert.Equal("it pauses", Site.Upstream.Requests[^1].BodyText);
    }

    [Fact]
    public async Task A_body_slower_than_the_data_rate_is_408()
    {
        await using var site = await Site.WithOneRouteAsync(services: services =>
            services.PostConfigure<KestrelServerOptions>(kestrel => kestrel.Limits.MinRequestBodyDataRate = new(100_000, TimeSpan.FromSeconds(1.001))));
        await using var client = await site.Gateway.ConnectAsync();
        await client.SendAsync("POST /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: " + Site.Sign("hello!"u8) + "\r\nContent-Length: 6\r\n\r\nhello");

        Assert.Equal(408, (await client.ReadResponseAsync()).Status);
        await site.IsIdleAsync();
        Assert.Equal("body-incomplete", Assert.Single(site.Gateway.Logs.WithEvent(1100))["Reason"]);
        Assert.Equal(0, site.Upstream.ConnectionCount);
    }

    private protected override Task<Site> StartAsync() => Site.StartAsync(
        """
        {
          "routes": {
            "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "large": { "path": "/large", "maxBody": "32MiB", "timeout": "30s", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "token": { "path": "/token/{**rest}", "replay": "off", "verify": [{ "scheme": { "kind": "token", "header": "X-Token" }, "secrets": ["file:{dir}/token"] }], "upstream": "{upstream}" }
          }
        }
        """);

    private void ArrivedLast(byte[] body)
    {
        var got = Site.Upstream.Requests[^1];
        Assert.Equal(body.Length.ToString(), got.Headers["Content-Length"]);
        Assert.False(got.IsChunked);
        Assert.True(body.AsSpan().SequenceEqual(got.Body));
    }
}
