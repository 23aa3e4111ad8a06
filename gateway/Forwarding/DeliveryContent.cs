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

    public Delivery Delivery => delivery;

    protected override bool TryComputeLength(out long length)
    {
        length = delivery.Body.Length;
        return true;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        delivery.BeginSending();
        try
        {
            var body = delivery.Body;
            if (body.IsSingleSegment)
            {
                await GatheringStream.WriteAsync(stream, body.First, cancellationToken);
                return;
            }

            var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(body.Length, CoalesceUpTo));
            try
            {
                while (body.Length > 0)
                {
                    var part = body.Slice(0, Math.Min(body.Length, buffer.Length));
                    part.CopyTo(buffer);
                    await GatheringStream.WriteAsync(stream, buffer.AsMemory(0, (int)part.Length), cancellationToken);
                    body = body.Slice(part.End);
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
        finally
        {
            delivery.EndSending();
        }
    }
}
