using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.TestKit;

public sealed class RawHttpClientTests
{
    [Fact]
    public void A_request_is_written_as_its_parts_say()
    {
        var request = RawRequest.Post("/hooks?x=1", "hello").WithHeader("X-A", "1").WithHeader("X-A", "2");

        Assert.Equal("POST /hooks?x=1 HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 5\r\n\r\nhello", Text(request));
        Assert.Equal("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", Text(RawRequest.Post("/")));
        Assert.Equal("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Text(RawRequest.Get("/")));
        Assert.Equal("POST / HTTP/1.1\r\n\r\nx", Text(RawRequest.Post("/", "x") with { Framed = false, Host = null }));
    }

    [Theory]
    [InlineData(new int[0], "5\r\nhello\r\n0\r\n\r\n")]
    [InlineData(new[] { 2 }, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")]
    [InlineData(new[] { 1, 4 }, "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n")]
    [InlineData(new[] { 0, 3, 9 }, "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")]
    public void A_chunked_body_is_cut_where_the_test_says(int[] sizes, string expected)
    {
        var request = RawRequest.Post("/", "hello").Chunked(sizes);

        Assert.Equal(expected, Encoding.ASCII.GetString(request.BodyBytes()));
        Assert.EndsWith("Transfer-Encoding: chunked\r\n\r\n", Encoding.ASCII.GetString(request.HeadBytes()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reads_a_chunked_answer_with_extensions_and_trailers()
    {
        await using var upstream = TestUpstream.Start();
        upstream.Respond(UpstreamAnswer.Raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Trailer: "
            + "t\r\n\r\n"));
        await using var client = await RawHttpClient.ConnectAsync(upstream.EndPoint);

        var first = await client.ExchangeAsync(RawRequest.Post("/"));
        var second = await client.ExchangeAsync(RawRequest.Post("/"));

        Assert.Equal("abc0123456789", first.BodyText);
        Assert.Equal("abc0123456789", second.BodyText);
    }

    [Fact]
    public async Task Reads_an_answer_that_ends_with_the_connection()
    {
        await using var upstream = TestUpstream.Start();
        upstream.Respond(UpstreamAnswer.CloseDelimited(200, "until the end"u8.ToArray()));

        var response = await RawHttpClient.SendOnceAsync(upstream.EndPoint, RawRequest.Post("/"));

        Assert.Equal("until the end", response.BodyText);
    }

    [Fact]
    public async Task Connects_from_the_address_it_is_given()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var accepting = listener.AcceptSocketAsync();

        await using var client = await RawHttpClient.ConnectAsync((IPEndPoint)listener.LocalEndpoint, IPAddress.Parse("127.9.8.7"));
        using var accepted = await Deadline.WaitAsync(accepting, "the connection");

        Assert.Equal(IPAddress.Parse("127.9.8.7"), ((IPEndPoint)accepted.RemoteEndPoint!).Address);
    }

    [Fact]
    public async Task Reset_reaches_the_server_as_a_reset()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var accepting = listener.AcceptSocketAsync();
        await using var client = await RawHttpClient.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        using var accepted = await Deadline.WaitAsync(accepting, "the connection");

        client.Reset();

        var error = await Assert.ThrowsAsync<SocketException>(() => Deadline.WaitAsync(accepted.ReceiveAsync(new byte[1], SocketFlags.None), "the reset"));
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    [Fact]
    public async Task Speaks_TLS_to_the_test_certificate()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeOneAsync(listener);

        await using var client = await RawHttpClient.ConnectAsync((IPEndPoint)listener.LocalEndpoint,
            tls: TestCertificate.ClientOptions(SslApplicationProtocol.Http11));
        var response = await client.ExchangeAsync(RawRequest.Get("/"));

        Assert.Equal("secret", response.BodyText);
        Assert.Equal(SslApplicationProtocol.Http11, await Deadline.WaitAsync(serving, "the server's side"));
    }

    private static string Text(RawRequest request) => Encoding.Latin1.GetString(request.ToBytes());

    private static async Task<SslApplicationProtocol> ServeOneAsync(TcpListener listener)
    {
        using var socket = await listener.AcceptSocketAsync();
        await using var stream = new SslStream(new NetworkStream(socket));
        await stream.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
        {
            ServerCertificate = TestCertificate.Instance,
            ApplicationProtocols = [SslApplicationProtocol.Http11],
        });
        await new WireReader(buffer => stream.ReadAsync(buffer)).ReadThroughAsync("\r\n\r\n"u8.ToArray());
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"u8.ToArray());
        return stream.NegotiatedApplicationProtocol;
    }
}
