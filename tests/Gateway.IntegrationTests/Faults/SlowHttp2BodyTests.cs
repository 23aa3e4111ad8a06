using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>A body that comes too slowly over HTTP/2 ends its own request, and not the connection that others share.</summary>
public sealed class Slow_body_over_HTTP_2
{
    [Fact]
    public async Task Is_408_and_the_other_requests_of_its_connection_go_on()
    {
        var clock = new TestClock();
        await using var site = await Site.WithOneRouteAsync(time: clock,
            arguments: ["--urls", "http://127.0.0.1:0", "--Kestrel:EndpointDefaults:Protocols", "Http2"]);
        await using var client = await RawHttp2Client.ConnectAsync(site.Gateway.EndPoint);
        var slow = await client.OpenAsync(RawHttp2Client.Post("/hook", ("content-length", "5000"), ("x-signature", new string('0', 64))), endStream: false);
        await client.SendDataAsync(slow, new byte[1], endStream: false);

        // The server's own measure of five seconds, by its own clock, ended the connection.
        await Assert.ThrowsAsync<TimeoutException>(() => Deadline.WaitAsync(client.GoneAsync(), "the end of the connection", TimeSpan.FromSeconds(7)));

        clock.Advance(TimeSpan.FromSeconds(16));
        Assert.Equal(408, (await client.AnswerAsync(slow)).Status);
        Assert.Equal(200, (await client.ExchangeAsync(RawHttp2Client.Post("/hook", ("x-signature", Site.Sign("{}"u8))), "{}"u8.ToArray())).Status);
        await site.IsIdleAsync();
    }
}
