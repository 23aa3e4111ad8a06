using System.Net.Security;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>
/// Bytes that are no HTTP/2 and no TLS, at places where the server and the framework expect none: nobody who may connect puts stack traces into the log.
/// </summary>
public sealed class BrokenConnectionsTests : IDisposable
{
    private const int OfEachKind = 50;

    private readonly TempDirectory _files = new();

    /// <summary>RFC 7541 §6.1: "The index value of 0 is not used. It MUST be treated as a decoding error."</summary>
    [Theory]
    [InlineData(1, 0x5)]
    [InlineData(1, 0x1)]
    public async Task A_header_of_index_0(byte type, byte flags)
    {
        await using var site = await Site.WithOneRouteAsync(
            arguments: ["--Kestrel:Endpoints:two:Url", "http://127.0.0.1:0", "--Kestrel:Endpoints:two:Protocols", "Http2"]);

        // An open block of fields goes on in a CONTINUATION.
        byte[] frames = (flags & 0x4) != 0 ? [0, 0, 1, type, flags, 0, 0, 0, 1, 0x80] : [0, 0, 1, type, flags, 0, 0, 0, 1, 0x82, 0, 0, 1, 9, 4, 0, 0, 0, 1, 0x80];
        await RepeatAsync(site, async stream => await stream.WriteAsync((byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0, .. frames]));

        await NoStackTracesAsync(site);
    }

    [Fact]
    public async Task A_ClientHello_that_is_cut_short()
    {
        var clock = new TestClock();
        await using var site = await Site.WithOneRouteAsync(time: clock, arguments: TestCertificate.Endpoint(_files));

        await RepeatAsync(site, static async stream => await stream.WriteAsync((byte[])[0x16, 0x03, 0x01, 0x00, 0x04, 0x01, 0x00, 0x00, 0x00]));

        await NoStackTracesAsync(site);
        Assert.Single(site.Gateway.Logs.WithEvent(6002));
    }

    [Fact]
    public async Task A_record_of_TLS_that_nobody_can_decrypt_over_HTTP_2()
    {
        var clock = new TestClock();
        await using var site = await Site.WithOneRouteAsync(time: clock, arguments: TestCertificate.Endpoint(_files));

        await RepeatAsync(site, static async stream =>
        {
            var secured = new SslStream(stream, leaveInnerStreamOpen: true);
            await secured.AuthenticateAsClientAsync(TestCertificate.ClientOptions(SslApplicationProtocol.Http2));
            await stream.WriteAsync((byte[])[0x17, 0x03, 0x03, 0x00, 0x20, .. new byte[32]]);
        });

        await NoStackTracesAsync(site);
    }

    public void Dispose() => _files.Dispose();

    private static async Task RepeatAsync(Site site, Func<Stream, Task> sendAsync)
    {
        for (var i = 0; i < OfEachKind; i++)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(site.Gateway.EndPoint);
            await using var stream = new NetworkStream(socket);
            await Deadline.WaitAsync(sendAsync(stream), "the bytes to be sent");
            await Deadline.WaitAsync(ReadToEndAsync(stream), "the server to end the connection");
        }
    }

    private static async Task ReadToEndAsync(NetworkStream stream)
    {
        try
        {
            await stream.CopyToAsync(Stream.Null);
        }
        catch (IOException)
        {
            // It may hang up before it has read everything.
        }
    }

    private static async Task NoStackTracesAsync(Site site)
    {
        await Deadline.UntilAsync(() => site.Gateway.Metrics.Observe("webhookedge.connections") == 0, "every place has come back");
        Assert.DoesNotContain(site.Gateway.Logs.Entries, static line => line.Level >= LogLevel.Warning
            && (line.Exception is not null || line.Category.StartsWith("Microsoft.", StringComparison.Ordinal)));
        var warnings = site.Gateway.Logs.Entries.Where(static line => line.Level >= LogLevel.Warning && line.Event.Id is not (5103 or 5107)).ToList();
        Assert.True(warnings.Count <= 1, string.Join('\n', warnings.Select(static line => $"{line.Event.Id} {line.Text}")));
    }
}
