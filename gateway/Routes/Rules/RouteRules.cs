using WebhookEdge.Configuration;
using WebhookEdge.Forwarding;
using WebhookEdge.Handshakes;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Routes.Rules;

/// <summary>The rest of a route: where it answers, how often, how long, with what headers and refusals.</summary>
internal sealed class RouteRules(RuleReport report)
{
    /// <summary>How long a stopping gateway waits for deliveries in flight.</summary>
    private static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(30);

    public void RoutePath(ResolvedRoute route)
    {
        if (route.Written.Path is null)
        {
            report.Error($"{route.Place}.path", "no path", "write for example \"/hooks/verisync\"");
        }
        else if (RoutesSyntax.PathFault(route.Written.Path) is { } fault)
        {
            report.Error($"{route.Place}.path", fault, "e.g. \"/hooks/verisync\" or \"/hooks/verisync/{**rest}\"");
        }
    }

    /// <summary>Routing ignores case and a final slash, so two routes that differ only there are one place with two rules.</summary>
    public void SamePlace(IReadOnlyList<ResolvedRoute> routes)
    {
        var taken = new Dictionary<(string Path, string Host), (string Id, string Path)>();
        foreach (var route in routes)
        {
            var written = route.Path;
            if (RoutesSyntax.PathFault(written) is not null)
            {
                continue;
            }

            var place = written.Length > 1 ? written.TrimEnd('/').ToLowerInvariant() : written;
            foreach (var host in route.Hosts.Count > 0 ? route.Hosts.Select(RoutesSyntax.AsciiHost).Distinct(StringComparer.OrdinalIgnoreCase) : [""])
            {
                if (taken.TryAdd((place, host.ToLowerInvariant()), (route.Id, written)))
                {
                    continue;
                }

                var (otherId, otherPath) = taken[(place, host.ToLowerInvariant())];
                report.Error(
                    $"{route.Place}.path",
                    otherPath == written
                        ? $"the same path{(host.Length == 0 ? "" : " and host")} as route {Quoted.Name(otherId)}"
                        : $"differs from the path of route {Quoted.Name(otherId)} only in case or a final slash, which routing ignores",
                    "a request must find exactly one route");
                break;
            }
        }
    }

    public void HostsAndMethods(ResolvedRoute route)
    {
        if (report.NotEmpty($"{route.Place}.hosts", route.Written.Hosts, "leave the key out for any host"))
        {
            for (var i = 0; i < route.Written.Hosts?.Count; i++)
            {
                if (!RoutesSyntax.IsHost(route.Written.Hosts[i]))
                {
                    report.Error(JsonPath.Item($"{route.Place}.hosts", i), "not a host name", "a name, *.name, or either with :port; no scheme, no path");
                }
            }

            report.Repeats($"{route.Place}.hosts", route.Written.Hosts);
        }

        if (report.NotEmpty($"{route.Place}.methods", route.Written.Methods, "leave the key out for POST"))
        {
            for (var i = 0; i < route.Written.Methods?.Count; i++)
            {
                Method(JsonPath.Item($"{route.Place}.methods", i), route.Written.Methods[i]);
            }

            report.Repeats($"{route.Place}.methods", route.Written.Methods);
        }
    }

    private void Method(string path, string method)
    {
        if (method is "CONNECT" or "TRACE")
        {
            report.Error(path, $"{method} is no way to deliver a webhook");
        }
        else if (!KnownNames.Methods.Contains(method))
        {
            report.Error(path, $"unknown method {Quoted.Name(method)}",
                KnownNames.Methods.Contains(method.ToUpperInvariant()) ? $"methods are case-sensitive: \"{method.ToUpperInvariant()}\""
                : NearestName.Hint(method, KnownNames.Methods));
        }
        else if (method is "GET" or "HEAD")
        {
            report.Warn(path, $"a {method} carries no body to sign, and browsers and crawlers send it unasked");
        }
    }

    public void RateLimit(ResolvedRoute route)
    {
        if (route.Written.RateLimit is not { } limit)
        {
            return;
        }

        var place = $"{route.Place}.rateLimit";
        if (limit.Route is null && limit.Address is null)
        {
            report.Error(place, "no budget", "write route, address or both");
        }

        Budget($"{place}.route", limit.Route);
        Budget($"{place}.address", limit.Address);
        if (limit.Address?.Queue is > 0)
        {
            report.Error($"{place}.address.queue", "strangers are not queued, they would fill the queue", "leave it out");
        }
    }

    private void Budget(string path, BudgetSpec? budget)
    {
        if (budget is null)
        {
            return;
        }

        if (budget.Permits is null)
        {
            report.Error($"{path}.permits", "no number of requests", "write for example 100");
        }

        if (budget.Window is null)
        {
            report.Error($"{path}.window", "no length of time", "write for example \"1s\"");
        }
    }

