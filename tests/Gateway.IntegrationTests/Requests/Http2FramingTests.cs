using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>HTTP/2 has its own framing: fields that frame or switch an HTTP/1.1 connection make a request malformed (RFC 9113 §8.2.2).</summary>
public sealed class Http2_framing : SiteTests
{
    [Theory]
    [InlineData("upgrade", "h2c")]
    [InlineData("upgrade", "websocket")]
    [InlineData("upgrade", "")]
    [InlineData("transfer-encoding", "chunked")]
    [InlineData("connection", "upgrade")]
    [InlineData("content-length", "+2")]
    [InlineData("content-length", "-0")]
    [InlineData("content-length", "2,2")]
    public async Task What_belongs_to_HTTP_1_1_or_is_no_length_is_refused(string name, string value)
    {
        var seen = Site.Seen;
        await using var client = await RawHttp2Client.ConnectAsync(Site.Gateway.EndPoint);

        var status = 0;
        try
        {
            status = (await client.ExchangeAsync(RawHttp2Client.Post("/hook", ("x-signature", Site.Sign("{}"u8)), (name, value)), "{}"u8.ToArray())).Status;
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            // Where the server itself gives up the connection.
        }

        Assert.Contains(status, new[] { 0, 400 });
        Assert.Equal(seen, Site.Seen);
        await Site.IsIdleAsync();
    }

    [Theory]
    [InlineData("x-a b")]
    [InlineData("x-a:b")]
    [InlineData("x-a\"b")]
    [InlineData("x-a/b")]
    [InlineData("x-(a)")]
    public async Task A_name_that_is_no_name_is_refused(string name)
    {
        var seen = Site.Seen;
        await using var client = await RawHttp2Client.ConnectAsync(Site.Gateway.EndPoint);

        Assert.Contains((await client.ExchangeAsync(RawHttp2Client.Post("/hook", ("x-signature", Site.Sign("{}"u8)), (name, "1")), "{}"u8.ToArray())).Status,
            new[] { 0, 400 });
        Assert.Equal(seen, Site.Seen);
        await Site.IsIdleAsync();
    }

    [Fact]
    public async Task The_same_request_without_them_passes()
    {
        await using var client = await RawHttp2Client.ConnectAsync(Site.Gateway.EndPoint);

        Assert.Equal(200,
            (await client.ExchangeAsync(RawHttp2Client.Post("/hook", ("x-signature", Site.Sign("{}"u8)), ("content-length", "2")), "{}"u8.ToArray())).Status);
        Assert.Equal("{}", Site.Upstream.Requests[^1].BodyText);
    }

    private protected override Task<Site> StartAsync() =>
        Site.WithOneRouteAsync(arguments: ["--Kestrel:Endpoints:two:Url", "http://127.0.0.1:0", "--Kestrel:Endpoints:two:Protocols", "Http2"]);
}
