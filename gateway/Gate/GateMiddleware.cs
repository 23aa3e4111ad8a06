using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.ObjectPool;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using WebhookEdge.Observability;
using WebhookEdge.Verdicts;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace WebhookEdge.Gate;

/// <summary>
/// The request path, top to bottom: route, open, decide, refuse or admit, forward (holding while the upstream refuses connections), settle, record.
/// First step inside YARP's pipeline, so every proxied endpoint passes here and no route can skip it.
/// </summary>
internal sealed class GateMiddleware(RequestDelegate next, VerdictWriter writer, Capacity capacity, UnroutedBudget unrouted, GatewayMetrics metrics, LogThrottle throttle, TimeProvider time, ILogger<GateMiddleware> logger)
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly ObjectPool<Delivery> _deliveries = new DefaultObjectPool<Delivery>(new DeliveryPoolPolicy(), maximumRetained: 1024);

    public async Task InvokeAsync(HttpContext context)
    {
        var startedAt = time.GetTimestamp();

        // The rules of the very route that matched, of the revision it matched in.
        var policy = context.GetEndpoint()?.Metadata.GetMetadata<RoutePolicy>();
        var request = context.Features.GetRequiredFeature<IHttpRequestFeature>();
        if (policy is null || !RawTarget.Matches(policy, request.RawTarget))
        {
            await writer.RejectAsync(context, null, unrouted.Judge(context, RawTarget.Refuse(request.Method, request.RawTarget)), startedAt);
            return;
        }

        var delivery = _deliveries.Get();
        var entered = false;
        try
        {
            Open(context, request, delivery, policy);
            delivery.Begin(metrics, time, startedAt);
            entered = capacity.TryEnter(delivery);
            var verdict = entered
                ? await DecideAsync(context, delivery)
                : Verdict.Reject(RejectReason.Overloaded, delivery.Holding.Shortage, RetryAfter);
            if (verdict.Passed)
            {
                delivery.HasPassed();
                verdict = await ForwardAsync(context, delivery);
            }

            if (verdict.Passed)
            {
                writer.Forwarded(context, delivery, OutcomeOf(delivery), startedAt);
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
        finally
        {
            await CloseAsync(context, delivery, entered);
        }
    }

    private static void Open(HttpContext context, IHttpRequestFeature request, Delivery delivery, RoutePolicy policy)
    {
        var headers = request.Headers;
#pragma warning disable RS0030 // The resolver is asked right here; this is the peer it starts from.
        var client = policy.Addresses.Resolve(context.Connection.RemoteIpAddress, headers);
#pragma warning restore RS0030
        delivery.Open(policy, request.Method, request.RawTarget, client, headers, headers.ContentLength, context.Request.BodyReader);

        // Kestrel moves a Content-Length that came beside Transfer-Encoding to X-Content-Length (RFC 9112 §6.3 lets it); one of the two servers
        // that read such a request is always wrong, so it goes no further. Neither does a coding besides chunked, which Kestrel would leave on the
        // body, nor Connection: upgrade, after which it takes everything that follows for the body.
        delivery.Ambiguous = headers.ContainsKey(HeaderNames.Upgrade)
            || (headers.TransferEncoding.Count > 0 && (headers.ContentLength is not null || headers.ContainsKey("X-Content-Length") || !IsChunkedAlone(headers.TransferEncoding)))
            || (headers.Connection.Count > 0 && context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true })
            || HttpMethods.IsConnect(request.Method);

        // YARP's own per-route limit has no effect once a middleware has read the body; the server's has.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            // The server counts the framing of chunks as well, six bytes for a body byte at worst; PayloadCheck counts the body alone.
            limit.MaxRequestBodySize = headers.ContentLength is null ? (policy.BodyLimit * 6) + 1024 : policy.BodyLimit;
        }
    }

    private static bool IsChunkedAlone(StringValues codings) => codings.Count == 1 && string.Equals(codings[0], "chunked", StringComparison.OrdinalIgnoreCase);

    private async ValueTask<Verdict> DecideAsync(HttpContext context, Delivery delivery)
    {
        try
        {
            return await delivery.Policy.DecideAsync(delivery, context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return Verdict.Reject(RejectReason.BodyIncomplete, "the sender hung up");
        }
        catch (Exception e)
        {
            logger.CheckFailed(e, delivery.Policy.RouteId, context.TraceIdentifier);
            return Verdict.Reject(RejectReason.CheckFailed, e.GetType().Name);
        }
    }

    /// <summary>Passes when the upstream's answer, whatever it is, is on its way to the sender.</summary>
    private async ValueTask<Verdict> ForwardAsync(HttpContext context, Delivery delivery)
    {
        if (delivery.WouldRefuse != RejectReason.NotDecided)
        {
            writer.Observed(context, delivery);
        }

        var remaining = delivery.Policy.Timeout - time.GetElapsedTime(delivery.BodyCompletedAt);
        var deadline = delivery.Deadline ??= new(Timeout.InfiniteTimeSpan, time);
        deadline.CancelAfter(remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero);

        // From here on the delivery does not hang on the sender's connection: one that hangs up must not cancel work the upstream has begun.
        // YARP takes RequestAborted as its reason to stop; now that is the route's time alone.
        delivery.Admission.Begin(context.Features, deadline.Token);

        List<DestinationState>? refused = null;
        while (true)
        {
            await next(context);

            var error = context.GetForwarderErrorFeature();
            if (error is null || delivery.UpstreamStatus != 0)
            {
                return AfterAnswer(context, delivery, error);
            }

            if (delivery.Sent || error.Error == ForwarderError.RequestCreation)
            {
                return deadline.IsCancellationRequested || error.Error == ForwarderError.RequestTimedOut
                    ? Verdict.Reject(RejectReason.UpstreamTimeout, null, RetryAfter)
                    : Verdict.Reject(RejectReason.UpstreamFailed, null, RetryAfter);
            }

            // Nothing was sent, so trying again cannot make a copy: at another destination at once, and when each has refused after a pause.
            // Holding here costs the provider no failed attempt.
            var tried = context.GetReverseProxyFeature().ProxiedDestination;
            if (tried is not null)
            {
                (refused ??= []).Add(tried);
            }

            if (deadline.IsCancellationRequested)
            {
                return Verdict.Reject(RejectReason.UpstreamUnreachable, null, RetryAfter);
            }

            if (StartOver(context, refused))
            {
                logger.TryingAnother(tried?.DestinationId, delivery.Policy.RouteId, error.Error.ToString(), context.TraceIdentifier);
            }
            else
            {
                if (!await PauseAsync(deadline.Token))
                {
                    return Verdict.Reject(RejectReason.UpstreamUnreachable, null, RetryAfter);
                }

                delivery.Hold();
                if (throttle.Allows(delivery.Policy.LogLines.Holding(delivery.Policy.RouteId)))
                {
                    logger.Holding(delivery.Policy.RouteId, error.Error.ToString(), context.TraceIdentifier);
                }

                refused?.Clear();
                StartOver(context, refused);
            }
        }
    }

    private static Verdict AfterAnswer(HttpContext context, Delivery delivery, IForwarderErrorFeature? error)
    {
        // A redirect would send the event somewhere the configuration does not name; 1xx is no answer.
        if (delivery.UpstreamStatus is >= 300 and < 400 or < 200 or > 599)
        {
            return Verdict.Reject(RejectReason.UpstreamFailed, "redirect, or no status an answer may have", RetryAfter);
        }

        // The upstream said no or yes and then broke off before the first byte of its body: the status is known, the answer is not.
        return error is null || context.Response.HasStarted
            ? Verdict.Pass
            : Verdict.Reject(RejectReason.UpstreamFailed, "the answer broke off", RetryAfter);
    }

    private async ValueTask<bool> PauseAsync(CancellationToken cancellationToken)
    {
        try
        {
            // Spread out, so that a thousand held deliveries do not knock at the same moment.
            var pause = ShortestPause + ((LongestPause - ShortestPause) * Random.Shared.NextDouble());
            await Task.Delay(pause, time, cancellationToken);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Makes the request ready for another attempt, at a destination not among <paramref name="refused"/>. False when none of the available ones is left.</summary>
    private static bool StartOver(HttpContext context, List<DestinationState>? refused)
    {
        context.Response.Clear();
        context.Features.Set<IForwarderErrorFeature>(null);

        // Load balancing narrowed the list to the destination that refused; choose anew, among those that are healthy by now. The one that
        // refused is left out: a policy with a favourite would choose it again and again.
        var proxy = context.GetReverseProxyFeature();
        var available = proxy.Route.Cluster?.DestinationsState.AvailableDestinations ?? proxy.AllDestinations;
        proxy.ProxiedDestination = null;
        if (refused is not { Count: > 0 })
        {
            proxy.AvailableDestinations = available;
            return available.Count > 0;
        }

        var untried = new List<DestinationState>(available.Count);
        foreach (var destination in available)
        {
            if (!refused.Contains(destination))
            {
                untried.Add(destination);
            }
        }

        proxy.AvailableDestinations = untried;
        return untried.Count > 0;
    }

    private static ForwardOutcome OutcomeOf(Delivery delivery) => new(delivery.UpstreamStatus, delivery.Watch?.Trace ?? default);

    private async ValueTask CloseAsync(HttpContext context, Delivery delivery, bool entered)
    {
        if (delivery.Sent)
        {
            var sent = delivery.WhenSent();
            if (!sent.IsCompleted)
            {
                await delivery.Deadline!.CancelAsync();
                await sent;
            }
        }

        // Settled without any token of the request: a sender that hangs up mid-forward must not leave its key pending until the lease ends.
        if (delivery.Claim is { } claim)
        {
            delivery.Claim = null;
            try
            {
                await claim.SettleAsync(OutcomeOf(delivery));
            }
            catch (Exception e)
            {
                logger.SettleFailed(e, delivery.Policy.RouteId, delivery.EventKey);
            }
        }

        // Kestrel cannot drain a body that is still being read: the next request on the connection would fail.
        try
        {
            delivery.ReturnBody();
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

        delivery.Admission.End(context.Features);
        _deliveries.Return(delivery);
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
