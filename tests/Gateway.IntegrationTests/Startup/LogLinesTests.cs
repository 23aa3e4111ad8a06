using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Startup;

/// <summary>What strangers can make the log say: bounded in number, and one line each, at every level.</summary>
public sealed class Lines_that_strangers_cause
{
    [Fact]
    public async Task No_line_holds_a_control_character_whatever_stands_in_the_path()
    {
        await using var site = await Site.WithOneRouteAsync(arguments:
        [
            "--Kestrel:Endpoints:one:Url", "http://127.0.0.1:0", "--Kestrel:Endpoints:two:Url", "http://127.0.0.1:0", "--Kestrel:Endpoints:two:Protocols",
            "Http2",
            "--Logging:LogLevel:Default", "Trace", "--Logging:LogLevel:Microsoft", "Trace", "--Logging:LogLevel:Yarp", "Trace",
            "--Logging:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics", "Trace",
        ]);
        string[] paths = ["/a%0d%0a12:00:00 fail: forged", "/a%1b[31mred", "/a\u001b[31mred", "/a\nforged", "/\u00c2\u009b31m", "/a%e2%80%a8b", "/%7f",
            "/hook?\u001b[31m\r\n", "/hook/%0a"];
        foreach (var path in paths)
        {
            await using var two = await RawHttp2Client.ConnectAsync(new(IPAddress.Loopback, site.Gateway.Host.Addresses[1].Port));
            try
            {
                await two.ExchangeAsync(RawHttp2Client.Post(path));
            }
            catch (EndOfStreamException)
            {
                // Some bytes end the whole connection.
            }

            await using var one = await site.Gateway.ConnectAsync();
            await one.SendAsync($"POST {path.Replace(' ', '+')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            await one.ReadToCloseAsync();
        }

        await site.IsIdleAsync();
        Assert.Contains(site.Gateway.Logs.Entries, static line => line.Text.Contains("forged", StringComparison.Ordinal) && line.Event.Id == 1100);
        Assert.Contains(site.Gateway.Logs.Entries,
            static line => line.Category.StartsWith("Microsoft.", StringComparison.Ordinal) && line.Text.Contains("forged", StringComparison.Ordinal));
        Assert.DoesNotContain(site.Gateway.Logs.Entries, static line => line.Text.Any(static c => char.IsControl(c) || c is '\u2028' or '\u2029'));
        Assert.DoesNotContain(site.Gateway.Logs.Entries, static line => line.Exception is { } e && e.Message.Any(char.IsControl));
    }

    [Fact]
    public async Task More_connections_than_the_server_takes_write_few_lines()
    {
        await using var site = await Site.WithOneRouteAsync(time: new TestClock(),
            arguments: ["--urls", "http://127.0.0.1:0", "--Logging:RefusalsPerSecond", "20", "--Kestrel:Limits:MaxConcurrentConnections", "10"]);
        await Flood(site, 500, static async client => await client.ReadToCloseAsync(), held: 10);

        Assert.Single(site.Gateway.Logs.Entries, static line => line.Event.Id == 6001);
        Assert.DoesNotContain(site.Gateway.Logs.Entries, static line => line.Category.StartsWith("Microsoft.", StringComparison.Ordinal));
    }

    private static async Task Flood(Site site, int count, Func<RawHttpClient, Task> end, int held)
    {
        var holding = new List<RawHttpClient>();
        for (var i = 0; i < held; i++)
        {
            holding.Add(await site.Gateway.ConnectAsync());
            Assert.Equal(401, (await holding[i].ExchangeAsync(RawRequest.Post("/hook", "x"))).Status);
        }

        for (var i = 0; i < count; i++)
        {
            await using var client = await site.Gateway.ConnectAsync();
            await end(client);
        }

        foreach (var client in holding)
        {
            await client.DisposeAsync();
        }
    }
}
