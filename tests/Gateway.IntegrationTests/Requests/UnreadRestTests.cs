using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>A refusal whose body will not be read to its end says so: a sender's pool would put its next event on a connection that is just closing.</summary>
public sealed class Unread_rest : SiteTests
{
    [Theory]
    [InlineData("/nowhere", "POST", 65_536, false)]
    [InlineData("/nowhere", "POST", 65_537, true)]
    [InlineData("/hook", "PATCH", 1_048_576, false)]
    [InlineData("/hook", "PATCH", 1_048_577, true)]
    public async Task Is_told_by_closing(string target, string method, int length, bool closes)
    {
        await using var client = await Site.Gateway.ConnectAsync();
        await client.SendAsync(new RawRequest { Method = method, Target = target, Body = new byte[length] }.HeadBytes());

        Assert.Equal(closes ? "close" : null, (await client.ReadResponseAsync()).Headers["Connection"]);
    }

    [Fact]
    public async Task A_transfer_coding_of_HTTP_1_0_is_malformed_and_the_last_request_of_its_connection()
    {
        await using var client = await Site.Gateway.ConnectAsync();
        var before = Site.Seen;
        await client.SendAsync(Encoding.ASCII.GetBytes(
            $"POST /hook HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nX-Signature: {Site.Sign("{}"u8)}\r\nTransfer-Encoding: "
            + $"chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"));

        Assert.Equal(400, (await client.ReadResponseAsync()).Status);
        await client.ReadToCloseAsync();
        Assert.Equal(before, Site.Seen);
    }

    [Fact]
    public async Task A_method_of_any_length_makes_a_line_of_bounded_length()
    {
        Assert.Equal(405, (await Site.SendAsync(Site.Signed("{}") with { Method = new string('M', 7000) })).Status);

        Assert.All(Site.Gateway.Logs.Entries, static line => Assert.InRange(line.ToString().Length, 1, 3000));
    }

    private protected override Task<Site> StartAsync() => Site.WithOneRouteAsync();
}
