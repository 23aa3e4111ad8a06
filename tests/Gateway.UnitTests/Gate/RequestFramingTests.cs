using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Gate;

namespace WebhookEdge.UnitTests.Gate;

public sealed class RequestFramingTests
{
    [Theory]
    [InlineData("")]
    [InlineData("h2c")]
    [InlineData("H2C")]
    [InlineData("h2")]
    [InlineData("TLS")]
    [InlineData("TLS/1.2")]
    [InlineData("tls/1.3, HTTP/2.0")]
    [InlineData(" , h2c,\t")]
    public void An_offer_of_HTTP_or_TLS_may_be_passed_over(string protocols)
    {
        Assert.False(RequestFraming.IsAmbiguous("POST", With("Upgrade", protocols), isHttp2: false));
        Assert.True(RequestFraming.IsAmbiguous("POST", With("Upgrade", protocols), isHttp2: true));
    }

    [Theory]
    [InlineData("websocket")]
    [InlineData("WebSocket")]
    [InlineData("h2c, websocket")]
    [InlineData("IRC/6.9")]
    [InlineData("TLSX")]
    [InlineData("h2cx")]
    [InlineData("h2c websocket")]
    [InlineData("\"h2c\"")]
    public void Another_protocol_may_not(string protocols) => Assert.True(RequestFraming.IsAmbiguous("POST", With("Upgrade", protocols), isHttp2: false));

    [Fact]
    public void Every_line_counts() => Assert.True(RequestFraming.IsAmbiguous("POST", With("Upgrade", new StringValues(["h2c", "websocket"])), isHttp2: false));

    [Fact]
    public void A_body_has_one_framing_and_HTTP_2_needs_none()
    {
        Assert.False(RequestFraming.IsAmbiguous("POST", With("Transfer-Encoding", "chunked"), isHttp2: false));
        Assert.True(RequestFraming.IsAmbiguous("POST", With("Transfer-Encoding", "chunked"), isHttp2: true));
        Assert.True(RequestFraming.IsAmbiguous("POST", With("Transfer-Encoding", "gzip, chunked"), isHttp2: false));
        var both = With("Transfer-Encoding", "chunked");
        both.ContentLength = 2;
        Assert.True(RequestFraming.IsAmbiguous("POST", both, isHttp2: false));
        Assert.True(RequestFraming.IsAmbiguous("CONNECT", new HeaderDictionary(), isHttp2: true));
        Assert.False(RequestFraming.IsAmbiguous("POST", new HeaderDictionary(), isHttp2: true));
    }

    private static HeaderDictionary With(string name, StringValues value) => new() { [name] = value };
}
