using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using WebhookEdge.Gate;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Ingress;

/// <summary>
/// Reads the whole body once, within the route's cap, and leaves it in the server's own buffers: examined, so that the sender may go on
/// sending, and not consumed, so that the same bytes are hashed and forwarded. Kestrel's back-pressure counts examined bytes, so bodies beyond
/// its request buffer (1 MiB) do not deadlock.
/// </summary>
internal sealed class PayloadCheck(Capacity capacity, TimeProvider time) : IGateCheck
{
    /// <summary>A sender that has started must be done within this, whatever its data rate.</summary>
    public static readonly TimeSpan BodyDeadline = TimeSpan.FromSeconds(15);

    /// <summary>Bodies up to this many bytes are hashed on the thread they arrived on: about 50 µs at most.</summary>
    private const int LargestInline = 64 * 1024;

    public Stage Stage => Stage.Payload;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        // A small body has nearly always arrived with its head: no timer, no asynchrony.
        try
        {
            var pending = delivery.BodyReader.ReadAsync(CancellationToken.None);
            if (!pending.IsCompletedSuccessfully)
            {
                return ReadRestAsync(delivery, pending);
            }

            var result = pending.Result;
            return result.IsCompleted && result.Buffer.Length <= LargestInline ? new(Accept(delivery, result.Buffer)) : ReadRestAsync(delivery, new(result));
        }
        catch (Exception e) when (BrokenBody.Is(e))
        {
            // Also of a body that came whole: over HTTP/2 another request's fault ends the connection, and with it this one's reader.
            return new(BrokenBody.Refuse(delivery, e));
        }
    }

    private Verdict Accept(Delivery delivery, ReadOnlySequence<byte> body)
    {
        var verdict = Count(delivery, body.Length);
        if (verdict.Passed && delivery.SharesConnection && !TryExamine(delivery.BodyReader, ref body))
        {
            return Verdict.Reject(RejectReason.BodyIncomplete, "the sender hung up");
        }

        if (verdict.Passed)
        {
            delivery.HoldBody(body);
            delivery.BodyCompletedAt = time.GetTimestamp();
        }
        else
        {
            GiveBack(delivery, body);
        }

        return verdict;
    }

    /// <summary>
    /// Tells the server that all of a complete body was looked at, and opens the same read anew. Over HTTP/2 the sender may send on what was looked at alone,
    /// for all requests of the connection together: held without this, 64 bodies of 16 KB would stop every other one until your app has answered.
    /// </summary>
    private static bool TryExamine(PipeReader reader, ref ReadOnlySequence<byte> body)
    {
        if (body.IsEmpty)
        {
            return true;
        }

        reader.AdvanceTo(body.Start, body.End);
        var read = reader.TryRead(out var again);
        body = again.Buffer;
        return read;
    }

    /// <summary>Lets go of what was read of a body that is refused, so that the server can drain the rest.</summary>
    private static void GiveBack(Delivery delivery, ReadOnlySequence<byte> body)
    {
        try
        {
            delivery.BodyReader.AdvanceTo(body.End);
        }
        catch (Exception e) when (BrokenBody.Is(e))
        {
            // The server counts what is given back, and the sender may have left meanwhile; refused it is already.
            delivery.BodyBroken = true;
        }
    }

    private Verdict Count(Delivery delivery, long length)
    {
        // The server enforces the same cap while it reads; counted again here so that the cap does not hang on one setting.
        if (length > delivery.Policy.BodyLimit)
        {
            return Verdict.Reject(RejectReason.BodyTooLarge, "counted length");
        }

        return capacity.TryReserve(delivery, length - delivery.ReservedBytes)
            ? Verdict.Pass
            : Verdict.Reject(RejectReason.Overloaded, delivery.Holding.Shortage, TimeSpan.FromSeconds(1));
    }

    private async ValueTask<Verdict> ReadRestAsync(Delivery delivery, ValueTask<ReadResult> pending)
    {
        var reader = delivery.BodyReader;

        // CancelPendingRead rather than a token: it can be aimed at a read that is under way already. None is needed for a sender that leaves: the server
        // ends the read then, and says how the body broke.
        using var deadline = new CancellationTokenSource(BodyDeadline, time);
        using var onDeadline = deadline.Token.UnsafeRegister(static state => BrokenBody.EndRead((PipeReader)state!), reader);

        // From here on it may be given up to make room, by way of the deadline.
        capacity.Bodies.Begin(delivery.Holding, deadline);
        try
        {
            while (true)
            {
                var result = await pending;
                if (result.IsCompleted)
                {
                    capacity.Bodies.End(delivery.Holding);
                    if (result.Buffer.Length > LargestInline)
                    {
                        // What follows hashes the whole body. This may be a thread that other connections' bytes arrive on.
                        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                    }

                    return Accept(delivery, result.Buffer);
                }

                if (result.IsCanceled && !deadline.IsCancellationRequested)
                {
                    // A server that is about to stop ends the reads of its connections once; the requests under way are to finish.
                    reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
                    pending = reader.ReadAsync(CancellationToken.None);
                    continue;
                }

                if (deadline.IsCancellationRequested)
                {
                    GiveBack(delivery, result.Buffer);
                    delivery.BodyBroken = true;
                    return delivery.Holding.IsShed
                        ? Verdict.Reject(RejectReason.Overloaded, Capacity.GivenUp, TimeSpan.FromSeconds(1))
                        : Verdict.Reject(RejectReason.BodyIncomplete, "body deadline");
                }

                var verdict = Count(delivery, result.Buffer.Length);
                if (!verdict.Passed)
                {
                    GiveBack(delivery, result.Buffer);
                    return verdict;
                }

                delivery.Holding.Received = delivery.ReservedBytes;
                reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
                pending = reader.ReadAsync(CancellationToken.None);
            }
        }
        catch (Exception e) when (BrokenBody.Is(e))
        {
            return BrokenBody.Refuse(delivery, e);
        }
        finally
        {
            capacity.Bodies.End(delivery.Holding);
        }
    }
}
