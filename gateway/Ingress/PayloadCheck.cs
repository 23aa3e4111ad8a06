using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
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
        ValueTask<ReadResult> pending;
        try
        {
            pending = delivery.BodyReader.ReadAsync(CancellationToken.None);
        }
        catch (BadHttpRequestException e)
        {
            return new(Refuse(delivery, e));
        }

        if (!pending.IsCompletedSuccessfully)
        {
            return ReadRestAsync(delivery, pending, cancellationToken);
        }

        var result = pending.Result;
        return result.IsCompleted && result.Buffer.Length <= LargestInline ? new(Accept(delivery, result.Buffer)) : ReadRestAsync(delivery, new(result), cancellationToken);
    }

    private Verdict Accept(Delivery delivery, ReadOnlySequence<byte> body)
    {
        var verdict = Count(delivery, body.Length);
        if (verdict.Passed)
        {
            delivery.HoldBody(body);
            delivery.BodyCompletedAt = time.GetTimestamp();
        }
        else
        {
            delivery.BodyReader.AdvanceTo(body.End);
        }

        return verdict;
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

    private static Verdict Refuse(Delivery delivery, BadHttpRequestException e)
    {
        delivery.BodyBroken = true;
        return e.StatusCode switch
        {
            StatusCodes.Status413PayloadTooLarge => Verdict.Reject(RejectReason.BodyTooLarge, "counted length"),

            // A body of a declared length has no framing of its own that could be wrong: it can only end too early.
            StatusCodes.Status400BadRequest when delivery.DeclaredLength is not null => Verdict.Reject(RejectReason.BodyIncomplete, "the body was cut off"),
            StatusCodes.Status400BadRequest => Verdict.Reject(RejectReason.RequestMalformed, "chunk framing, or the body was cut off"),
            _ => Verdict.Reject(RejectReason.BodyIncomplete, "the body came too slowly"),
        };
    }

    private async ValueTask<Verdict> ReadRestAsync(Delivery delivery, ValueTask<ReadResult> pending, CancellationToken cancellationToken)
    {
        var reader = delivery.BodyReader;

        // CancelPendingRead rather than a token: it can be aimed at a read that is under way already.
        using var deadline = new CancellationTokenSource(BodyDeadline, time);
        using var onDeadline = deadline.Token.UnsafeRegister(static state => ((PipeReader)state!).CancelPendingRead(), reader);
        using var onAbort = cancellationToken.UnsafeRegister(static state => ((PipeReader)state!).CancelPendingRead(), reader);

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

                if (result.IsCanceled || deadline.IsCancellationRequested || cancellationToken.IsCancellationRequested)
                {
                    reader.AdvanceTo(result.Buffer.End);
                    delivery.BodyBroken = true;
                    return delivery.Holding.IsShed
                        ? Verdict.Reject(RejectReason.Overloaded, Capacity.GivenUp, TimeSpan.FromSeconds(1))
                        : Verdict.Reject(RejectReason.BodyIncomplete, "body deadline");
                }

                var verdict = Count(delivery, result.Buffer.Length);
                if (!verdict.Passed)
                {
                    reader.AdvanceTo(result.Buffer.End);
                    return verdict;
                }

                delivery.Holding.Received = delivery.ReservedBytes;
                reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
                pending = reader.ReadAsync(CancellationToken.None);
            }
        }
        catch (BadHttpRequestException e)
        {
            return Refuse(delivery, e);
        }
        catch (Exception e) when (e is ConnectionResetException or ConnectionAbortedException or IOException or OperationCanceledException)
        {
            return Verdict.Reject(RejectReason.BodyIncomplete, "the sender hung up");
        }
        finally
        {
            capacity.Bodies.End(delivery.Holding);
        }
    }
}
