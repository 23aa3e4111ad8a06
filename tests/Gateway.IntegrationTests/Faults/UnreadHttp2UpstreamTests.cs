using System.Buffers.Binary;
using System.Net.Sockets;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>An app over HTTP/2 that answers completely, reads no further and never resets the stream.</summary>
public sealed class Http2_upstream_that_reads_no_further
{
    private const string Routes = """
        {
          "clusters": { "app": { "Destinations": { "a": { "Address": "{app}/" } }, "HttpRequest": { "Version": "2", "VersionPolicy": "RequestVersionExact" } } },
          "routes": { "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "cluster": "app", "timeout": "25s" } }
        }
        """;

    [Fact]
    public async Task Leaks_neither_slots_nor_buffers_nor_claims()
    {
        await using var upstream = new DeafHttp2Upstream();
        await using var site = await Site.StartAsync(
            Routes,
            placeholders: new Dictionary<string, string> { ["{app}"] = upstream.Address });

        // Larger than the window of 64 KiB that a stream begins with, so that most of it can never be sent.
        var body = Site.Bytes(500_000);
        for (var i = 0; i < 3; i++)
        {
            body[0] = (byte)i;
            Assert.Equal(200, (await site.SendAsync(Site.Signed(body))).Status);
        }

        await site.IsIdleAsync();

        // Accepted, so the claim was committed and not left to its lease.
        Assert.Equal("true", (await site.SendAsync(Site.Signed(body))).Headers["X-Webhook-Duplicate"]);
        await site.IsIdleAsync();
    }

    [Fact]
    public async Task A_connection_on_which_nothing_comes_back_is_pinged_given_up_and_replaced_before_the_routes_time_is_up()
    {
        await using var upstream = new DeafHttp2Upstream(dead: 1);
        await using var site = await Site.StartAsync(Routes, placeholders: new Dictionary<string, string> { ["{app}"] = upstream.Address });
        var body = Site.Bytes(100);

        var begin = TimeProvider.System.GetTimestamp();
        var first = await site.SendAsync(Site.Signed(body));

        // Sent, so whether the app acted is unknown, and the sender is told to come again: the ping is sent after five seconds and waited for as long.
        Assert.Equal(502, first.Status);
        Assert.True(TimeProvider.System.GetElapsedTime(begin) < TimeSpan.FromSeconds(24), "only the route's time ended it");
        Assert.Equal(200, (await site.SendAsync(Site.Signed(body))).Status);
        Assert.Equal(2, upstream.Connections);
    }

    [Fact]
    public async Task An_app_whose_streams_begin_without_a_window_sees_the_head_and_gets_the_body()
    {
        await using var upstream = new DeafHttp2Upstream(isShy: true);
        await using var site = await Site.StartAsync(Routes, placeholders: new Dictionary<string, string> { ["{app}"] = upstream.Address });

        foreach (var size in (int[])[10, 600, 12_000, 40_000])
        {
            for (var i = 0; i < 4; i++)
            {
                Assert.Equal(200, (await site.SendAsync(Site.Signed(Site.Bytes(size, seed: size + i)))).Status);
            }
        }

        Assert.Equal(1, upstream.Connections);
        await site.IsIdleAsync();
    }

    /// <summary>
    /// Just enough of HTTP/2 (RFC 9113) to answer 200 with nothing to each request's head; on the first <c>dead</c> connections nothing at all.
    /// </summary>
    private sealed class DeafHttp2Upstream : IAsyncDisposable
    {
        private readonly ReservedPort _port = new();
        private readonly Socket _listener;
        private readonly CancellationTokenSource _stopped = new();

        private readonly int _dead;
        private readonly bool _isShy;
        private int _connections;

        /// <param name="isShy">Streams begin with a window of 0 (RFC 9113 §6.9.2), which their heads open; the answer comes when the body is complete.</param>
        public DeafHttp2Upstream(int dead = 0, bool isShy = false)
        {
            _dead = dead;
            _isShy = isShy;
            _listener = _port.Listen();
            _ = AcceptAsync();
        }

        public string Address => $"http://{_port.EndPoint}";

        public int Connections => Volatile.Read(ref _connections);

        public async ValueTask DisposeAsync()
        {
            await _stopped.CancelAsync();
            _listener.Dispose();
            _port.Dispose();
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    _ = ServeAsync(await _listener.AcceptAsync(_stopped.Token));
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // The test is over.
            }
        }

        private async Task ServeAsync(Socket socket)
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            var isDead = Interlocked.Increment(ref _connections) <= _dead;
            try
            {
                await stream.ReadExactlyAsync(new byte["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".Length], _stopped.Token);

                // SETTINGS, and a WINDOW_UPDATE for the connection: only the streams' own windows stay shut.
                byte[] settings = _isShy ? [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0] : [0, 0, 0, 4, 0, 0, 0, 0, 0];
                await stream.WriteAsync((byte[])[.. settings, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7F, 0, 0, 0], _stopped.Token);
                var head = new byte[9];
                while (true)
                {
                    await stream.ReadExactlyAsync(head, _stopped.Token);
                    await stream.ReadExactlyAsync(new byte[BinaryPrimitives.ReadInt32BigEndian(head) >>> 8], _stopped.Token);
                    if (isDead)
                    {
                        continue;
                    }

                    if (head[3] == 4 && head[4] == 0)
                    {
                        await stream.WriteAsync(new byte[] { 0, 0, 0, 4, 1, 0, 0, 0, 0 }, _stopped.Token);
                    }
                    else if (head[3] == 1 && _isShy)
                    {
                        await stream.WriteAsync(new byte[] { 0, 0, 4, 8, 0, head[5], head[6], head[7], head[8], 0, 0, 0xFF, 0xFF }, _stopped.Token);
                    }
                    else if (head[3] == 1 || (head[3] == 0 && (head[4] & 1) != 0 && _isShy))
                    {
                        // HEADERS with END_HEADERS and END_STREAM; 0x88 is ":status: 200" of the static table. The number of the stream is the request's.
                        await stream.WriteAsync(new byte[] { 0, 0, 1, 1, 5, head[5], head[6], head[7], head[8], 0x88 }, _stopped.Token);
                    }
                }
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // The gateway hung up, or the test is over.
            }
        }
    }
}
