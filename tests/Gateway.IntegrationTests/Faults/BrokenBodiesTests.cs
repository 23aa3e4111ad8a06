using System.Net;
using System.Net.Security;
using Microsoft.Extensions.Logging;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>
/// Bodies that their sender breaks off. Anybody can send a thousand of them: each is counted with its reason, and together they write a handful of lines, none
/// of them the server's.
/// </summary>
public sealed class Broken_bodies : IDisposable
{
    private const int AtOnce = 50;
    private const int OfEachKind = 250;

    private readonly TempDirectory _files = new();

    [Fact]
    public async Task A_thousand_over_HTTP_1_1_are_counted_and_write_few_lines() =>
        await BreakAsync(
            ["--urls", "http://127.0.0.1:0"],
            site => [
                ("declared length, reset", "body-incomplete", () => OverHttp1Async(site, null, chunked: false, static client => client.Reset())),
                ("declared length, closed", "body-incomplete", () => OverHttp1Async(site, null, chunked: false, static client => client.HalfClose())),
                ("chunks, reset", "body-incomplete", () => OverHttp1Async(site, null, chunked: true, static client => client.Reset())),
                ("chunks, closed", "body-incomplete", () => OverHttp1Async(site, null, chunked: true, static client => client.HalfClose())),
            ]);

    [Fact]
    public async Task A_thousand_over_TLS_are_counted_and_write_few_lines() =>
        await BreakAsync(
            [
                "--Kestrel:Endpoints:Https:Url", "https://127.0.0.1:0",
                "--Kestrel:Endpoints:Https:Certificate:Path", _files.Write("tls.pem", TestCertificate.Instance.ExportCertificatePem()),
                "--Kestrel:Endpoints:Https:Certificate:KeyPath", _files.Write("tls.key", System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions.GetECDsaPrivateKey(TestCertificate.Instance)!.ExportPkcs8PrivateKeyPem()),
            ],
            site => [
                ("declared length, reset", "body-incomplete", () => OverHttp1Async(site, Tls, chunked: false, static client => client.Reset())),
                ("declared length, closed", "body-incomplete", () => OverHttp1Async(site, Tls, chunked: false, static client => client.HalfClose())),
                ("chunks, reset", "body-incomplete", () => OverHttp1Async(site, Tls, chunked: true, static client => client.Reset())),
                ("chunks, closed", "body-incomplete", () => OverHttp1Async(site, Tls, chunked: true, static client => client.HalfClose())),
            ]);

    [Fact]
    public async Task A_thousand_over_HTTP_2_are_counted_and_write_few_lines() =>
        await BreakAsync(
            ["--Kestrel:Endpoints:two:Url", "http://127.0.0.1:0", "--Kestrel:Endpoints:two:Protocols", "Http2"],
            site => [
                ("stream reset", "body-incomplete", () => OverHttp2Async(site, 20_000, static (client, stream) => client.ResetAsync(stream))),
                ("connection reset", "body-incomplete", () => OverHttp2Async(site, 20_000, null)),
                ("more data than content-length", "request-malformed",
                    () => OverHttp2Async(site, 2_000, static (client, stream) => client.SendDataAsync(stream, new byte[3_000], endStream: true))),
                ("less data than content-length", "request-malformed",
                    () => OverHttp2Async(site, 20_000, static (client, stream) => client.SendDataAsync(stream, new byte[10], endStream: true))),
            ]);

    /// <summary>
    /// Of a request refused by its head the server reads on to the end of the body, and would call what it finds there its own reader's fault.
    /// </summary>
    [Theory]
    [InlineData("PUT", "/hook", 405, "\u00ff\u00fe")]
    [InlineData("POST", "/nowhere", 404, "\u00ff\u00fe")]
    [InlineData("PUT", "/hook", 405, "\0")]
    [InlineData("POST", "/nowhere", 404, "\0")]
    [InlineData("POST", "/hook", 401, "\0")]
    public async Task Trailers_that_are_no_text_behind_a_refusal_are_the_clients_fault_in_the_log_too(string method, string path, int status, string trailer)
    {
        await using var site = await Site.WithOneRouteAsync();
        await using var client = await RawHttpClient.ConnectAsync(site.Gateway.EndPoint);

        await client.SendAsync($"{method} {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Trailer: "
            + trailer + "\r\n\r\n");
        Assert.Equal(status, (await client.ReadResponseAsync()).Status);

        // It hangs up when it has met them and told of it.
        await client.ReadToCloseAsync();
        Assert.DoesNotContain(site.Gateway.Logs.Entries,
            static line => line.Level >= LogLevel.Warning && line.Category.StartsWith("Microsoft.", StringComparison.Ordinal));
    }

    public void Dispose() => _files.Dispose();