    public void Timeout(ResolvedRoute route)
    {
        if (route.Written.Timeout?.Value is { } written && written > LongestDrain && written <= TimeSpan.FromMinutes(5))
        {
            report.Warn($"{route.Place}.timeout", $"longer than the {LongestDrain.TotalSeconds:0} s that a stopping gateway waits for deliveries in flight",
                "keep it below, or expect some to be cut off by a restart");
        }

        if (route.Preset?.Retries?.Timeout is { } patience && route.Timeout >= patience.Value)
        {
            report.Warn(
                $"{route.Place}.timeout",
                $"{route.Preset.Title} hangs up after {patience}, and the route may take {new Duration(route.Timeout)}: deliveries that succeed late count as "
                + "failed there, and come again",
                $"stay below {patience}");
        }
    }

    public void ForwardHeaders(ResolvedRoute route)
    {
        for (var i = 0; i < route.Written.ForwardHeaders?.Count; i++)
        {
            var place = JsonPath.Item($"{route.Place}.forwardHeaders", i);
            var name = route.Written.ForwardHeaders[i];
            if (!RoutesSyntax.IsToken(name))
            {
                report.Error(place, "not the name of a header", "e.g. \"X-User\"");
            }
            else if (ForwardedHeaders.Describe(name) is { Fault: { } fault })
            {
                report.Error(place, $"{name} {fault}", "leave it out");
            }
            else if (!ForwardedHeaders.Describe(name).IsRemoved)
            {
                report.Warn(place, $"{name} reaches the app anyway", "leave it out, or is it spelt otherwise?");
            }
        }
    }

    public void Handshake(ResolvedRoute route)
    {
        if (route.Written.Handshake is not { } handshake || (handshake is { Name: "off", VerifyToken: null }))
        {
            return;
        }

        var place = $"{route.Place}.handshake";
        var name = handshake.Name ?? route.Preset?.Handshake;
        if (name is null)
        {
            report.Error(place, "no name", "name the handshake, e.g. \"meta\"");
        }
        else if (!HandshakeKinds.All.TryGetValue(name, out var kind))
        {
            report.Error(place, $"unknown handshake {Quoted.Name(name)}", NearestName.Hint(name, [.. HandshakeKinds.All.Keys, "off"]));
        }
        else if (kind.NeedsToken && handshake.VerifyToken is null)
        {
            report.Error(place, $"the handshake {Quoted.Name(name)} needs a token", $"write {{ \"name\": \"{name}\", \"verifyToken\": \"env:NAME\" }}");
        }
        else if (!kind.NeedsToken && handshake.VerifyToken is not null)
        {
            report.Error($"{place}.verifyToken", $"means nothing with the handshake {Quoted.Name(name)}", "remove it");
        }
        else if (kind.SignsForStrangers && !VerifiesOnly(name, route))
        {
            report.Error(place, $"{Quoted.Name(name)} has the gateway sign what any stranger asks for, with a secret that another scheme of this route trusts",
                $"write \"provider\": \"{name}\" and no scheme but its own, or \"handshake\": \"off\"");
        }

        if (handshake.VerifyToken is { } token && RoutesSyntax.SecretFault(token) is { } fault)
        {
            report.Error($"{place}.verifyToken", fault);
        }
    }

    /// <summary>Each check of the route is the sender's own, which takes no text that the handshake of the same sender may have signed.</summary>
    private static bool VerifiesOnly(string sender, ResolvedRoute route) =>
        route.Written.Verify is { } checks ? checks.All(check => sender == (check.Scheme?.Name ?? check.Scheme?.Inline?.Kind))
        : route.Written.Secrets is null || route.Written.Provider == sender;

    public void Refuse(ResolvedRoute route)
    {
        foreach (var (slug, status) in route.Written.Refuse ?? [])
        {
            var place = JsonPath.Key($"{route.Place}.refuse", slug);
            if (!RejectReasons.Slugs.Contains(slug))
            {
                report.Error(place, "unknown reason", NearestName.Hint(slug, RejectReasons.Slugs) ?? "the README lists the reasons");
            }
            else if (slug == "route-unknown")
            {
                report.Error(place, "answered before there is a route to say otherwise", "leave it out");
            }
            else if (slug == "duplicate")
            {
                // Anything else tells the sender that the delivery failed, and it would send it for ever.
                if (status is < 200 or > 299)
                {
                    report.Error(place, $"{status} would make the sender repeat what has already arrived", "a duplicate is answered with 200 to 299");
                }
            }
            else if (status is < 400 or > 599)
            {
                report.Error(place, $"{status} would tell the sender that a refused delivery arrived", "a refusal is answered with 400 to 599");
            }
            else if (status == 410)
            {
                report.Warn(place, "410 tells many senders to switch the webhook off for good");
            }
        }
    }
}
