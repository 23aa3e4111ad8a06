using WebhookEdge.Gate;
using Yarp.ReverseProxy.Model;

namespace WebhookEdge.Routes;

/// <summary>What requests really meet: the endpoints that routing holds now, each with the policy it was made with.</summary>
internal sealed class PublishedEndpoints(IServiceProvider services)
{
    /// <summary>Each route's endpoint with the policy it carries.</summary>
    public IEnumerable<(string RouteId, Endpoint Endpoint, RoutePolicy? Policy)> All()
    {
        foreach (var endpoint in services.GetRequiredService<EndpointDataSource>().Endpoints)
        {
            if (endpoint.Metadata.GetMetadata<RouteModel>() is { } route)
            {
                yield return (route.Config.RouteId, endpoint, endpoint.Metadata.GetMetadata<RoutePolicy>());
            }
        }
    }

    /// <summary>
    /// Ids of routes whose endpoint does not carry the policy object of <paramref name="snapshot"/>, or that have none; empty when what is said to be in
    /// force is in force. YARP keeps an endpoint while its RouteConfig is equal, so a policy that changed without its fingerprint would show here.
    /// </summary>
    public IReadOnlyList<string> Strays(GatewaySnapshot snapshot)
    {
        var served = new Dictionary<string, RoutePolicy?>(StringComparer.Ordinal);
        foreach (var (id, _, policy) in All())
        {
            served[id] = policy;
        }

        return [.. snapshot.Routes.Select(static r => r.RouteId).Union(served.Keys)
            .Where(id => !ReferenceEquals(served.GetValueOrDefault(id), snapshot.Policies.GetValueOrDefault(id)))];
    }
}
