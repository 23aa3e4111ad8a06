using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace WebhookEdge.Forwarding;

/// <summary>
/// Between the gate and load balancing: tries again while nothing was sent. A destination that refuses the connection makes place for another at once, and when
/// each has refused the delivery is held, within the route's time. What came of it is <see cref="ForwardPermit.Result"/>.
/// </summary>
internal sealed class HoldMiddleware(RequestDelegate next, LogThrottle throttle, TimeProvider time, ILogger<HoldMiddleware> logger)
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <exception cref="InvalidOperationException">The gate has not let the request pass.</exception>
    public async Task InvokeAsync(HttpContext context)
    {
        var delivery = ForwardPermit.Of(context.Features) ?? throw new InvalidOperationException("the gate has not let this request pass");

        // What follows is YARP's, which asks for the decoded name: a name that cannot be decoded makes it throw. It is told none; the app is told the name as
        // sent.
        if (HostText.MayBeEncoded(delivery.Host))
        {
            context.Request.Headers.Host = default;
        }

        List<DestinationState>? refused = null;
        while (true)
        {
            await next(context);

            var error = context.GetForwarderErrorFeature();
            if (Judge(context, delivery, error) is { } verdict)
            {
                delivery.Permit.Result = verdict;
                return;
            }

            // Nothing was sent, so trying again cannot make a copy: at another destination at once, and when each has refused after a pause.
            // Holding here costs the provider no failed attempt.
            var tried = context.GetReverseProxyFeature().ProxiedDestination;
            if (tried is not null)
            {
                (refused ??= []).Add(tried);
            }

            if (StartOver(context, refused))
            {
                if (throttle.Allows(delivery.Policy.LogLines.TryingAnother(delivery.Policy.RouteId)))
                {
                    logger.TryingAnother(tried?.DestinationId, delivery.Policy.RouteId, error!.Error.ToString(), context.TraceIdentifier);
                }

                continue;
            }

            if (!await PauseAsync(delivery.Permit.RequestAborted))
            {
                delivery.Permit.Result = Verdict.Reject(RejectReason.UpstreamUnreachable, null, RetryAfter);
                return;
            }

            delivery.Hold();
            if (throttle.Allows(delivery.Policy.LogLines.Holding(delivery.Policy.RouteId)))
            {
                logger.Holding(delivery.Policy.RouteId, error!.Error.ToString(), context.TraceIdentifier);
            }

            refused?.Clear();
            StartOver(context, refused);
        }
    }

    /// <summary>What an attempt came to; null when nothing was sent and there is time for another.</summary>
    private static Verdict? Judge(HttpContext context, Delivery delivery, IForwarderErrorFeature? error)
    {
        if (error is null || delivery.UpstreamStatus != 0)
        {
            return AfterAnswer(context, delivery, error);
        }

        var late = delivery.Permit.RequestAborted.IsCancellationRequested;
        if (delivery.Sent || error.Error == ForwarderError.RequestCreation)
        {
            return Verdict.Reject(late || error.Error == ForwarderError.RequestTimedOut ? RejectReason.UpstreamTimeout : RejectReason.UpstreamFailed, null,
                RetryAfter);
        }

        return late ? Verdict.Reject(RejectReason.UpstreamUnreachable, null, RetryAfter) : null;
    }

    private static Verdict AfterAnswer(HttpContext context, Delivery delivery, IForwarderErrorFeature? error)
    {
        if (!ForwardOutcome.IsPassedOn(delivery.UpstreamStatus))
        {
            return Verdict.Reject(RejectReason.UpstreamFailed, "redirect, or no status an answer may have", RetryAfter);
        }

        // The upstream said no or yes and then broke off: the status is known, the answer is not. A sender that does not take its answer is none of the
        // upstream's doing.
        return error is null || (error.Error == ForwarderError.ResponseBodyClient && context.Response.HasStarted)
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

    /// <summary>
    /// Makes the request ready for another attempt, at a destination not among <paramref name="refused"/>. False when none of the available ones is left.
    /// </summary>
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
}
