using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.ObjectPool;
using WebhookEdge.Observability;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>
/// The request path, top to bottom: route, open, decide, refuse or admit, forward (what follows in the pipeline), settle, record.
/// First step inside YARP's pipeline, so every proxied endpoint passes here and no route can skip it.
/// </summary>
internal sealed class GateMiddleware(RequestDelegate next, VerdictWriter writer, OutcomeRecorder recorder, LastResort lastResort, Capacity capacity,
    UnroutedBudget unrouted, GatewayMetrics metrics, LogThrottle throttle, TimeProvider time, ILogger<GateMiddleware> logger)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>How long an upload that was told to stop may take to do so.</summary>
    private static readonly TimeSpan LongestFarewell = TimeSpan.FromSeconds(5);

    private readonly ObjectPool<Delivery> _deliveries = new DefaultObjectPool<Delivery>(new DeliveryPoolPolicy(), maximumRetained: 1024);

    // With its stack trace the line is long; the line of the refusal itself names each request.
    private readonly LogInterval _checkFaults = new(time, TimeSpan.FromSeconds(10));

    /// <summary>Lets no exception out: the outermost step relies on it.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        if (ForwardPermit.Of(context.Features) is not null)
        {
            // An event that was judged when it came, on a context of our own making. What comes over a connection has no permit before it leaves here.
            await next(context);
            return;
        }

        var startedAt = time.GetTimestamp();
        Delivery? delivery = null;
        var entered = false;
        try
        {
            // The rules of the very route that matched, of the revision it matched in.
            var policy = context.GetEndpoint()?.Metadata.GetMetadata<RoutePolicy>();
            var request = context.Features.GetRequiredFeature<IHttpRequestFeature>();
            if (policy is null)
            {
                await writer.RejectAsync(context, null, unrouted.Judge(context, RawTarget.Refuse(request.Method, request.RawTarget)), startedAt);
                return;
            }

            delivery = _deliveries.Get();
            var target = RawTarget.OriginForm(request.RawTarget, request.Headers.Host.ToString());
            Open(context, request, target ?? request.RawTarget, delivery, policy);
            delivery.Begin(metrics, time, startedAt);
            var verdict = RawTarget.Judge(policy, request.Method, target);
            if (verdict.Passed)
            {
                entered = capacity.TryEnter(delivery);
                verdict = entered
                    ? await DecideAsync(context, delivery)
                    : Verdict.Reject(RejectReason.Overloaded, delivery.Holding.Shortage, RetryAfter);
            }
            else
            {
                verdict = unrouted.Judge(context, verdict);
            }

            if (verdict.Passed)
            {
                delivery.HasPassed();
                BeginForward(context, delivery);
                await next(context);
                verdict = delivery.Permit.Result;
            }

            if (verdict.Passed)
            {
                recorder.Forwarded(context, delivery, OutcomeOf(delivery), startedAt);
            }
            else if (verdict.Answer is { } answer)
            {
                await writer.AnswerAsync(context, delivery, answer, startedAt);
            }
            else
            {
                await writer.RejectAsync(context, delivery, verdict, startedAt);
            }
        }
        catch (Exception e)
        {
            await lastResort.AnswerAsync(context, delivery, e, startedAt);
        }
        finally
        {
            try
            {
                if (delivery is not null)
                {
                    await CloseAsync(context, delivery, entered);
                }
            }
            catch (Exception e)
            {
                lastResort.CloseFailed(context, e);
            }
        }
    }

    private static void Open(HttpContext context, IHttpRequestFeature request, string target, Delivery delivery, RoutePolicy policy)
    {
        var headers = request.Headers;
#pragma warning disable RS0030 // The resolver is asked right here; this is the peer it starts from.
        var peer = context.Connection.RemoteIpAddress;
#pragma warning restore RS0030

        // Kestrel takes everything that follows Connection: upgrade for the body. Nothing is upgraded here, so such a request has no body, and what follows is
        // the next request.
        var bodyless = headers.Connection.Count > 0 && context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true };
        delivery.Open(
            policy, request.Method, target, policy.Addresses.Resolve(peer, headers), headers,
            bodyless ? 0 : headers.ContentLength, bodyless ? PipeReader.Create(ReadOnlySequence<byte>.Empty) : context.Request.BodyReader);
        delivery.FromTrustedProxy = policy.Addresses.IsTrustedProxy(peer);
        delivery.SharesConnection = HttpProtocol.IsHttp2(context.Request.Protocol);
        delivery.Ambiguous = RequestFraming.IsAmbiguous(request.Method, headers, delivery.SharesConnection, HttpProtocol.IsHttp10(context.Request.Protocol));

        // Over HTTP/2 the server ends the whole connection for one body that comes too slowly, and with it the other senders behind the same proxy. The
        // deadline of PayloadCheck ends the one.
        if (delivery.SharesConnection && context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }

        // YARP's own per-route limit has no effect once a middleware has read the body; the server's has.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            // The server counts the framing of chunks as well, six bytes for a body byte at worst; PayloadCheck counts the body alone.
            limit.MaxRequestBodySize = headers.ContentLength is null ? (policy.BodyLimit * 6) + 1024 : policy.BodyLimit;
        }
    }

    private async ValueTask<Verdict> DecideAsync(HttpContext context, Delivery delivery)
    {
        try
        {
            return await delivery.Policy.DecideAsync(delivery, context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The body is PayloadCheck's affair: whoever comes here left while the request waited for something else.
            return Verdict.Reject(RejectReason.SenderHungUp);
        }
        catch (Exception e)
        {
            if (_checkFaults.TryEnter(out var unsaid))
            {
                logger.CheckFailed(e, delivery.Policy.RouteId, context.TraceIdentifier, unsaid);
            }

            return Verdict.Reject(RejectReason.CheckFailed, e.GetType().Name);
        }
    }

    /// <summary>Gives the delivery its permit and its time.</summary>
    private void BeginForward(HttpContext context, Delivery delivery)
    {
        if (delivery.WouldRefuse != RejectReason.NotDecided)
        {
            recorder.Observed(context, delivery);
        }

        var remaining = delivery.Policy.Timeout - time.GetElapsedTime(delivery.BodyCompletedAt);
        var deadline = delivery.Deadline ??= new(Timeout.InfiniteTimeSpan, time);
        deadline.CancelAfter(remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero);

        // From here on the delivery does not hang on the sender's connection: one that hangs up must not cancel work the upstream has begun.
        // YARP takes RequestAborted as its reason to stop; now that is the route's time alone.
        delivery.Permit.Begin(context.Features, deadline.Token);
    }

    private static ForwardOutcome OutcomeOf(Delivery delivery) => new(delivery.UpstreamStatus, delivery.Trace?.Reference ?? default);

    /// <summary>Gives back what the delivery took. None of the steps can keep another from being taken.</summary>
    private async ValueTask CloseAsync(HttpContext context, Delivery delivery, bool entered)
    {
        if (delivery.Claim is not null)
        {
            await SettleAsync(delivery, delivery.Claim);
        }

        var reusable = !delivery.Sent || delivery.Sending.WhenDone() is not { IsCompleted: false } sent || await EndSendingAsync(context, delivery, sent);

        // Kestrel cannot drain a body that is still being read: the next request on the connection would fail.
        try
        {
            if (reusable)
            {
                delivery.ReturnBody();
            }
        }
        catch (Exception e)
        {
            // The server has given up the connection, and the buffers with it. What was taken from the gateway's bounds is given back all the same.
            logger.BodyNotReturned(e, delivery.Policy.RouteId, context.TraceIdentifier);
        }

        capacity.Release(delivery);
        if (entered)
        {
            capacity.Leave(delivery);
        }

        delivery.Permit.End(context.Features);
        if (reusable)
        {
            _deliveries.Return(delivery);
        }
        else
        {
            // The buffers may be read yet: the connection they came on ends, and nobody else is given the delivery.
            delivery.Abandon();
            context.Abort();
        }
    }

    /// <summary>
    /// An upstream may answer before it has read everything; the buffers must not go back to the server, and from there to another request, while they are
    /// still being sent. False when that could not be ended within <see cref="LongestFarewell"/>.
    /// </summary>
    private async ValueTask<bool> EndSendingAsync(HttpContext context, Delivery delivery, Task sent)
    {
        try
        {
            await delivery.Sending.Stop();
            await sent.WaitAsync(LongestFarewell, time);
            return true;
        }
        catch (Exception e)
        {
            logger.SendingNotEnded(e, delivery.Policy.RouteId, context.TraceIdentifier);
            return false;
        }
    }

    /// <summary>Settles without any token of the request: a sender that hangs up mid-forward must not leave its key pending until the lease ends.</summary>
    private async ValueTask SettleAsync(Delivery delivery, IDeliveryClaim claim)
    {
        delivery.Claim = null;
        try
        {
            await claim.SettleAsync(OutcomeOf(delivery));
        }
        catch (Exception e)
        {
            if (throttle.Allows(delivery.Policy.LogLines.SettleFailed(delivery.Policy.RouteId)))
            {
                logger.SettleFailed(e, delivery.Policy.RouteId, delivery.EventKeyText);
            }
        }
    }

    private sealed class DeliveryPoolPolicy : PooledObjectPolicy<Delivery>
    {
        public override Delivery Create() => new();

        public override bool Return(Delivery obj)
        {
            obj.Reset();
            return true;
        }
    }
}