    private static SslClientAuthenticationOptions Tls => TestCertificate.ClientOptions(SslApplicationProtocol.Http11);

    /// <param name="arguments">The listener.</param>
    /// <param name="kinds">A name, the reason it is to be counted with, and what begins and breaks off <see cref="AtOnce"/> bodies.</param>
    private static async Task BreakAsync(string[] arguments, Func<Site, (string Name, string Reason, Func<Task> BreakAsync)[]> kinds)
    {
        // The clock stands still: all of this is one second to the log.
        await using var site = await Site.WithOneRouteAsync(time: new TestClock(), arguments: [.. arguments, "--Logging:RefusalsPerSecond", "20"]);
        foreach (var (name, reason, breakAsync) in kinds(site))
        {
            var before = site.Gateway.Metrics.Sum("webhookedge.requests", ("reason", reason));
            for (var i = 0; i < OfEachKind; i += AtOnce)
            {
                await breakAsync();
                await site.IsIdleAsync();
            }

            await Deadline.UntilAsync(() => site.Gateway.Metrics.Sum("webhookedge.requests") % OfEachKind == 0, $"every body is counted: {name}");
            Assert.Equal((name, (double)OfEachKind), (name, site.Gateway.Metrics.Sum("webhookedge.requests", ("reason", reason)) - before));
        }

        Assert.Equal((0, 0L, 0), site.Seen);
        var lines = site.Gateway.Logs.Entries;
        Assert.Equal("",
            string.Join('\n',
            lines.Where(static line => line.Category.StartsWith("Microsoft.", StringComparison.Ordinal) && line.Level >= LogLevel.Warning).Take(3)));
        // The clock stands before the day on which the certificate was made (5107).
        Assert.DoesNotContain(lines, static line => line.Level >= LogLevel.Error && line.Event.Id != 5107);
        // Two kinds of line, and one or the other more: whoever asks in the moment in which a second begins may be counted to none.
        Assert.InRange(lines.Count(static line => line.Event.Id == 1100), 1, (2 * 20) + 5);
        Assert.InRange(lines.Sum(static line => line.ToString().Length), 1, 40_000);

        // And the gateway goes on as if nothing had been.
        if (arguments[0] == "--urls")
        {
            Assert.Equal(200, (await site.SendAsync(Site.Signed("after all that"))).Status);
        }
    }

    private static async Task OverHttp1Async(Site site, SslClientAuthenticationOptions? tls, bool chunked, Action<RawHttpClient> end)
    {
        var clients = new List<RawHttpClient>();
        for (var i = 0; i < AtOnce; i++)
        {
            // Half of them break off after some of the body, the others before any of it.
            var part = i % 2 == 0 ? "" : chunked ? "3e8\r\n" + new string('b', 1000) + "\r\n" : new string('b', 1000);
            var client = await RawHttpClient.ConnectAsync(site.Gateway.EndPoint, tls: tls);
            clients.Add(client);
            await client.SendAsync($"POST /hook HTTP/1.1\r\nHost: localhost\r\nX-Signature: "
                + $"{Site.Sign("x"u8)}\r\n{(chunked ? "Transfer-Encoding: chunked" : "Content-Length: 50000")}\r\n\r\n{part}");
        }

        await Deadline.UntilAsync(() => site.Capacity is { Requests: AtOnce, BufferedBytes: AtOnce / 2 * 1000 },
            "every head has arrived, and what there is of the bodies");
        foreach (var client in clients)
        {
            end(client);
        }

        await Deadline.UntilAsync(() => site.Capacity.Requests == 0, "every request is given up");
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    /// <param name="site">Whose first listener speaks HTTP/2.</param>
    /// <param name="declared">The content-length; a thousand bytes are sent.</param>
    /// <param name="end">Null to reset the connection.</param>
    private static async Task OverHttp2Async(Site site, int declared, Func<RawHttp2Client, int, Task>? end)
    {
        await using var client = await RawHttp2Client.ConnectAsync(site.Gateway.EndPoint);
        var streams = new List<int>();
        for (var i = 0; i < AtOnce; i++)
        {
            var stream = await client.OpenAsync(RawHttp2Client.Post("/hook", ("x-signature", Site.Sign("x"u8)), ("content-length", declared.ToString())),
                endStream: false);
            await client.SendDataAsync(stream, new byte[1000], endStream: false);
            streams.Add(stream);
        }

        await Deadline.UntilAsync(() => site.Capacity is { Requests: AtOnce, BufferedBytes: AtOnce * 1000 },
            "every head has arrived, and what there is of the bodies");
        if (end is null)
        {
            client.Reset();
        }
        else
        {
            foreach (var stream in streams)
            {
                await end(client, stream);
            }
        }

        await Deadline.UntilAsync(() => site.Capacity.Requests == 0, "every request is given up");
    }
}
