using System.Globalization;
using System.Text.Json;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.Routes.Rules;

/// <summary>Where requests go: YARP's clusters, and each route's way to one.</summary>
internal sealed class ClusterRules(RuleReport report, RoutesFile file)
{
    private readonly Dictionary<string, JsonElement> _clusters = file.Clusters ?? [];
    private readonly HashSet<string> _used = [];

    public void Clusters()
    {
        foreach (var (name, cluster) in _clusters)
        {
            var path = JsonPath.Key("clusters", name);
            if (!RoutesSyntax.IsName(name))
            {
                report.Error(path, "not a name for a cluster", "letters, digits, - . _, at most 64");
            }

            if (cluster.ValueKind != JsonValueKind.Object)
            {
                report.Error(path, "expected an object", "{ \"Destinations\": { \"a\": { \"Address\": \"http://…\" } } }");
                continue;
            }

            ClusterShape.Check(path, cluster, typeof(ClusterConfig), report.Problems);
            ClusterId(path, cluster);
            ConnectTimeout(path, cluster);
            Destinations(path, cluster);
            Certificates(path, cluster);
        }
    }

    private void ConnectTimeout(string path, JsonElement cluster)
    {
        if (Member(cluster, "Metadata") is not { Value.ValueKind: JsonValueKind.Object } metadata
            || Member(metadata.Value, "ConnectTimeout") is not { } written)
        {
            return;
        }

        var place = JsonPath.Key(JsonPath.Key(path, metadata.Name), written.Name);
        if (written.Value.ValueKind != JsonValueKind.String
            || written.Value.GetString() is not { } text
            || !text.Contains(':', StringComparison.Ordinal)
            || !TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var timeout)
            || timeout < TimeSpan.FromMilliseconds(50)
            || timeout > TimeSpan.FromMinutes(1))
        {
            report.Error(place, "not a time to connect in",
                "write hours:minutes:seconds between 00:00:00.05 and 00:01:00, e.g. \"00:00:03\"; the default is one second");
        }
    }

    private void ClusterId(string path, JsonElement cluster)
    {
        if (Member(cluster, "ClusterId") is { } id)
        {
            report.Error(JsonPath.Key(path, id.Name), "a cluster's id is its key here", "leave it out");
        }

        if (Member(cluster, "SessionAffinity") is { } affinity)
        {
            report.Error(JsonPath.Key(path, affinity.Name), "session affinity is not offered: webhook senders keep no cookies", "leave it out");
        }
    }

    private void Destinations(string path, JsonElement cluster)
    {
        if (Member(cluster, "Destinations") is not { Value: { ValueKind: JsonValueKind.Object } destinations } || !destinations.EnumerateObject().Any())
        {
            report.Error($"{path}.Destinations", "a cluster without destinations", "{ \"a\": { \"Address\": \"http://…\" } }");
            return;
        }

        foreach (var destination in destinations.EnumerateObject())
        {
            var place = JsonPath.Key($"{path}.Destinations", destination.Name);
            if (destination.Value.ValueKind != JsonValueKind.Object
                || Member(destination.Value, "Address") is not { Value.ValueKind: JsonValueKind.String } address)
            {
                report.Error($"{place}.Address", "a destination without an address", "write for example \"http://kyc.internal:8080/\"");
                continue;
            }

            if (OutboundUrl.UpstreamFault(address.Value.GetString()!) is { } fault)
            {
                report.Error(JsonPath.Key(place, address.Name), fault);
            }

            if (Member(destination.Value, "Health") is { Value.ValueKind: JsonValueKind.String } health
                && OutboundUrl.UpstreamFault(health.Value.GetString()!) is { } healthFault)
            {
                report.Error(JsonPath.Key(place, health.Name), healthFault);
            }
        }
    }

    private void Certificates(string path, JsonElement cluster)
    {
        if (Member(cluster, "HttpClient") is { Value.ValueKind: JsonValueKind.Object } client
            && Member(client.Value, "DangerousAcceptAnyServerCertificate") is { Value.ValueKind: JsonValueKind.True } accept)
        {
            report.Warn(JsonPath.Key(JsonPath.Key(path, client.Name), accept.Name), "anybody on the way to the upstream can pose as it");
        }
    }

    public void Target(ResolvedRoute route)
    {
        if (route.Written.Cluster is null == route.Written.Upstream is null)
        {
            report.Error(route.Place, route.Written.Cluster is null ? "nowhere to forward to" : "cluster and upstream both",
                "write exactly one of cluster and upstream");
        }

        if (route.Written.Cluster is { } cluster)
        {
            _used.Add(cluster);
            if (!_clusters.ContainsKey(cluster))
            {
                report.Error($"{route.Place}.cluster", $"unknown cluster {Quoted.Name(cluster)}",
                    NearestName.Hint(cluster, _clusters.Keys) ?? "define it under clusters");
            }
        }

        if (route.Written.Upstream is { } upstream && OutboundUrl.UpstreamFault(upstream) is { } fault)
        {
            report.Error($"{route.Place}.upstream", fault);
        }
    }

    private static JsonProperty? Member(JsonElement element, string name)
    {
        foreach (var property in element.EnumerateObject())
        {
            if (property.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return property;
            }
        }

        return null;
    }

    public void Unused()
    {
        foreach (var name in _clusters.Keys.Except(_used))
        {
            report.Warn(JsonPath.Key("clusters", name), "no route uses this cluster");
        }
    }
}
