using Microsoft.AspNetCore.Http.Features;
using WebhookEdge.Gate;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Routes;

/// <summary>
/// Delivers an event that no connection waits for, through the very pipeline that requests take behind the gate: holding, load balancing, health, transforms,
/// forwarding. The request it goes on is made here, with the delivery's facts and its <see cref="ForwardPermit"/>.
/// </summary>
internal sealed class ForwardPipeline(PublishedEndpoints endpoints, IServiceProvider services, TimeProvider time)
{
    /// <summary>The endpoint and the rules of a route as they are in force; null when there is no such route.</summary>
    public (Endpoint Endpoint, RoutePolicy Policy)? Find(string routeId)
    {
        foreach (var (id, endpoint, policy) in endpoints.All())
        {
            if (id == routeId && policy is not null)
            {
                return (endpoint, policy);
            }
        }

        return null;
    }

    /// <summary>
    /// Sends <paramref name="delivery"/>, which is open with the policy of <paramref name="endpoint"/> and holds its whole body. Its time is the route's, from
    /// now.
    /// </summary>
    /// <param name="endpoint">From <see cref="Find"/>.</param>
    /// <param name="requestId">What the app reads as X-Request-Id.</param>
    /// <param name="scheme">By which the sender's request came: http or https.</param>
    /// <param name="answer">Gets the body of the upstream's answer.</param>
    /// <returns>Passed when the upstream answered; what it said is <see cref="Delivery.UpstreamStatus"/>.</returns>
    /// <exception cref="OperationCanceledException">Ended from outside before there was an answer. Whether the upstream has taken the event is unknown when
    /// <see cref="Delivery.Sent"/>.</exception>
    public async Task<Verdict> ForwardAsync(Endpoint endpoint, Delivery delivery, string requestId, string scheme, Stream answer,
        CancellationToken cancellationToken)
    {
        var features = new FeatureCollection();
        var queryAt = delivery.RawTarget.IndexOf('?', StringComparison.Ordinal);
        features.Set<IHttpRequestFeature>(new HttpRequestFeature
        {
            Method = delivery.Method,
            Scheme = scheme,
            Protocol = HttpProtocol.Http11,
            RawTarget = delivery.RawTarget,
            Path = PathString.FromUriComponent(queryAt < 0 ? delivery.RawTarget : delivery.RawTarget[..queryAt]),
            QueryString = queryAt < 0 ? "" : delivery.RawTarget[queryAt..],
            Headers = delivery.Headers,
        });
        features.Set<IHttpResponseFeature>(new HttpResponseFeature());
        features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(answer));
        features.Set<IHttpRequestLifetimeFeature>(new HttpRequestLifetimeFeature());
        var context = new DefaultHttpContext(features) { RequestServices = services, TraceIdentifier = requestId };
        context.SetEndpoint(endpoint);

        delivery.BodyCompletedAt = time.GetTimestamp();
        using var timeout = new CancellationTokenSource(delivery.Policy.Timeout, time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        delivery.Permit.Begin(features, ended.Token);
        try
        {
            await endpoint.RequestDelegate!(context);
            if (delivery.UpstreamStatus == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            return delivery.Permit.Result;
        }
        finally
        {
            if (delivery.Sending.WhenDone() is { IsCompleted: false } sending)
            {
                // An upstream may answer before it has read everything; the body is the caller's again only when nobody reads it.
                await delivery.Sending.Stop();
                await sending;
            }

            delivery.Permit.End(features);
        }
    }
}
