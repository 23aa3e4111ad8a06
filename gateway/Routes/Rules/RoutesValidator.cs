using WebhookEdge.Configuration;

namespace WebhookEdge.Routes.Rules;

/// <summary>
/// What the words of routes.json mean, and whether they can be meant. Reports everything it finds, errors and warnings, without stopping at the first;
/// a value that was already reported is left out of further rules, so that one mistake is one line.
/// What a scheme's fields mean together is the signature compiler's, what YARP makes of clusters and transforms is YARP's.
/// </summary>
internal static class RoutesValidator
{
    public static IReadOnlyList<ConfigProblem> Validate(RoutesFile file)
    {
        var report = new RuleReport();
        var edge = new EdgeRules(report, file);
        var addresses = new AddressRules(report, file);
        var schemes = new SchemeRules(report, file);
        var clusters = new ClusterRules(report, file);
        edge.Edge();
        addresses.AddressSets();
        schemes.OwnSchemes();
        clusters.Clusters();
        if (file.Routes is { Count: > 0 } routes)
        {
            Routes([.. routes.Select(route => ResolvedRoute.Of(file, route.Key, route.Value))], report, edge, addresses, clusters,
                new VerifyRules(report, file, schemes));
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

    private static void Routes(List<ResolvedRoute> routes, RuleReport report, EdgeRules edge, AddressRules addresses, ClusterRules clusters,
        VerifyRules verify)
    {
        var rules = new RouteRules(report);
        var events = new EventRules(report);
        var transforms = new TransformRules(report);
        foreach (var route in routes)
        {
            if (!RoutesSyntax.IsRouteId(route.Id))
            {
                report.Error(route.Place, "not a route id", "letters, digits, - . _, at most 64; the id stands in headers, logs and metrics");
            }

            rules.RoutePath(route);
            rules.HostsAndMethods(route);
            clusters.Target(route);
            verify.Provider(route);
            verify.Verify(route);
            verify.PublicUrl(route);
            addresses.Allow(route);
            events.Replay(route);
            events.Freshness(route);
            rules.RateLimit(route);
            edge.BodyCap($"{route.Place}.maxBody", route.Written.MaxBody);
            events.Encodings(route);
            rules.Timeout(route);
            transforms.Judge(route);
            rules.ForwardHeaders(route);
            rules.Refuse(route);
            rules.Handshake(route);
        }

        events.RoutesByBodyAlone();
        rules.SamePlace(routes);
    }
}
