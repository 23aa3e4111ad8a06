using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using WebhookEdge.Forwarding;
using WebhookEdge.Gate;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Forwarding;

/// <summary>The real HTTP client, set up as the gateway sets it up, on a real socket: how often it writes, and what.</summary>
public sealed class GatheringStreamTests : IAsyncDisposable
{
    private readonly TestUpstream _upstream = TestUpstream.Start();
    private readonly List<CountingStream> _connections = [];

    [Theory]
    [InlineData(0)]
    [InlineData(600)]
    [InlineData(GatheringStream.Smallest - 1)]
    [InlineData(GatheringStream.Smallest)]
    [InlineData(3500)]
    [InlineData(4096)]
    [InlineData(5000)]
    [InlineData(8191)]
    [InlineData(12 * 1024)]
    [InlineData(16 * 1024)]
    [InlineData(GatheringStream.Largest)]
    public async Task Head_and_body_leave_in_one_write(int size)
    {
        using var client = Client();

        await SendAsync(client, size, pieces: 1);
        await SendAsync(client, size, pieces: 1);

        Assert.Equal(2, Assert.Single(_connections).Writes);
    }

    [Theory]
    [InlineData(12 * 1024, 3)]
    [InlineData(20_000, 2)]
    public async Task A_body_in_pieces_leaves_in_one_write_too(int size, int pieces)
    {
        using var client = Client();

        await SendAsync(client, size, pieces);

        Assert.Equal(1, Assert.Single(_connections).Writes);
    }

    [Theory]
    [InlineData(GatheringStream.Largest + 1, 1)]
    [InlineData(300_000, 1)]
    [InlineData(300_000, 7)]
    [InlineData((64 * 1024) + 5000, 2)]
    public async Task A_large_body_arrives_whole(int size, int pieces)
    {
        using var client = Client();

        await SendAsync(client, size, pieces);
        await SendAsync(client, 600, pieces: 1);

        Assert.Single(_connections);
    }

    [Fact]
    public async Task A_head_that_finds_no_room_goes_first()
    {
        using var client = Client();

        await SendAsync(client, 12 * 1024, pieces: 1, header: new('h', 30_000));
        await SendAsync(client, 12 * 1024, pieces: 1);

        Assert.Single(_connections);
    }

    [Fact]
    public async Task A_write_that_fails_fails_the_request_and_nothing_of_it_is_sent_with_a_later_one()
    {
        using var client = Client();
        await SendAsync(client, 12 * 1024, pieces: 1);
        _connections[0].Fault = new IOException("broken pipe");

        await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(client, 12 * 1024, pieces: 1));
        await SendAsync(client, 12 * 1024, pieces: 1);

        Assert.Equal(2, _connections.Count);
        Assert.Equal(2, _upstream.Requests.Count);
        Assert.Empty(_upstream.BrokenRequests);
    }

    [Fact]
    public async Task Many_at_once_on_many_threads_stay_apart()
    {
        using var client = Client();

        await Parallel.ForEachAsync(Enumerable.Range(1, 200), async (i, _) => await SendAsync(client, 2000 + (i * 97), pieces: 1 + (i % 3)));

        Assert.Equal(200, _upstream.Requests.Count);
        Assert.Empty(_upstream.BrokenRequests);
    }

    public ValueTask DisposeAsync() => _upstream.DisposeAsync();

    private HttpMessageInvoker Client()
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(_upstream.EndPoint, cancellationToken);
                var connection = new CountingStream(new(socket, ownsSocket: true));
                lock (_connections)
                {
                    _connections.Add(connection);
                }

                return connection;
            },
        };
        UpstreamClientFactory.Configure(handler, UpstreamClientFactory.DefaultConnectTimeout);
        return new(handler);
    }

    private async Task SendAsync(HttpMessageInvoker client, int size, int pieces, string header = "h")
    {
        var body = new byte[size];
        new Random(size).NextBytes(body);
        var delivery = new Delivery();
        delivery.Open(RoutePolicy.None, "POST", "/", default, Delivery.EmptyHeaders, size, PipeReader.Create(ReadOnlySequence<byte>.Empty));
        delivery.HoldBody(Segments.Cut(body, Enumerable.Range(1, pieces - 1).Select(i => body.Length * i / pieces)));
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{_upstream.Address}/{Guid.NewGuid():N}") { Content = new DeliveryContent(delivery),
            Version = new(1, 1) };
        request.Headers.TryAddWithoutValidation("X-Some", header);

        using var response = await client.SendAsync(request, CancellationToken.None);

        // To its end, so that the next request finds the connection free.
        await response.Content.ReadAsByteArrayAsync();

        Assert.Equal(StatusCodes.Status200OK, (int)response.StatusCode);
        var arrived = _upstream.Requests.Single(r => r.Target == request.RequestUri!.PathAndQuery);
        Assert.Equal(body, arrived.Body);
        Assert.Equal(header, arrived.Headers["X-Some"]);
    }

    /// <summary>The socket's stream, as far as the HTTP client uses it.</summary>
    private sealed class CountingStream(NetworkStream socket) : Stream
    {
        public int Writes { get; private set; }

        public IOException? Fault { get; set; }

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Writes++;
            return Fault is null ? socket.WriteAsync(buffer, cancellationToken) : ValueTask.FromException(Fault);
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            socket.ReadAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            socket.Dispose();
            base.Dispose(disposing);
        }
    }
}
