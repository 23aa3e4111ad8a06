using System.Buffers;
using System.Net.Sockets;

namespace WebhookEdge.Forwarding;

/// <summary>
/// Around a connection to an upstream: sends the head and the body of a request in one write. The HTTP client keeps a head in a buffer of 4 KiB; a body that
/// does not fit beside it leaves in two or more writes, each a system call and a packet that the upstream is woken for, together a tenth of what forwarding 12
/// KB costs. What is written while <see cref="WriteAsync(Stream, ReadOnlyMemory{byte}, CancellationToken)"/> runs is copied here and leaves when it ends.
/// <para>For HTTP/1.1 only, where a connection has one writer at a time and its writes run on the thread that asks for them.</para>
/// </summary>
internal sealed class GatheringStream(Stream connection) : Stream
{
    /// <summary>Smaller bodies fit beside their head; nothing is gained.</summary>
    internal const int Smallest = 3 * 1024;

    /// <summary>Of larger ones a write more or less does not count.</summary>
    internal const int Largest = 48 * 1024;

    private const int RoomForHead = 8 * 1024;

    // What is being gathered is known by the thread, not by the connection: content is given a stream of the HTTP client's, which says nothing of the
    // connection beneath.
    [ThreadStatic]
    private static int t_room;

    [ThreadStatic]
    private static GatheringStream? t_gathered;

    private byte[]? _buffer;
    private int _length;

    // The peer takes no more: it has answered before it had read everything, and closed. See SendAsync.
    private bool _refused;

    /// <summary>Writes <paramref name="part"/> of a request's body to <paramref name="content"/>, the stream that the HTTP client gave for it.</summary>
    public static ValueTask WriteAsync(Stream content, ReadOnlyMemory<byte> part, CancellationToken cancellationToken)
    {
        if (part.Length is < Smallest or > Largest)
        {
            return content.WriteAsync(part, cancellationToken);
        }

        Task rest;
        GatheringStream? gathered;
        t_room = part.Length + RoomForHead;
        try
        {
            // Done at once, as a rule, because it ended in the buffer below; then the flush brings there what the client still holds.
            rest = content.WriteAsync(part, cancellationToken).AsTask();
            if (rest.IsCompletedSuccessfully)
            {
                rest = content.FlushAsync(cancellationToken);
            }
        }
        finally
        {
            // Whatever comes: no other connection may find this thread gathering.
            t_room = 0;
            gathered = t_gathered;
            t_gathered = null;
        }

        return gathered is null ? new(rest) : FinishAsync(gathered, rest, cancellationToken);
    }

    private static async ValueTask FinishAsync(GatheringStream gathered, Task rest, CancellationToken cancellationToken)
    {
        // First what was gathered: whatever the client still has to write comes after it.
        await gathered.SendGatheredAsync(cancellationToken);
        await rest;
    }

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (t_room > 0 && (t_gathered is null || t_gathered == this) && _length + buffer.Length <= t_room)
        {
            t_gathered = this;
            _buffer ??= ArrayPool<byte>.Shared.Rent(t_room);
            buffer.CopyTo(_buffer.AsMemory(_length));
            _length += buffer.Length;
            return default;
        }

        return _length == 0 ? SendAsync(buffer, cancellationToken) : SendBothAsync(buffer, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override Task FlushAsync(CancellationToken cancellationToken) => connection.FlushAsync(cancellationToken);

    public override void Flush() => connection.Flush();

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        connection.ReadAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        connection.ReadAsync(buffer, offset, count, cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => connection.Read(buffer, offset, count);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // What a failed request left here is garbage now and not returned: a write may still be reading it.
            connection.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask SendBothAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        await SendGatheredAsync(cancellationToken);
        await SendAsync(buffer, cancellationToken);
    }

    private ValueTask SendAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_refused)
        {
            return default;
        }

        var writing = connection.WriteAsync(buffer, cancellationToken);
        if (writing.IsCompletedSuccessfully)
        {
            writing.GetAwaiter().GetResult();
            return default;
        }

        return AwaitAsync(writing);
    }

    /// <summary>
    /// An app may say no (413, 401) before it has read a large body, and close; the rest of the body cannot be written then, but the answer is there to be
    /// read. The HTTP client would give up at the failed write. So it is told that all is well, reads the answer, or finds that there is none. The connection
    /// is not used again: it is at its end, which the client sees when it looks for the next request's connection.
    /// </summary>
    private async ValueTask AwaitAsync(ValueTask writing)
    {
        try
        {
            await writing;
        }
        catch (IOException e)
            when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.Shutdown or SocketError.ConnectionAborted })
        {
            _refused = true;
        }
    }

    private async ValueTask SendGatheredAsync(CancellationToken cancellationToken)
    {
        if (_buffer is { } buffer)
        {
            var length = _length;
            _buffer = null;
            _length = 0;
            await SendAsync(buffer.AsMemory(0, length), cancellationToken);

            // Not after a fault: see Dispose.
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
