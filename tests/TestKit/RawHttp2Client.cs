using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace WebhookEdge.TestKit;

/// <summary>What came on one stream.</summary>
/// <param name="Status">0 when the stream ended without an answer.</param>
/// <param name="Reset">The error code of RST_STREAM (RFC 9113 §7), null when the stream ended in order.</param>
internal sealed record Http2Answer(int Status, HeaderList Headers, byte[] Body, int? Reset)
{
    public string BodyText => Encoding.UTF8.GetString(Body);
}

/// <summary>
/// One HTTP/2 connection under the test's full control: any bytes in any field, frames left out, streams reset. Fields are sent as literals without
/// indexing and without Huffman coding (RFC 7541 §6.2.2), and the server is told to keep no table, so that what is on the wire is what the test wrote.
/// Every wait has a deadline.
/// </summary>
internal sealed class RawHttp2Client : IAsyncDisposable
{
    private const int Data = 0, Headers = 1, ResetStream = 3, Settings = 4, Ping = 6, GoAway = 7, WindowUpdate = 8, Continuation = 9;
    private const int LargestFrame = 16_384;

    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly ConcurrentDictionary<int, StreamState> _streams = new();
    private readonly TaskCompletionSource<int> _goAway = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SendWindow _window = new(65_535);
    private volatile int _initialWindow = 65_535;
    private readonly Task _reading;
    private int _lastStream = -1;

    private RawHttp2Client(Socket socket, Stream stream)
    {
        _socket = socket;
        _stream = stream;
        _reading = ReadAsync();
    }

    /// <summary>Ends with the error code of GOAWAY, or −1 when the connection ended without one.</summary>
    public Task<int> GoneAsync() => Deadline.WaitAsync(_goAway.Task, "GOAWAY or the end of the connection");

    /// <summary>With prior knowledge (RFC 9113 §3.3) or, given <paramref name="tls"/>, by ALPN.</summary>
    public static async Task<RawHttp2Client> ConnectAsync(IPEndPoint to, SslClientAuthenticationOptions? tls = null, IPAddress? from = null)
    {
        var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (from is not null)
            {
                socket.Bind(new IPEndPoint(from, 0));
            }

            await Deadline.WaitAsync(socket.ConnectAsync(to), $"a connection to {to}");
            Stream stream = new NetworkStream(socket, ownsSocket: false);
            if (tls is not null)
            {
                var secure = new SslStream(stream);
                await Deadline.WaitAsync(secure.AuthenticateAsClientAsync(tls), $"the TLS handshake with {to}");
                stream = secure;
            }

            var client = new RawHttp2Client(socket, stream);

            // SETTINGS_HEADER_TABLE_SIZE 0, SETTINGS_ENABLE_PUSH 0, and a window for answers that no test fills.
            byte[] settings = [0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 0x7F, 0xFF, 0xFF, 0xFF];
            byte[] preface = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(Settings, 0, 0, settings)];
            await client.WriteAsync(preface);
            return client;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The pseudo-headers of a POST and <paramref name="more"/>, text as Latin-1: a character is a byte.</summary>
    public static (string Name, string Value)[] Post(string path, params ReadOnlySpan<(string Name, string Value)> more) =>
        [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", path), .. more];

    /// <summary>A request and its answer.</summary>
    public async Task<Http2Answer> ExchangeAsync(IEnumerable<(string Name, string Value)> fields, ReadOnlyMemory<byte> body = default)
    {
        var stream = await OpenAsync(fields, endStream: body.IsEmpty);
        try
        {
            if (!body.IsEmpty)
            {
                await SendDataAsync(stream, body, endStream: true);
            }
        }
        catch (IOException)
        {
            // The server has ended the connection; what it said before that is read below.
        }

        return await AnswerAsync(stream);
    }

    /// <summary>Sends HEADERS for a new stream.</summary>
    /// <returns>The stream's number.</returns>
    public async Task<int> OpenAsync(IEnumerable<(string Name, string Value)> fields, bool endStream)
    {
        using var block = new MemoryStream();
        foreach (var (name, value) in fields)
        {
            block.WriteByte(0x00);
            WriteText(block, name);
            WriteText(block, value);
        }

        var bytes = block.ToArray();
        var stream = Interlocked.Add(ref _lastStream, 2);
        _streams[stream] = new(_initialWindow);
        using var frames = new MemoryStream();
        for (var at = 0; at == 0 || at < bytes.Length; at += LargestFrame)
        {
            var part = bytes.AsSpan(at, Math.Min(LargestFrame, bytes.Length - at));
            var flags = (at == 0 && endStream ? 0x1 : 0) | (at + part.Length == bytes.Length ? 0x4 : 0);
            frames.Write(Frame(at == 0 ? Headers : Continuation, flags, stream, part));
        }

        await WriteAsync(frames.ToArray());
        return stream;
    }

    /// <summary>Sends DATA as the server's windows allow.</summary>
    public async Task SendDataAsync(int stream, ReadOnlyMemory<byte> data, bool endStream)
    {
        var state = _streams[stream];
        do
        {
            var part = data[..Math.Min(LargestFrame, data.Length)];
            await Deadline.WaitAsync(state.Window.TakeAsync(part.Length), $"stream {stream}'s window");
            await Deadline.WaitAsync(_window.TakeAsync(part.Length), "the connection's window");
            data = data[part.Length..];
            await WriteAsync(Frame(Data, endStream && data.IsEmpty ? 0x1 : 0, stream, part.Span));
        }
        while (!data.IsEmpty);
    }

    /// <summary>Breaks a stream off.</summary>
    /// <param name="stream">Its number.</param>
    /// <param name="code">RFC 9113 §7; 8 is CANCEL.</param>
    public Task ResetAsync(int stream, int code = 8)
    {
        var payload = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(payload, code);
        return WriteAsync(Frame(ResetStream, 0, stream, payload));
    }

    public Task<Http2Answer> AnswerAsync(int stream, TimeSpan? within = null) =>
        Deadline.WaitAsync(_streams[stream].Answer.Task, $"the answer on stream {stream}", within);

    /// <summary>Hangs up with a TCP reset.</summary>
    public void Reset() => _socket.Reset();

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _reading;
        await _stream.DisposeAsync();
        _writing.Dispose();
    }

