using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;

namespace WebhookEdge.LoadTests;

/// <summary>What the load generator looks at of an answer.</summary>
internal readonly record struct Answer(int Status, bool Duplicate);

/// <summary>
/// One HTTP/1.1 connection of a load generator: writes prepared bytes and reads just enough of the answer to judge it and find its end. Blocking and
/// for one thread, so that nothing but the kernel stands between a request that is due and the wire.
/// </summary>
internal sealed class HttpConnection(IPEndPoint target) : IDisposable
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private byte[] _buffer = new byte[16 * 1024];
    private Socket? _socket;
    private int _filled;

    /// <summary>Sends the request and reads the whole answer, connecting first where there is no connection.</summary>
    /// <exception cref="SocketException">Nothing can be said about the request; the next one connects anew.</exception>
    /// <exception cref="InvalidDataException">The answer is not HTTP/1.1 as this reader knows it.</exception>
    public Answer Exchange(ReadOnlySpan<byte> request)
    {
        var fresh = _socket is null;
        try
        {
            return Attempt(request);
        }
        catch (SocketException) when (!fresh && _filled == 0)
        {
            // The server closed an idle connection, as it may.
            Drop();
            return Retry(request);
        }
        catch (Exception e) when (e is SocketException or InvalidDataException)
        {
            Drop();
            throw;
        }
    }

    public void Dispose() => Drop();

    private Answer Retry(ReadOnlySpan<byte> request)
    {
        try
        {
            return Attempt(request);
        }
        catch
        {
            Drop();
            throw;
        }
    }

    private Answer Attempt(ReadOnlySpan<byte> request)
    {
        _filled = 0;
        var socket = _socket ??= Connect();
        for (var sent = 0; sent < request.Length;)
        {
            sent += socket.Send(request[sent..]);
        }

        return ReadAnswer();
    }

    private Socket Connect()
    {
        var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true, ReceiveTimeout = (int)LongestWait.TotalMilliseconds, SendTimeout = (int)LongestWait.TotalMilliseconds,
        };
        try
        {
            socket.Connect(target);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private void Drop()
    {
        _socket?.Dispose();
        _socket = null;
    }

    private Answer ReadAnswer()
    {
        int end;
        while ((end = _buffer.AsSpan(0, _filled).IndexOf("\r\n\r\n"u8)) < 0)
        {
            Receive();
        }

        var head = _buffer.AsSpan(0, end + 2);
        if (!head.StartsWith("HTTP/1.1 "u8) || !Utf8Parser.TryParse(head[9..], out int status, out _))
        {
            throw new InvalidDataException("no HTTP/1.1 status line");
        }

        long? length = null;
        bool duplicate = false, close = false, chunked = false;
        foreach (var range in head.Split("\r\n"u8))
        {
            var line = head[range];
            if (Is(line, "content-length:"u8, out var value) && Utf8Parser.TryParse(value, out long parsed, out _))
            {
                length = parsed;
            }
            else if (Is(line, "connection:"u8, out value))
            {
                close = value.SequenceEqual("close"u8);
            }
            else if (Is(line, "transfer-encoding:"u8, out value))
            {
                chunked = true;
            }
            else if (Is(line, "x-webhook-duplicate:"u8, out value))
            {
                duplicate = value.SequenceEqual("true"u8);
            }
        }

        var body = end + 4;
        if (chunked)
        {
            while (!_buffer.AsSpan(body, _filled - body).EndsWith("0\r\n\r\n"u8))
            {
                Receive();
            }
        }
        else if (length is null && status is not (204 or 304))
        {
            throw new InvalidDataException("an answer without a length");
        }
        else
        {
            while (_filled - body < (length ?? 0))
            {
                Receive();
            }
        }

        if (close)
        {
            Drop();
        }

        return new(status, duplicate);
    }

    private static bool Is(ReadOnlySpan<byte> line, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        var matches = line.Length >= name.Length && System.Text.Ascii.EqualsIgnoreCase(line[..name.Length], name);
        value = matches ? line[name.Length..].Trim((byte)' ') : default;
        return matches;
    }

    private void Receive()
    {
        if (_filled == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        var received = _socket!.Receive(_buffer.AsSpan(_filled));
        if (received == 0)
        {
            throw new SocketException((int)SocketError.ConnectionReset);
        }

        _filled += received;
    }
}
