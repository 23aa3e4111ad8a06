using WebhookEdge.Configuration;

namespace WebhookEdge.Routes.Rules;

/// <summary>
/// What the words of routes.json mean, and whether they can be meant. Reports everything it finds, errors and warnings, without stopping at the first;
/// a value that was already reported is left out of further rules, so that one mistake is one line.
/// What a scheme's fields mean together is the signature compiler's, what YARP makes of clusters and transforms is YARP's.
/// </summary>
internal static class RoutesValidator
{
    public static IReadOnlyList<ConfigProblem> Validate(RoutesFile file, RoutesCatalogue catalogue)
    {
        var report = new RuleReport();
        var facts = new SchemeFacts(catalogue.CodeVerifiers);
        var edge = new EdgeRules(report, file, catalogue);
        var addresses = new AddressRules(report, file, catalogue);
        var schemes = new SchemeRules(report, file, catalogue, facts);
        var clusters = new ClusterRules(report, file, catalogue);
        edge.Edge();
        addresses.AddressSets();
        schemes.OwnSchemes();
        clusters.Clusters();
        if (file.Routes is { Count: > 0 } routes)
        {
            Routes(routes, report, catalogue, edge, addresses, clusters, new VerifyRules(report, file, catalogue, schemes, facts),
                new EventRules(report, facts));
        }
        else
        {
            report.Error("routes", "no routes", "a gateway without routes lets nothing through");
        }

        edge.ClientAddress(addresses.RoutesWithAddressRule);
        addresses.Unused();
        schemes.Unused();
        clusters.Unused();
        return report.Problems;
    }

    private static void Routes(
        Dictionary<string, RouteSpec> routes, RuleReport report, RoutesCatalogue catalogue, EdgeRules edge, AddressRules addresses, ClusterRules clusters,
        VerifyRules verify, EventRules replay)
    {
        var rules = new RouteRules(report, catalogue);
        var transforms = new TransformRules(report);
        foreach (var (id, route) in routes)
        {
            var path = JsonPath.Key("routes", id);
            if (!Grammar.IsRouteId(id))
            {
                report.Error(path, "not a route id", "letters, digits, - . _, at most 64; the id stands in headers, logs and metrics");
            }

            rules.RoutePath(path, route);
            rules.HostsAndMethods(path, route);
            clusters.Target(path, route);
            var preset = verify.Provider(path, route);
            var schemes = verify.Verify(path, route, preset);
            verify.PublicUrl(path, schemes);
            addresses.Allow(path, id, route, preset);
            replay.Replay(path, route, preset, schemes);
            replay.Freshness(path, route, schemes);
            rules.RateLimit(path, route);
            edge.BodyCap($"{path}.maxBody", route.MaxBody);
            replay.Encodings(path, route, preset, schemes);
            rules.Timeout(path, route, preset);
            transforms.Judge(path, route);
            rules.ForwardHeaders(path, route);
            rules.Refuse(path, route);
            rules.Handshake(path, route, preset);
        }

        replay.RoutesByBodyAlone();
        rules.SamePlace(routes);
    }
}
