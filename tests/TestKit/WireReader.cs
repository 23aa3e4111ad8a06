using System.Globalization;
using System.Text;

namespace WebhookEdge.TestKit;

/// <summary>
/// Reads HTTP/1.1 messages off a connection, byte for byte and without leniency: what a test sees is what was on the wire.
/// A message that breaks the grammar throws <see cref="InvalidDataException"/>, one that ends too early <see cref="EndOfStreamException"/>.
/// </summary>
/// <param name="receive">Reads some bytes into the buffer; 0 is the end.</param>
internal sealed class WireReader(Func<Memory<byte>, ValueTask<int>> receive)
{
    private const int MaxHead = 4 * 1024 * 1024;
    private byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _end;

    /// <summary>What was received and not yet taken by a read; after a failed read, the fragment it failed on.</summary>
    public ReadOnlySpan<byte> Pending => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Bytes up to and with <paramref name="terminator"/>, or null when the connection ends before the first of them.</summary>
    public async ValueTask<byte[]?> ReadThroughAsync(ReadOnlyMemory<byte> terminator)
    {
        var searched = 0;
        while (true)
        {
            var at = Pending[searched..].IndexOf(terminator.Span);
            if (at >= 0)
            {
                return Take(searched + at + terminator.Length);
            }

            searched = Math.Max(0, Pending.Length - terminator.Length + 1);
            if (Pending.Length > MaxHead)
            {
                throw new InvalidDataException($"no end of the head in {MaxHead} bytes");
            }

            if (!await FillAsync())
            {
                return Pending.IsEmpty ? null : throw new EndOfStreamException($"the connection ended in a head or line, after {Pending.Length} bytes of it");
            }
        }
    }

    public async ValueTask<byte[]> ReadExactlyAsync(int count)
    {
        var bytes = new byte[count];
        var filled = Math.Min(count, Pending.Length);
        Pending[..filled].CopyTo(bytes);
        _start += filled;
        while (filled < count)
        {
            var read = await receive(bytes.AsMemory(filled));
            if (read == 0)
            {
                throw new EndOfStreamException($"the connection ended after {filled} of {count} body bytes");
            }

            filled += read;
        }

        return bytes;
    }

    public async ValueTask<byte[]> ReadToEndAsync()
    {
        while (await FillAsync())
        {
        }

        return Take(Pending.Length);
    }

    /// <summary>A chunked body (RFC 9112 §7.1) without its framing; chunk extensions and trailers are read and dropped.</summary>
    public async ValueTask<byte[]> ReadChunkedAsync()
    {
        using var body = new MemoryStream();
        while (true)
        {
            var line = await ReadLineAsync();
            var size = line.Split(';', 2)[0];
            if (!int.TryParse(size, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var length) || length < 0)
            {
                throw new InvalidDataException($"'{line}' is no chunk size");
            }

            if (length == 0)
            {
                break;
            }

            body.Write(await ReadExactlyAsync(length));
            if (await ReadLineAsync() is { Length: > 0 } extra)
            {
                throw new InvalidDataException($"'{extra}' where a chunk of {length} bytes should end");
            }
        }

        while (await ReadLineAsync() is { Length: > 0 })
        {
        }

        return body.ToArray();
    }

    /// <summary>Splits a head into its first line and its header lines, in order, values trimmed of surrounding blanks.</summary>
    public static (string FirstLine, HeaderList Headers) ParseHead(byte[] head)
    {
        var lines = Encoding.Latin1.GetString(head).Split("\r\n");
        var headers = new List<KeyValuePair<string, string>>(lines.Length);
        foreach (var line in lines.AsSpan(1))
        {
            if (line.Length == 0)
            {
                break;
            }

            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0)
            {
                throw new InvalidDataException($"'{line}' is no header line");
            }

            headers.Add(new(line[..colon], line[(colon + 1)..].Trim(' ', '\t')));
        }

        return (lines[0], new(headers));
    }

    private async ValueTask<string> ReadLineAsync()
    {
        var line = await ReadThroughAsync("\r\n"u8.ToArray()) ?? throw new EndOfStreamException("the connection ended between chunks");
        return Encoding.Latin1.GetString(line.AsSpan(..^2));
    }

    private byte[] Take(int count)
    {
        var taken = Pending[..count].ToArray();
        _start += count;
        return taken;
    }

    private async ValueTask<bool> FillAsync()
    {
        if (_end == _buffer.Length)
        {
            var length = _end - _start;
            var target = length > _buffer.Length / 2 ? new byte[_buffer.Length * 2] : _buffer;
            _buffer.AsSpan(_start, length).CopyTo(target);
            (_buffer, _start, _end) = (target, 0, length);
        }

        var read = await receive(_buffer.AsMemory(_end));
        _end += read;
        return read > 0;
    }
}

/// <summary>Header lines in the order and spelling in which they stood on the wire.</summary>
internal sealed class HeaderList(IReadOnlyList<KeyValuePair<string, string>> lines)
{
    public IReadOnlyList<KeyValuePair<string, string>> Lines { get; } = lines;

    /// <summary>The values of all lines with this name, ignoring case.</summary>
    public string[] All(string name) => [.. Lines.Where(line => line.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(line => line.Value)];

    /// <summary>The value of the only line with this name, or null without one.</summary>
    /// <exception cref="InvalidOperationException">There are several: a test that reads one value must not overlook the others.</exception>
    public string? this[string name] => All(name) switch
    {
        [] => null,
        [var only] => only,
        var several => throw new InvalidOperationException($"{several.Length} lines '{name}': {string.Join(" | ", several)}"),
    };

    public bool Contains(string name) => All(name).Length > 0;

    public override string ToString() => string.Join('\n', Lines.Select(line => $"{line.Key}: {line.Value}"));
}
