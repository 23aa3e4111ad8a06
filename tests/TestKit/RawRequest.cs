using System.Collections.Immutable;
using System.Text;

namespace WebhookEdge.TestKit;

/// <summary>
/// The bytes of an HTTP/1.1 request, exactly as a test wants them. Adds <c>Host: localhost</c> and the framing of the body, nothing else;
/// both can be left out to write them by hand. Immutable.
/// </summary>
internal sealed record RawRequest
{
    public string Method { get; init; } = "POST";

    public string Target { get; init; } = "/";

    public string Version { get; init; } = "HTTP/1.1";

    /// <summary>The Host line's value; null for none.</summary>
    public string? Host { get; init; } = "localhost";

    public ImmutableArray<(string Name, string Value)> Headers { get; init; } = [];

    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>Write Content-Length or Transfer-Encoding. Off to write a wrong, a double or no framing by hand.</summary>
    public bool Framed { get; init; } = true;

    /// <summary>Null for Content-Length; else the sizes of the chunks, the last one taking what is left of the body.</summary>
    public ImmutableArray<int>? ChunkSizes { get; init; }

    public static RawRequest Post(string target, string body = "") => Post(target, Encoding.UTF8.GetBytes(body));

    public static RawRequest Post(string target, ReadOnlyMemory<byte> body) => new() { Target = target, Body = body };

    public static RawRequest Get(string target) => new() { Method = "GET", Target = target };

    public RawRequest WithHeader(string name, string value) => this with { Headers = Headers.Add((name, value)) };

    public RawRequest WithBody(ReadOnlyMemory<byte> body) => this with { Body = body };

    /// <summary>Sends the body chunked, cut into chunks of these sizes and one more with the rest.</summary>
    public RawRequest Chunked(params ReadOnlySpan<int> sizes) => this with { ChunkSizes = [.. sizes] };

    /// <summary>Request line and header lines, with the empty line.</summary>
    public byte[] HeadBytes()
    {
        var head = new StringBuilder($"{Method} {Target} {Version}\r\n");
        if (Host is not null)
        {
            head.Append("Host: ").Append(Host).Append("\r\n");
        }

        foreach (var (name, value) in Headers)
        {
            head.Append(name).Append(": ").Append(value).Append("\r\n");
        }

        if (Framed && ChunkSizes is not null)
        {
            head.Append("Transfer-Encoding: chunked\r\n");
        }
        else if (Framed && (!Body.IsEmpty || Method is not ("GET" or "HEAD")))
        {
            head.Append("Content-Length: ").Append(Body.Length).Append("\r\n");
        }

        return Encoding.Latin1.GetBytes(head.Append("\r\n").ToString());
    }

    /// <summary>The body with its framing.</summary>
    public byte[] BodyBytes()
    {
        if (ChunkSizes is not { } sizes)
        {
            return Body.ToArray();
        }

        using var framed = new MemoryStream();
        var rest = Body.Span;
        foreach (var size in sizes)
        {
            WriteChunk(framed, rest[..Math.Min(size, rest.Length)]);
            rest = rest[Math.Min(size, rest.Length)..];
        }

        WriteChunk(framed, rest);
        framed.Write("0\r\n\r\n"u8);
        return framed.ToArray();
    }

    public byte[] ToBytes() => [.. HeadBytes(), .. BodyBytes()];

    private static void WriteChunk(MemoryStream to, ReadOnlySpan<byte> chunk)
    {
        // An empty chunk would end the body.
        if (!chunk.IsEmpty)
        {
            to.Write(Encoding.ASCII.GetBytes($"{chunk.Length:x}\r\n"));
            to.Write(chunk);
            to.Write("\r\n"u8);
        }
    }
}
