using System.Buffers.Binary;
using System.Diagnostics.Metrics;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookEdge.Hosting;
using WebhookEdge.IntegrationTests.Cli;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Ingress;

/// <summary>Places for connections: how many there are, and that each comes back.</summary>
public sealed class ConnectionLimitTests : IDisposable
{
    private const string Key = "--Kestrel:Limits:MaxConcurrentConnections";

    private readonly TempDirectory _files = new();

    /// <summary>
    /// A second for each 240 bytes that were ever written, as the server has it, were seven minutes for these six thousand answers to pings that are read.
    /// </summary>
    [Fact]
    public async Task Many_answers_that_were_read_buy_no_time_for_one_that_is_not()
    {
        // The route's own time would end the stream alone.
        await using var site = await Site.WithOneRouteAsync(""" "timeout": "5m" """,
            arguments: ["--Kestrel:Endpoints:two:Url", "http://127.0.0.1:0", "--Kestrel:Endpoints:two:Protocols", "Http2"]);
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(site.Gateway.EndPoint);

        // SETTINGS_INITIAL_WINDOW_SIZE 0 (RFC 9113 §6.9.2): the body of the app's answer waits for ever.
        site.Upstream.RespondNext(UpstreamAnswer.Status(200, "thank you"));
        var signature = Encoding.ASCII.GetBytes(Site.Sign("{}"u8));
        byte[] fields = [0x83, 0x86, 0x04, 5, .. "/hook"u8, 0x01, 1, .. "a"u8, 0x00, 11, .. "x-signature"u8, (byte)signature.Length, .. signature];
        await socket.SendAllAsync((byte[])
        [
            .. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0,
            0, 0, (byte)fields.Length, 1, 4, 0, 0, 0, 1, .. fields, 0, 0, 2, 0, 1, 0, 0, 0, 1, .. "{}"u8,
        ]);
        await site.Upstream.WaitForRequestAsync();
        byte[] ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        await socket.SendAllAsync(Enumerable.Repeat(ping, 6000).SelectMany(static bytes => bytes).ToArray());

        await Deadline.WaitAsync(ReadToEndAsync(socket), "the server to end the connection");
        await Deadline.UntilAsync(() => site.Gateway.Metrics.Observe("webhookedge.connections") == 0, "the place has come back");
    }

