using System.Collections.Immutable;
using System.Text;

namespace WebhookEdge.TestKit;

/// <summary>What happens to the connection when the last piece of an answer was sent.</summary>
internal enum AfterAnswer
{
    KeepAlive,

    /// <summary>A FIN: an orderly close.</summary>
    Close,

    /// <summary>A TCP reset.</summary>
    Reset,

    /// <summary>Nothing more, ever, until the peer or the test ends the connection.</summary>
    Silence,
}

/// <summary>Bytes to send, once <paramref name="Gate"/> (if any) has opened.</summary>
internal readonly record struct AnswerPiece(ReadOnlyMemory<byte> Bytes, Task? Gate);

/// <summary>
/// A scripted answer of <see cref="TestUpstream"/>: pieces of bytes and what comes after them. Immutable; the With… methods give a new one.
/// Waiting is done on tasks that the test completes, never on time.
/// </summary>
internal sealed record UpstreamAnswer(ImmutableArray<AnswerPiece> Pieces, AfterAnswer After = AfterAnswer.KeepAlive)
{
    /// <summary>200 with a small body.</summary>
    public static UpstreamAnswer Ok { get; } = Status(200, "taken");

    /// <summary>Takes the request and never answers.</summary>
    public static UpstreamAnswer Never { get; } = new([], AfterAnswer.Silence);

    /// <summary>Takes the request, then resets the connection: the sender cannot know whether it was worked on.</summary>
    public static UpstreamAnswer ResetBeforeHead { get; } = new([], AfterAnswer.Reset);

    /// <summary>Takes the request, then closes in good order without an answer.</summary>
    public static UpstreamAnswer CloseBeforeHead { get; } = new([], AfterAnswer.Close);

    /// <summary>Resets in the middle of the header lines.</summary>
    public static UpstreamAnswer ResetInHead { get; } = Raw("HTTP/1.1 200 OK\r\nContent-Len", AfterAnswer.Reset);

    /// <summary>Resets after a complete head that promised a body.</summary>
    public static UpstreamAnswer ResetAfterHead { get; } = Raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", AfterAnswer.Reset);

    /// <summary>Half of the promised body, then an orderly close.</summary>
    public static UpstreamAnswer HalfBody { get; } = Raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf!", AfterAnswer.Close);

    /// <summary>A complete answer with Content-Length.</summary>
    public static UpstreamAnswer Status(int status, string body = "", params (string Name, string Value)[] headers) =>
        Status(status, Encoding.UTF8.GetBytes(body), headers);

    public static UpstreamAnswer Status(int status, byte[] body, params (string Name, string Value)[] headers)
    {
        // RFC 9110 §8.6: no Content-Length in an answer that has no body by definition.
        var length = status is 204 or 304 || status < 200 ? "" : $"Content-Length: {body.Length}\r\n";
        return new([new(Head(status, headers, length), null), new(body, null)]);
    }

    /// <summary>A complete answer with <c>Transfer-Encoding: chunked</c>, one chunk for each of <paramref name="chunks"/>; empty ones are left out.</summary>
    public static UpstreamAnswer Chunked(int status, IEnumerable<byte[]> chunks, params (string Name, string Value)[] headers)
    {
        var pieces = ImmutableArray.CreateBuilder<AnswerPiece>();
        pieces.Add(new(Head(status, headers, "Transfer-Encoding: chunked\r\n"), null));
        foreach (var chunk in chunks.Where(chunk => chunk.Length > 0))
        {
            pieces.Add(new((byte[])[.. Encoding.ASCII.GetBytes($"{chunk.Length:x}\r\n"), .. chunk, .. "\r\n"u8], null));
        }

        pieces.Add(new("0\r\n\r\n"u8.ToArray(), null));
        return new(pieces.ToImmutable());
    }

    /// <summary>A body whose end is the end of the connection.</summary>
    public static UpstreamAnswer CloseDelimited(int status, byte[] body, params (string Name, string Value)[] headers) =>
        new([new(Head(status, headers, "Connection: close\r\n"), null), new(body, null)], AfterAnswer.Close);

    public static UpstreamAnswer Redirect(int status, string location) => Status(status, "", ("Location", location));

    /// <summary>200 with header lines of together about <paramref name="bytes"/> bytes, 1 KB each.</summary>
    public static UpstreamAnswer HugeHeaders(int bytes) =>
        Status(200, "", [.. Enumerable.Range(0, Math.Max(1, bytes / 1024)).Select(i => ($"X-Huge-{i}", new string('h', 1000)))]);

    /// <summary>Exactly these bytes, whatever they are.</summary>
    public static UpstreamAnswer Raw(string bytes, AfterAnswer after = AfterAnswer.KeepAlive) => new([new(Encoding.Latin1.GetBytes(bytes), null)], after);

    /// <summary>The same answer after an interim one, e.g. 103 (RFC 9110 §15.2).</summary>
    public UpstreamAnswer WithInterim(int status, params (string Name, string Value)[] headers) =>
        this with { Pieces = Pieces.Insert(0, new(Head(status, headers, ""), null)) };

    /// <summary>Nothing is sent before <paramref name="gate"/> completes.</summary>
    public UpstreamAnswer HeldUntil(Task gate) => HeldUntil(gate, piece: 0);

    /// <summary>The head is sent at once, the body not before <paramref name="gate"/> completes.</summary>
    public UpstreamAnswer BodyHeldUntil(Task gate) => HeldUntil(gate, piece: 1);

    /// <summary>Piece number <paramref name="piece"/> (0 = head or interim) and what follows it wait for <paramref name="gate"/>.</summary>
    public UpstreamAnswer HeldUntil(Task gate, int piece)
    {
        var pieces = Pieces;
        while (pieces.Length <= piece)
        {
            pieces = pieces.Add(default);
        }

        return this with { Pieces = pieces.SetItem(piece, pieces[piece] with { Gate = gate }) };
    }

    public UpstreamAnswer Then(AfterAnswer after) => this with { After = after };

    private static byte[] Head(int status, (string Name, string Value)[] headers, string framing)
    {
        var head = new StringBuilder($"HTTP/1.1 {status} {(status == 200 ? "OK" : "Scripted")}\r\n");
        foreach (var (name, value) in headers)
        {
            head.Append(name).Append(": ").Append(value).Append("\r\n");
        }

        return Encoding.Latin1.GetBytes(head.Append(framing).Append("\r\n").ToString());
    }
}
