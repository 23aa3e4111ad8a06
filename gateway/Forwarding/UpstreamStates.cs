using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Model;

namespace WebhookEdge.Forwarding;

/// <summary>One destination of a route as YARP sees it now.</summary>
/// <param name="Active">What active checks say: unknown (none configured, or not asked yet), healthy, unhealthy.</param>
/// <param name="Passive">The same of passive checks.</param>
/// <param name="Available">Deliveries may be sent there.</param>
/// <param name="InFlight">Requests under way to it.</param>
internal sealed record UpstreamState(string Id, string Address, string Active, string Passive, bool Available, int InFlight);

/// <summary>Where a route's deliveries go, and whether anybody is there.</summary>
internal sealed class UpstreamStates(IProxyStateLookup lookup)
{
    /// <summary>The destinations of <paramref name="routeId"/> in the revision in force; none for a route YARP does not know.</summary>
    public IReadOnlyList<UpstreamState> Of(string routeId)
    {
        if (!lookup.TryGetRoute(routeId, out var route) || route.Cluster is not { } cluster)
        {
            return [];
        }

        var available = cluster.DestinationsState.AvailableDestinations;
        return
        [
            .. cluster.Destinations.Values.OrderBy(static d => d.DestinationId, StringComparer.Ordinal).Select(destination => new UpstreamState(
                destination.DestinationId, Shown(destination.Model?.Config.Address), Word(destination.Health.Active), Word(destination.Health.Passive),
                available.Contains(destination), destination.ConcurrentRequestCount)),
        ];
    }

    /// <summary>Without user and password.</summary>
    private static string Shown(string? address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri)
        ? uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped) : "";

    private static string Word(DestinationHealth health) => health switch
    {
        DestinationHealth.Healthy => "healthy",
        DestinationHealth.Unhealthy => "unhealthy",
        _ => "unknown",
    };
}