    [Fact]
    public async Task Answers_that_nobody_reads_do_not_hold_up_a_stop()
    {
        var clock = new TestClock();
        await using var site = await Site.WithOneRouteAsync(time: clock, arguments: ["--urls", "http://127.0.0.1:0"]);
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(site.Gateway.EndPoint);
        var sent = 0L;
        var sending = SendAsync();
        var (seen, since) = (0L, 0);
        await Deadline.UntilAsync(
            () =>
            {
                (seen, since) = Volatile.Read(ref sent) is var now && now == seen ? (now, since + 1) : (now, 0);
                return seen > 0 && since == 100;
            },
            "the server to take no more requests, because nobody reads its answers");

        var stopping = site.Gateway.Host.StopAsync();

        // The host itself would end it after half a minute.
        await Deadline.UntilAsync(
            () =>
            {
                clock.Advance(TimeSpan.FromMilliseconds(100));
                return stopping.IsCompleted;
            },
            "the gateway to stop", TimeSpan.FromSeconds(20));
        await stopping;
        await sending;

        async Task SendAsync()
        {
            var requests = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 100)));
            try
            {
                while (true)
                {
                    await socket.SendAllAsync(requests);
                    Interlocked.Add(ref sent, requests.Length);
                }
            }
            catch (SocketException)
            {
                // The connection was ended.
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task HTTP_2_streams_opened_by_the_hundred_whose_answers_nobody_reads_lock_nobody_out(bool tls)
    {
        IReadOnlyList<string> endpoint = tls ? TestCertificate.Endpoint(_files)
            : ["--Kestrel:Endpoints:two:Url", "http://127.0.0.1:0", "--Kestrel:Endpoints:two:Protocols", "Http2"];
        var clock = new TestClock();
        await using var site = await Site.WithOneRouteAsync(time: clock, arguments: [Key, "20", .. endpoint]);

        using var server = new MetricCapture(site.Gateway.Host.Services.GetRequiredService<IMeterFactory>(), "Microsoft.AspNetCore.Server.Kestrel");

        for (var i = 0; i < 40; i++)
        {
            await OpenStreamsAndLeaveAsync(site, tls);
        }

        // What ended together with its TLS handshake is looked at again when handshakes are over, and what the server still waits for then is given up.
        await Deadline.UntilAsync(
            () =>
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                return site.Gateway.Metrics.Observe("webhookedge.connections") == 0 && server.Sum("kestrel.active_connections") == 0;
            },
            "every place has come back, and the server waits for none");
        await using var client = await RawHttp2Client.ConnectAsync(site.Gateway.EndPoint,
            tls ? TestCertificate.ClientOptions(SslApplicationProtocol.Http2) : null);
        Assert.Equal(200,
            (await client.ExchangeAsync(RawHttp2Client.Post("/hook", ("x-signature", Site.Sign("{}"u8)))
            .Select(field => field.Name == ":scheme" && tls ? (field.Name, "https") : field), "{}"u8.ToArray())).Status);
        Assert.DoesNotContain(site.Gateway.Logs.Entries, static line => line.Level >= LogLevel.Error && line.Event.Id != 5107);
    }

    [Fact]
    public async Task One_connection_too_many_is_closed_and_counted_and_a_closed_one_makes_room()
    {
        await using var site = await Site.WithOneRouteAsync(arguments: ["--urls", "http://127.0.0.1:0", Key, "2"]);
        await using var first = await site.Gateway.ConnectAsync();
        Assert.Equal(200, (await first.ExchangeAsync(Site.Signed("1"))).Status);
        var second = await site.Gateway.ConnectAsync();
        Assert.Equal(200, (await second.ExchangeAsync(Site.Signed("2"))).Status);

        await using (var third = await site.Gateway.ConnectAsync())
        {
            Assert.Empty((await third.ReadToCloseAsync()).Remaining);
        }

        Assert.Equal(2, site.Gateway.Metrics.Observe("webhookedge.connections"));
        Assert.Equal(2, site.Gateway.Metrics.Observe("webhookedge.connections.limit"));
        Assert.Equal(1, site.Gateway.Metrics.Sum("webhookedge.connections.refused"));

        await second.DisposeAsync();
        await Deadline.UntilAsync(() => site.Gateway.Metrics.Observe("webhookedge.connections") == 1, "the place has come back");
        await using var fourth = await site.Gateway.ConnectAsync();
        Assert.Equal(200, (await fourth.ExchangeAsync(Site.Signed("4"))).Status);
    }

    [Fact]
    public async Task Half_closed_senders_keep_their_place_until_they_are_answered()
    {
        await using var site = await Site.WithOneRouteAsync(arguments: ["--urls", "http://127.0.0.1:0", Key, "1"]);
        var release = new TaskCompletionSource();
        site.Upstream.RespondNext(UpstreamAnswer.Ok.HeldUntil(release.Task));
        await using var half = await site.Gateway.ConnectAsync();
        await half.SendAsync(Site.Signed("1"));
        half.HalfClose();
        await site.Upstream.WaitForRequestAsync();

        Assert.Equal(1, site.Gateway.Metrics.Observe("webhookedge.connections"));
        await using (var other = await site.Gateway.ConnectAsync())
        {
            Assert.Empty((await other.ReadToCloseAsync()).Remaining);
        }

        release.SetResult();
        Assert.Equal(200, (await half.ReadResponseAsync()).Status);
        await Deadline.UntilAsync(() => site.Gateway.Metrics.Observe("webhookedge.connections") == 0, "the place has come back");
    }

    [Theory]
    [InlineData("Kestrel:Limits:MaxConcurrentConnections", "0",
        "Kestrel:Limits:MaxConcurrentConnections: \"0\" is no number of connections; write a whole number above 0, such as 8192")]
    [InlineData("Kestrel:Limits:MaxConcurrentConnection", "10", "Kestrel:Limits: ")]
    [InlineData("Kestrel:Limits:KeepAliveTimeout", "soon", "Kestrel:Limits: ")]
    [InlineData("Kestrel:Limits:KeepAliveTimeout", "-00:00:10", "Kestrel:Limits: ")]
    public async Task A_limit_of_the_server_that_is_none_stops_the_start(string key, string value, string fault)
    {
        var thrown = await Assert.ThrowsAnyAsync<Exception>(() =>
            TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets, arguments: ["--urls", "http://127.0.0.1:0", "--" + key, value]));

        Assert.StartsWith(fault, StartupFaults.Say(thrown), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_limit_of_the_server_is_taken_from_its_section()
    {
        await using var site = await Site.WithOneRouteAsync(arguments: ["--urls", "http://127.0.0.1:0", "--Kestrel:Limits:MaxRequestHeaderCount", "5"]);
        await using var client = await site.Gateway.ConnectAsync();

        await client.SendAsync("POST /hook HTTP/1.1\r\nHost: localhost\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nContent-Length: 0\r\n\r\n");
        Assert.Equal(431, (await client.ReadResponseAsync()).Status);
    }

    [Fact]
    public async Task With_few_files_it_takes_fewer_connections_says_so_and_lives()
    {
        _files.Write("routes.json",
            Hook.Routes().Replace("{upstream}", "http://127.0.0.1:9", StringComparison.Ordinal)
            .Replace("file:{dir}/secret", "env:HOOK", StringComparison.Ordinal));
        await using var gateway = CliProcess.StartWithFiles(
            600, _files.Path, new Dictionary<string, string> { ["HOOK"] = Hook.Secret }, "--config", "routes.json", "--urls", "http://127.0.0.1:0",
            "--Admin:Url", "http://127.0.0.1:0");
        var (open, admin) = await gateway.ListeningAsync();
        Assert.Contains(
            "Kestrel:Limits:MaxConcurrentConnections: 140 connections at once instead of 8192, because this process may have only 600 files open; raise "
            + "that to 16704", gateway.Output, StringComparison.Ordinal);

        var sockets = new List<Socket>();
        for (var i = 0; i < 700; i++)
        {
            sockets.Add(new Socket(SocketType.Stream, ProtocolType.Tcp));
        }

        // At once, and found waiting by a process that had no processor for a while: each that is accepted holds a file until it is closed, and when there are
        // no files left the runtime ends the process.
        await gateway.SignalAsync("STOP");
        await Task.WhenAll(sockets.Take(400).Select(socket => socket.ConnectAsync(open.Host, open.Port)));
        await gateway.SignalAsync("CONT");
        var most = 0;
        await Deadline.UntilAsync(() => (most = Math.Max(most, gateway.OpenFiles)) > 300 && gateway.Output.Contains("6001", StringComparison.Ordinal),
            "the bound to be reached");
        for (var i = 0; i < 50; i++)
        {
            most = Math.Max(most, gateway.OpenFiles);
        }

        Assert.InRange(most, 140, 500);
        await Task.WhenAll(sockets.Skip(400).Select(socket => socket.ConnectAsync(open.Host, open.Port)));

        using var http = new HttpClient();
        Assert.Contains("webhookedge_connections 140\n", await http.GetStringAsync(new Uri(admin, "/metrics")), StringComparison.Ordinal);
        sockets.ForEach(static socket => socket.Dispose());
        await Deadline.UntilAsync(() => http.GetStringAsync(new Uri(admin, "/metrics")).GetAwaiter().GetResult()
            .Contains("webhookedge_connections 0\n", StringComparison.Ordinal), "the places have come back");
        Assert.Equal(System.Net.HttpStatusCode.NotFound, (await http.GetAsync(new Uri(open, "/none"))).StatusCode);
    }

    public void Dispose() => _files.Dispose();

    private static async Task ReadToEndAsync(Socket socket)
    {
        var bytes = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(bytes) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // A reset is an end too.
        }
    }

    private static async Task OpenStreamsAndLeaveAsync(Site site, bool tls)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(site.Gateway.EndPoint);
        await using Stream raw = new NetworkStream(socket);
        await using var stream = tls ? new SslStream(raw) : raw;
        if (stream is SslStream secured)
        {
            await secured.AuthenticateAsClientAsync(TestCertificate.ClientOptions(SslApplicationProtocol.Http2));
        }

        try
        {
            await stream.WriteAsync(s_thousandStreams[tls]);
        }
        catch (IOException)
        {
            // The server may have had enough by then.
        }
    }

    /// <summary>The connection preface, empty SETTINGS, and a thousand times <c>GET /none</c>, by whether the scheme is https (RFC 9113 §3.4, §4.1).</summary>
    private static readonly Dictionary<bool, byte[]> s_thousandStreams = new() { [false] = ThousandStreams(0x86), [true] = ThousandStreams(0x87) };

    private static byte[] ThousandStreams(byte scheme)
    {
        using var bytes = new MemoryStream();
        bytes.Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        bytes.Write([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        byte[] fields = [0x82, scheme, 0x04, 5, .. "/none"u8, 0x01, 1, .. "a"u8];
        Span<byte> head = [0, 0, (byte)fields.Length, 1, 0x5, 0, 0, 0, 0];
        for (var i = 0; i < 1000; i++)
        {
            BinaryPrimitives.WriteInt32BigEndian(head[5..], (2 * i) + 1);
            bytes.Write(head);
            bytes.Write(fields);
        }

        return bytes.ToArray();
    }
}
