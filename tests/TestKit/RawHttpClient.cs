using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace WebhookEdge.TestKit;

/// <summary>A complete answer off the wire.</summary>
/// <param name="Head">Status line and header lines with the empty line, byte for byte.</param>
/// <param name="Body">The body without chunk framing.</param>
/// <param name="Interim">The statuses of the 1xx answers that came before.</param>
internal sealed record RawResponse(int Status, byte[] Head, HeaderList Headers, byte[] Body, IReadOnlyList<int> Interim)
{
    public string HeadText => Encoding.Latin1.GetString(Head);

    public string BodyText => Encoding.UTF8.GetString(Body);
}

/// <summary>
/// One HTTP/1.1 connection under the test's full control: exact bytes, in pieces, half-closed or reset. Every read has a deadline.
/// </summary>
internal sealed class RawHttpClient : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly WireReader _reader;

    private RawHttpClient(Socket socket, Stream stream)
    {
        _socket = socket;
        _stream = stream;
        _reader = new(buffer => stream.ReadAsync(buffer));
    }

    public IPEndPoint LocalEndPoint => (IPEndPoint)_socket.LocalEndPoint!;

    /// <param name="to">Where to connect.</param>
    /// <param name="from">The source address, any of 127.0.0.0/8; null leaves it to the system (127.0.0.1).</param>
    /// <param name="tls">Null for plain TCP. <see cref="TestCertificate.ClientOptions"/> trusts the test's own certificate.</param>
    /// <param name="preamble">Sent in the clear before anything else, the TLS handshake included.</param>
    public static async Task<RawHttpClient> ConnectAsync(IPEndPoint to, IPAddress? from = null, SslClientAuthenticationOptions? tls = null,
        ReadOnlyMemory<byte> preamble = default)
    {
        var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (from is not null)
            {
                socket.Bind(new IPEndPoint(from, 0));
            }

            await Deadline.WaitAsync(socket.ConnectAsync(to), $"a connection to {to}");
            await socket.SendAllAsync(preamble);
            Stream stream = new NetworkStream(socket, ownsSocket: false);
            if (tls is not null)
            {
                var secure = new SslStream(stream);
                await Deadline.WaitAsync(secure.AuthenticateAsClientAsync(tls), $"the TLS handshake with {to}");
                stream = secure;
            }

            return new(socket, stream);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects to 127.0.0.1.</summary>
    public static Task<RawHttpClient> ConnectAsync(int port, IPAddress? from = null) => ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), from);

    /// <summary>One request on a connection of its own.</summary>
    public static async Task<RawResponse> SendOnceAsync(IPEndPoint to, RawRequest request, IPAddress? from = null)
    {
        await using var client = await ConnectAsync(to, from);
        return await client.ExchangeAsync(request);
    }

    public Task SendAsync(ReadOnlyMemory<byte> bytes) => Deadline.WaitAsync(_stream.WriteAsync(bytes).AsTask(), $"{bytes.Length} bytes to be sent");

    public Task SendAsync(string bytes) => SendAsync(Encoding.Latin1.GetBytes(bytes));

    public Task SendAsync(RawRequest request) => SendAsync(request.ToBytes());

    /// <summary>
    /// Sends in segments of <paramref name="size"/> bytes, one write each. <paramref name="between"/>, if given, runs before every segment but the first.
    /// </summary>
    public async Task SendInPiecesAsync(ReadOnlyMemory<byte> bytes, int size, Func<Task>? between = null)
    {
        for (var at = 0; at < bytes.Length; at += size)
        {
            if (at > 0 && between is not null)
            {
                await between();
            }

            await SendAsync(bytes.Slice(at, Math.Min(size, bytes.Length - at)));
        }
    }

    /// <summary>Sends a request and reads its answer; the connection stays open.</summary>
    public async Task<RawResponse> ExchangeAsync(RawRequest request, TimeSpan? within = null)
    {
        await SendAsync(request);
        return await ReadResponseAsync(isHead: request.Method == "HEAD", within);
    }

    /// <exception cref="EndOfStreamException">The server closed before the answer was complete.</exception>
    /// <exception cref="IOException">The server reset the connection.</exception>
    public Task<RawResponse> ReadResponseAsync(bool isHead = false, TimeSpan? within = null) =>
        Deadline.WaitAsync(ReadAsync(isHead), "an answer", within);

    /// <summary>Reads what is left until the server ends the connection. False when it ended with a reset.</summary>
    public async Task<(byte[] Remaining, bool Orderly)> ReadToCloseAsync(TimeSpan? within = null)
    {
        try
        {
            return (await Deadline.WaitAsync(_reader.ReadToEndAsync().AsTask(), "the server to close the connection", within), true);
        }
        catch (IOException)
        {
            return (_reader.Pending.ToArray(), false);
        }
    }

    /// <summary>Sends a FIN: nothing more will come from here, the answer can still be read.</summary>
    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Hangs up with a TCP reset.</summary>
    public void Reset() => _socket.Reset();

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _stream.DisposeAsync();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // A TLS farewell on a connection that was reset on purpose.
        }

        _socket.Dispose();
    }

    private async Task<RawResponse> ReadAsync(bool isHead)
    {
        var interim = new List<int>();
        while (true)
        {
            var head = await _reader.ReadThroughAsync("\r\n\r\n"u8.ToArray()) ?? throw new EndOfStreamException("the server closed without an answer");
            var (line, headers) = WireReader.ParseHead(head);
            if (line.Split(' ', 3) is not ["HTTP/1.1" or "HTTP/1.0", var code, ..]
                || !int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var status))
            {
                throw new InvalidDataException($"'{line}' is no status line");
            }

            if (status is >= 100 and < 200 and not 101)
            {
                interim.Add(status);
                continue;
            }

            byte[] body;
            if (isHead || status is 101 or 204 or 304)
            {
                body = [];
            }
            else if (headers["Transfer-Encoding"] == "chunked")
            {
                body = await _reader.ReadChunkedAsync();
            }
            else if (headers["Content-Length"] is { } length)
            {
                body = await _reader.ReadExactlyAsync(int.Parse(length, NumberStyles.None, CultureInfo.InvariantCulture));
            }
            else
            {
                body = await _reader.ReadToEndAsync();
            }

            return new(status, head, headers, body, interim);
        }
    }
}