    private static byte[] Frame(int type, int flags, int stream, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        frame[3] = (byte)type;
        frame[4] = (byte)flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(9));
        return frame;
    }

    private static void WriteText(MemoryStream to, string text)
    {
        // RFC 7541 §5.1: an integer with a prefix of seven bits.
        if (text.Length < 127)
        {
            to.WriteByte((byte)text.Length);
        }
        else
        {
            to.WriteByte(127);
            var rest = text.Length - 127;
            for (; rest >= 128; rest >>= 7)
            {
                to.WriteByte((byte)((rest & 0x7F) | 0x80));
            }

            to.WriteByte((byte)rest);
        }

        to.Write(Encoding.Latin1.GetBytes(text));
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        await _writing.WaitAsync();
        try
        {
            await Deadline.WaitAsync(_stream.WriteAsync(bytes).AsTask(), $"{bytes.Length} bytes to be sent");
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task ReadAsync()
    {
        var head = new byte[9];
        try
        {
            while (true)
            {
                await _stream.ReadExactlyAsync(head);
                var payload = new byte[BinaryPrimitives.ReadInt32BigEndian(head) >>> 8];
                await _stream.ReadExactlyAsync(payload);
                await TakeAsync(head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) & 0x7FFF_FFFF, payload);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or SocketException)
        {
            _goAway.TrySetResult(-1);
            foreach (var state in _streams.Values)
            {
                state.Answer.TrySetException(new EndOfStreamException("the connection ended before the answer", e));
            }
        }
    }

    private async Task TakeAsync(int type, int flags, int stream, byte[] payload)
    {
        _streams.TryGetValue(stream, out var state);
        switch (type)
        {
            case Settings when (flags & 0x1) == 0:
                for (var at = 0; at < payload.Length; at += 6)
                {
                    if (BinaryPrimitives.ReadUInt16BigEndian(payload.AsSpan(at)) == 4)
                    {
                        var window = BinaryPrimitives.ReadInt32BigEndian(payload.AsSpan(at + 2));
                        var more = window - _initialWindow;
                        _initialWindow = window;
                        foreach (var one in _streams.Values)
                        {
                            one.Window.Add(more);
                        }
                    }
                }

                await WriteAsync(Frame(Settings, 0x1, 0, []));
                break;
            case Ping when (flags & 0x1) == 0:
                await WriteAsync(Frame(Ping, 0x1, 0, payload));
                break;
            case WindowUpdate:
                (stream == 0 ? _window : state?.Window)?.Add(BinaryPrimitives.ReadInt32BigEndian(payload));
                break;
            case GoAway:
                _goAway.TrySetResult(BinaryPrimitives.ReadInt32BigEndian(payload.AsSpan(4)));
                break;
            case Headers or Continuation or Data or ResetStream when state is not null:
                state.Take(type, flags, payload);
                break;
        }
    }

    /// <summary>What may be sent (RFC 9113 §5.2).</summary>
    private sealed class SendWindow(int size)
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _left = size;

        public void Add(int more)
        {
            lock (_lock)
            {
                _left += more;
                _grown.TrySetResult();
                _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        public async Task TakeAsync(int bytes)
        {
            while (true)
            {
                Task grown;
                lock (_lock)
                {
                    if (_left >= bytes)
                    {
                        _left -= bytes;
                        return;
                    }

                    grown = _grown.Task;
                }

                await grown;
            }
        }
    }

    private sealed class StreamState(int window)
    {
        private readonly List<byte> _fields = [];
        private readonly List<byte> _body = [];
        private List<KeyValuePair<string, string>> _lines = [];
        private int _status;
        private bool _ended;

        public SendWindow Window { get; } = new(window);

        public TaskCompletionSource<Http2Answer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Take(int type, int flags, byte[] payload)
        {
            _ended |= type is Headers or Data && (flags & 0x1) != 0;
            switch (type)
            {
                case ResetStream:
                    // After a whole answer it only says that the rest of the request is not wanted; the answer stands.
                    Answer.TrySetResult(new(_status, new(_lines), _body.ToArray(), BinaryPrimitives.ReadInt32BigEndian(payload)));
                    return;
                case Data:
                    _body.AddRange(payload);
                    break;
                default:
                    _fields.AddRange(payload);
                    if ((flags & 0x4) != 0)
                    {
                        var fields = ReadFields(_fields.ToArray());
                        _fields.Clear();
                        if (fields.Find(static field => field.Key == ":status").Value is { } status)
                        {
                            _status = int.Parse(status, System.Globalization.CultureInfo.InvariantCulture);
                            _lines = [.. fields.Where(static field => field.Key[0] != ':')];
                        }
                    }

                    break;
            }

            if (_ended && _status >= 200)
            {
                Answer.TrySetResult(new(_status, new(_lines), _body.ToArray(), null));
            }
        }

        /// <summary>RFC 7541 §6, of a peer that keeps no table of its own and codes nothing: indexed fields of the static table, and literals.</summary>
        private static List<KeyValuePair<string, string>> ReadFields(ReadOnlySpan<byte> block)
        {
            var fields = new List<KeyValuePair<string, string>>();
            while (!block.IsEmpty)
            {
                var first = block[0];
                if ((first & 0x80) != 0)
                {
                    fields.Add(Http2StaticTable.Entry(ReadNumber(ref block, 7)));
                }
                else if ((first & 0xE0) == 0x20)
                {
                    ReadNumber(ref block, 5);
                }
                else
                {
                    var index = ReadNumber(ref block, (first & 0x40) != 0 ? 6 : 4);
                    var name = index == 0 ? ReadText(ref block) : Http2StaticTable.Entry(index).Key;
                    fields.Add(new(name, ReadText(ref block)));
                }
            }

            return fields;
        }

        private static int ReadNumber(ref ReadOnlySpan<byte> from, int prefix)
        {
            var most = (1 << prefix) - 1;
            var number = from[0] & most;
            from = from[1..];
            if (number < most)
            {
                return number;
            }

            for (var shift = 0; ; shift += 7)
            {
                var next = from[0];
                from = from[1..];
                number += (next & 0x7F) << shift;
                if ((next & 0x80) == 0)
                {
                    return number;
                }
            }
        }

        private static string ReadText(ref ReadOnlySpan<byte> from)
        {
            if ((from[0] & 0x80) != 0)
            {
                throw new InvalidDataException("Huffman coding, which this reader does not know");
            }

            var length = ReadNumber(ref from, 7);
            var text = Encoding.Latin1.GetString(from[..length]);
            from = from[length..];
            return text;
        }
    }
}
