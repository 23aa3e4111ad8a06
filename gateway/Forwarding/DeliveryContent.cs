using System.Buffers;
using System.Net;
using WebhookEdge.Gate;

namespace WebhookEdge.Forwarding;

/// <summary>
/// The body of the outgoing request: the very bytes that were verified, written from the server's own buffers. The length is exact, so the upstream
/// always gets Content-Length and never a chunked body; nothing is consumed, so the same content can be sent again after a refused connection.
/// </summary>
internal sealed class DeliveryContent(Delivery delivery) : HttpContent
{
    // Larger bodies come in segments; one write, and so one system call, for each would cost more than this copy.
    private const int CoalesceUpTo = 64 * 1024;

    protected override bool TryComputeLength(out long length)
    {
        length = delivery.Body.Length;
        return true;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        var given = delivery.BeginSending();
        try
        {
            var body = delivery.Body;
            if (body.IsSingleSegment)
            {
                await WriteAsync(stream, body.First, given, cancellationToken);
                return;
            }

            var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(body.Length, CoalesceUpTo));
            while (body.Length > 0)
            {
                var part = body.Slice(0, Math.Min(body.Length, buffer.Length));
                part.CopyTo(buffer);
                await WriteAsync(stream, buffer.AsMemory(0, (int)part.Length), given, cancellationToken);
                body = body.Slice(part.End);
            }

            // Not after a fault: a write that was given up may still be reading it.
            ArrayPool<byte>.Shared.Return(buffer);
        }
        finally
        {
            delivery.Sending.End();
        }
    }

    /// <summary>
    /// The token that ends a write is the delivery's own. That of the HTTP client is gone with the answer: an upstream over HTTP/2 may answer in full, read no
    /// more and never reset the stream, and such a write would wait for ever. Only a write that has to wait listens to the client's as well.
    /// </summary>
    private static async ValueTask WriteAsync(Stream stream, ReadOnlyMemory<byte> part, CancellationTokenSource given, CancellationToken clients)
    {
        clients.ThrowIfCancellationRequested();
        var pending = GatheringStream.WriteAsync(stream, part, given.Token);
        if (pending.IsCompletedSuccessfully)
        {
            pending.GetAwaiter().GetResult();
            return;
        }

        using (clients.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), given))
        {
            if (IsOverHttp2(stream))
            {
                await stream.FlushAsync(given.Token);
            }

            await pending;
        }
    }

    /// <summary>
    /// Over HTTP/2 the client keeps a request's head back until there is body to send with it. An app whose streams begin without a window opens one when it
    /// sees the head, so neither would ever go on. Over HTTP/1.1 the same call would meet the write that is waiting.
    /// </summary>
    private static bool IsOverHttp2(Stream stream) => stream.GetType().Name == "Http2WriteStream";
}
