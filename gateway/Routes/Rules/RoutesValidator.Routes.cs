using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes.Rules;

internal sealed partial class RoutesValidator
{
    /// <summary>How long a stopping gateway waits for deliveries in flight.</summary>
    private static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(30);

    private static readonly string[] SetByTheGateway = ["Idempotency-Key", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"];

    private void Routes()
    {
        if (_file.Routes is not { Count: > 0 } routes)
        {
            Error("routes", "no routes", "a gateway without routes lets nothing through");
            return;
        }

        foreach (var (id, route) in routes)
        {
            var path = JsonPath.Key("routes", id);
            if (!Grammar.IsRouteId(id))
            {
                Error(path, "not a route id", "letters, digits, - . _, at most 64; the id stands in headers, logs and metrics");
            }

            RoutePath(path, route);
            HostsAndMethods(path, route);
            Target(path, route);
            var preset = Provider(path, route);
            var schemes = Verify(path, route, preset);
            PublicUrl(path, schemes);
            Allow(path, id, route, preset);
            Replay(path, route, preset, schemes);
            Freshness(path, route, schemes);
            RateLimit(path, route);
            BodyCap($"{path}.maxBody", route.MaxBody);
            Encodings(path, route, preset, schemes);
            Timeout(path, route, preset);
            Transforms(path, route);
            ForwardHeaders(path, route);
            Refuse(path, route);
            Handshake(path, route, preset);
        }

        RoutesByBodyAlone();
        SamePlace(routes);
    }

    private void RoutePath(string path, RouteSpec route)
    {
        if (route.Path is null)
        {
            Error($"{path}.path", "no path", "write for example \"/hooks/verisync\"");
        }
        else if (Grammar.PathFault(route.Path) is { } fault)
        {
            Error($"{path}.path", fault, "e.g. \"/hooks/verisync\" or \"/hooks/verisync/{**rest}\"");
        }
    }

    /// <summary>Routing ignores case and a final slash, so two routes that differ only there are one place with two rules.</summary>
    private void SamePlace(Dictionary<string, RouteSpec> routes)
    {
        var taken = new Dictionary<(string Path, string Host), (string Id, string Path)>();
        foreach (var (id, route) in routes)
        {
            if (route.Path is not { } written || Grammar.PathFault(written) is not null)
            {
                continue;
            }

            var place = written.Length > 1 ? written.TrimEnd('/').ToLowerInvariant() : written;
            foreach (var host in route.Hosts is { Count: > 0 } hosts ? hosts.Select(Grammar.AsciiHost).Distinct(StringComparer.OrdinalIgnoreCase) : [""])
            {
                if (taken.TryAdd((place, host.ToLowerInvariant()), (id, written)))
                {
                    continue;
                }

                var (otherId, otherPath) = taken[(place, host.ToLowerInvariant())];
                Error(
                    JsonPath.Key("routes", id) + ".path",
                    otherPath == written
                        ? $"the same path{(host.Length == 0 ? "" : " and host")} as route {Quoted.Name(otherId)}"
                        : $"differs from the path of route {Quoted.Name(otherId)} only in case or a final slash, which routing ignores",
                    "a request must find exactly one route");
                break;
            }
        }
    }

    private void HostsAndMethods(string path, RouteSpec route)
    {
        if (NotEmpty($"{path}.hosts", route.Hosts, "leave the key out for any host"))
        {
            for (var i = 0; i < route.Hosts?.Count; i++)
            {
                if (!Grammar.IsHost(route.Hosts[i]))
                {
                    Error(JsonPath.Item($"{path}.hosts", i), "not a host name", "a name, *.name, or either with :port; no scheme, no path");
                }
            }

            Repeats($"{path}.hosts", route.Hosts);
        }

        if (NotEmpty($"{path}.methods", route.Methods, "leave the key out for POST"))
        {
            for (var i = 0; i < route.Methods?.Count; i++)
            {
                Method(JsonPath.Item($"{path}.methods", i), route.Methods[i]);
            }

            Repeats($"{path}.methods", route.Methods);
        }
    }

    private void Method(string path, string method)
    {
        if (method is "CONNECT" or "TRACE")
        {
            Error(path, $"{method} is no way to deliver a webhook");
        }
        else if (!KnownNames.Methods.Contains(method))
        {
            Error(path, $"unknown method {Quoted.Name(method)}", KnownNames.Methods.Contains(method.ToUpperInvariant()) ? $"methods are case-sensitive: \"{method.ToUpperInvariant()}\"" : NearestName.Hint(method, KnownNames.Methods));
        }
        else if (method is "GET" or "HEAD")
        {
            Warn(path, $"a {method} carries no body to sign, and browsers and crawlers send it unasked");
        }
    }

    private void Target(string path, RouteSpec route)
    {
        if (route.Cluster is null == route.Upstream is null)
        {
            Error(path, route.Cluster is null ? "nowhere to forward to" : "cluster and upstream both", "write exactly one of cluster and upstream");
        }

        if (route.Cluster is { } cluster)
        {
            _usedClusters.Add(cluster);
            if (!_clusters.ContainsKey(cluster))
            {
                Error($"{path}.cluster", $"unknown cluster {Quoted.Name(cluster)}", NearestName.Hint(cluster, _clusters.Keys) ?? "define it under clusters");
            }
        }

        if (route.Upstream is { } upstream && OutboundUrl.UpstreamFault(upstream) is { } fault)
        {
            Error($"{path}.upstream", fault);
        }
    }

    private PresetSpec? Provider(string path, RouteSpec route)
    {
        if (route.Provider is not { } name)
        {
            return null;
        }

        if (!_catalogue.Presets.TryGetValue(name, out var preset))
        {
            Error($"{path}.provider", $"unknown provider {Quoted.Name(name)}", NearestName.Hint(name, [.. _catalogue.Presets.Keys]) ?? "`webhookedge presets` lists them");
        }

        return preset;
    }

    /// <summary>The route's schemes, as far as they are known; null when a fault already reported hides them.</summary>
    private List<SchemeSpec>? Verify(string path, RouteSpec route, PresetSpec? preset)
    {
        Secrets($"{path}.secrets", route.Secrets);
        if (route.Secrets is not null && route.Verify is not null)
        {
            Error($"{path}.secrets", "secrets and verify both; secrets is shorthand for a verify with the provider's scheme alone", "drop secrets and move them into the verify entry they belong to");
        }
        else if (route.Secrets is not null && route.Provider is null)
        {
            Error($"{path}.secrets", "secrets without a provider whose scheme they are for", "name a provider, or write verify with a scheme");
            return null;
        }

        if (route.Verify is { } entries)
        {
            return NotEmpty($"{path}.verify", entries, "leave the key out; an empty list would check nothing") ? VerifyEntries(path, entries, preset) : null;
        }

        if (route.Provider is null)
        {
            return [];
        }

        if (preset is null)
        {
            return null;
        }

        if (route.Secrets is null && NeedsSecrets(preset.Scheme))
        {
            Error(path, $"provider {Quoted.Name(preset.Name)} without its secret", "write \"secrets\": [\"env:NAME\"]");
        }

        return [preset.Scheme];
    }

    private List<SchemeSpec>? VerifyEntries(string path, IReadOnlyList<VerifySpec> entries, PresetSpec? preset)
    {
        var schemes = new List<SchemeSpec>();
        var complete = true;
        for (var i = 0; i < entries.Count; i++)
        {
            var place = JsonPath.Item($"{path}.verify", i);
            var entry = entries[i];
            Secrets($"{place}.secrets", entry.Secrets);
            if (entry.Scheme is null)
            {
                Error($"{place}.scheme", "no scheme", preset is null ? "name one, or write it out" : $"write for example \"{preset.Name}\"");
                complete = false;
                continue;
            }

            var scheme = Resolve($"{place}.scheme", entry.Scheme);
            complete &= scheme is not null;
            if (scheme is not null)
            {
                schemes.Add(scheme);
                if (entry.Secrets is null && NeedsSecrets(scheme))
                {
                    Error($"{place}.secrets", "no secrets", "write for example [\"env:NAME\"]");
                }
            }
        }

        if (preset is not null && complete && !schemes.Contains(preset.Scheme))
        {
            Warn($"{path}.verify", $"no entry checks {Quoted.Name(preset.Name)}'s own scheme", $"add {{ \"scheme\": \"{preset.Name}\", \"secrets\": [ … ] }}, or drop provider");
        }

        return complete ? schemes : null;
    }

    private void Secrets(string path, IReadOnlyList<string>? secrets)
    {
        if (!NotEmpty(path, secrets, "write for example [\"env:NAME\"]"))
        {
            return;
        }

        for (var i = 0; i < secrets?.Count; i++)
        {
            if (Grammar.SecretFault(secrets[i]) is { } fault)
            {
                Error(JsonPath.Item(path, i), fault);
            }
        }

        Repeats(path, secrets);
    }

    private void Allow(string path, string id, RouteSpec route, PresetSpec? preset)
    {
        var written = route.Allow?.From;
        var place = route.Allow?.Mode is null ? $"{path}.allow" : $"{path}.allow.from";
        if (NotEmpty(place, written, "list where requests may come from, or [\"any\"]"))
        {
            for (var i = 0; i < written?.Count; i++)
            {
                Source(JsonPath.Item(place, i), written[i], written.Count);
            }

            Repeats(place, written);
        }

        var sources = written ?? preset?.Allow ?? [];
        var narrow = sources.Count > 0 && !sources.Contains("any");
        if (narrow)
        {
            _routesWithAddressRule.Add(id);
        }

        Protection(path, route, sources, narrow);
    }

    private void Source(string path, string source, int count)
    {
        if (source == "any")
        {
            if (count > 1)
            {
                Error(path, "any makes the other entries mean nothing", "write [\"any\"] alone, or leave it out");
            }
        }
        else if (_sets.ContainsKey(source))
        {
            _usedSets.Add(source);
        }
        else if (_catalogue.Presets.TryGetValue(source, out var preset))
        {
            if (preset.Sources is null)
            {
                Error(path, $"{preset.Title} has no list of addresses here", "ask the sender, and write the addresses out");
            }
        }
        else if (source.StartsWith("aws:", StringComparison.OrdinalIgnoreCase))
        {
            if (!Grammar.IsAwsSource(source))
            {
                Error(path, "not an AWS region", "write aws:REGION or aws:REGION:SERVICE as AWS does, e.g. \"aws:us-east-1\" or \"aws:us-east-1:EC2\"");
            }
        }
        else if (Grammar.LooksLikeAddress(source))
        {
            Network(path, source);
        }
        else
        {
            Error(path, $"{Quoted.Name(source)} is neither an address nor the name of an address set", NearestName.Hint(source, [.. _sets.Keys, "any", .. _catalogue.Presets.Values.Where(static p => p.Sources is not null).Select(static p => p.Name)]));
        }
    }

    /// <summary>Something must stand between strangers and the upstream, and it must be more than a cloud's address ranges.</summary>
    private void Protection(string path, RouteSpec route, IReadOnlyList<string> sources, bool narrow)
    {
        var verified = route.Verify is not null || route.Secrets is not null || route.Provider is not null;
        if (!verified && !narrow)
        {
            Error(path, "nothing checks who sends: neither verify nor an address rule narrower than any", "add provider and secrets, or verify, or allow");
            return;
        }

        var enforcedVerify = verified && (route.Verify is not { Count: > 0 } entries || entries.Any(e => e.Mode != CheckMode.Observe));
        var enforcedAllow = narrow && route.Allow?.Mode != CheckMode.Observe;
        if (!enforcedVerify && !enforcedAllow && route.Mode != CheckMode.Observe)
        {
            Error(path, "every check of who sends only observes, so the route lets everything through", "enforce one of them, or say it for the whole route: \"mode\": \"observe\"");
        }

        if (!enforcedVerify && enforcedAllow && sources.Any(IsCloud))
        {
            Warn(
                path,
                "a cloud's address ranges are all that protects this route: us-east-1 alone is 22.9 million addresses that anyone can rent, a filter and no authentication",
                "add verify, even of a static token");
        }
    }

    private bool IsCloud(string source) => source.StartsWith("aws:", StringComparison.Ordinal) || (_sets.TryGetValue(source, out var set) && set.Aws is not null);

    private void Replay(string path, RouteSpec route, PresetSpec? preset, List<SchemeSpec>? schemes)
    {
        var place = $"{path}.replay";
        if (route.Replay is { Options: null, Word: var word })
        {
            if (word != "off")
            {
                Error(place, $"unknown word {Quoted.Name(word ?? "")}", "write \"off\", or an object");
            }
            else if (schemes is { Count: > 0 } && !schemes.Exists(SignsTime))
            {
                Warn(place, "this sender signs no time, so with replay off a captured request stays valid for ever");
            }

            return;
        }

        var written = route.Replay?.Options;
        if (NotEmpty($"{place}.key", written?.Key, "leave the key out for the provider's, else the signed id, else the body"))
        {
            for (var i = 0; i < written?.Key?.Count; i++)
            {
                KeyPart(JsonPath.Item($"{place}.key", i), written.Key[i], schemes);
            }

            Repeats($"{place}.key", written?.Key);
        }

        var replay = ResolvedReplay.Of(route.Replay, preset);
        BodyAlone(place, route, replay, preset, schemes);
        if (replay.IsOffByPreset)
        {
            if (route.Replay is not null)
            {
                Warn(place, $"has no effect: nothing tells the events of {Quoted.Name(preset!.Name)} apart, so its preset has replay off", "name a key of your own with it, or leave it out");
            }

            return;
        }

        // The provider's key was made for the provider's scheme; verify may have put another in its place.
        if (written?.Key is null && replay.Key is { } inherited && inherited.Contains("id") && schemes is not null && !schemes.Exists(SignsId))
        {
            Error(place, $"the replay key of {Quoted.Name(preset!.Name)} is a signed id, and no check of this route signs one", "write \"key\": [\"body\"]");
        }
    }

    /// <summary>
    /// A key of the body alone makes one event of all that have the same bytes, which some senders mean to repeat. Nobody is told who has said that it is right: the
    /// route by writing it, or the sender's preset.
    /// </summary>
    private void BodyAlone(string place, RouteSpec route, ResolvedReplay replay, PresetSpec? preset, List<SchemeSpec>? schemes)
    {
        if (replay.IsOff || replay.IsVouchedFor || replay.Observes || route.Mode == CheckMode.Observe || schemes is null || replay.KeyOf(schemes.Exists(SignsId)) is not ["body"])
        {
            return;
        }

        if (replay.Key is null)
        {
            _routesByBodyAlone.Add((place, place.Split('.')[1]));
        }
        else if (preset?.Replay is { } known && schemes.Contains(preset.Scheme))
        {
            Warn(
                $"{place}.key",
                $"{preset.Title} sends different events with the same body, and all but the first would be lost",
                known.Options?.Key is { } key ? $"leave it out for the preset's own key, {string.Join(" + ", key)}" : "leave it out: its preset has replay off");
        }
    }

    /// <summary>Said once, however many routes it is about.</summary>
    private void RoutesByBodyAlone()
    {
        const int Named = 10;
        if (_routesByBodyAlone is [var (first, _), ..])
        {
            var names = string.Join(", ", _routesByBodyAlone.Take(Named).Select(static r => Quoted.Name(r.Id))) + (_routesByBodyAlone.Count > Named ? $" and {_routesByBodyAlone.Count - Named} more" : "");
            Warn(
                first,
                $"events with the same body count as one event on {names}: a sender that repeats itself on purpose, as some monitors and devices do, loses all but the first",
                "write \"replay\": { \"key\": [\"body\"] } if that is right, name what else tells events apart (header:NAME, json:/pointer, id), or write \"replay\": \"off\"");
        }
    }

    private void KeyPart(string path, string part, List<SchemeSpec>? schemes)
    {
        switch (part)
        {
            case "body":
                break;
            case "id":
                if (schemes is not null && !schemes.Exists(SignsId))
                {
                    Error(path, "no scheme of this route signs an id; whoever can change it can repeat a delivery, or hide one", "write \"body\" or json:/pointer");
                }

                break;
            case var _ when Grammar.IsHeaderSource(part):
                if (schemes is not null && !schemes.Exists(s => SignsHeader(s, part["header:".Length..])))
                {
                    Warn(path, "the header is not signed: whoever captures a request can repeat it with another value", "add \"body\", or use a signed part");
                }

                break;
            case var _ when Grammar.IsJsonSource(part):
                break;
            default:
                Error(path, $"unknown part {Quoted.Name(part)}", "write body, id, json:/pointer or header:NAME");
                break;
        }
    }

    private void Freshness(string path, RouteSpec route, List<SchemeSpec>? schemes)
    {
        if (route.Freshness is not { } freshness)
        {
            return;
        }

        if (freshness.At is null || !Grammar.IsJsonSource(freshness.At))
        {
            Error($"{path}.freshness.at", freshness.At is null ? "no place to read the time from" : "not a place in the body", "write json:/pointer, e.g. \"json:/created_at\"");
        }

        if (freshness.Within is null)
        {
            Error($"{path}.freshness.within", "no largest age", "write for example \"24h\"");
        }

        if (schemes is not null && !schemes.Exists(SignsBody))
        {
            Warn($"{path}.freshness", "no check of this route signs the body, so the time in it is anybody's word");
        }
    }

    private void RateLimit(string path, RouteSpec route)
    {
        if (route.RateLimit is not { } limit)
        {
            return;
        }

        var place = $"{path}.rateLimit";
        if (limit.Route is null && limit.Address is null)
        {
            Error(place, "no budget", "write route, address or both");
        }

        Budget($"{place}.route", limit.Route);
        Budget($"{place}.address", limit.Address);
        if (limit.Address?.Queue is > 0)
        {
            Error($"{place}.address.queue", "strangers are not queued, they would fill the queue", "leave it out");
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
            Error($"{path}.permits", "no number of requests", "write for example 100");
        }

        if (budget.Window is null)
        {
            Error($"{path}.window", "no length of time", "write for example \"1s\"");
        }

    }

    private void Timeout(string path, RouteSpec route, PresetSpec? preset)
    {
        if (route.Timeout?.Value is { } written && written > LongestDrain && written <= TimeSpan.FromMinutes(5))
        {
            Warn($"{path}.timeout", $"longer than the {LongestDrain.TotalSeconds:0} s that a stopping gateway waits for deliveries in flight", "keep it below, or expect some to be cut off by a restart");
        }

        var effective = route.Timeout?.Value ?? PresetSpec.DefaultTimeout(preset);
        if (preset?.Retries?.Timeout is { } patience && effective >= patience.Value)
        {
            Warn(
                $"{path}.timeout",
                $"{preset.Title} hangs up after {patience}, and the route may take {new Duration(effective)}: deliveries that succeed late count as failed there, and come again",
                $"stay below {patience}");
        }
    }

    private void ForwardHeaders(string path, RouteSpec route)
    {
        for (var i = 0; i < route.ForwardHeaders?.Count; i++)
        {
            var place = JsonPath.Item($"{path}.forwardHeaders", i);
            var name = route.ForwardHeaders[i];
            if (!Grammar.IsToken(name))
            {
                Error(place, "not the name of a header", "e.g. \"X-User\"");
            }
            else if (_catalogue.ForwardHeader(name) is { Fault: { } fault })
            {
                Error(place, $"{name} {fault}", "leave it out");
            }
            else if (!_catalogue.ForwardHeader(name).IsRemoved)
            {
                Warn(place, $"{name} reaches the app anyway", "leave it out, or is it spelt otherwise?");
            }
        }
    }

    private void Transforms(string path, RouteSpec route)
    {
        for (var i = 0; i < route.Transforms?.Count; i++)
        {
            if (route.Transforms[i].Count == 0)
            {
                Error(JsonPath.Item($"{path}.transforms", i), "an empty transform", "as YARP documents them, e.g. { \"RequestHeader\": \"X-From\", \"Set\": \"webhooks\" }");
            }

            foreach (var key in (string[])["RequestHeader", "RequestHeaderRouteValue"])
            {
                if (route.Transforms[i].GetValueOrDefault(key) is { } name
                    && (name.StartsWith("X-Webhook-", StringComparison.OrdinalIgnoreCase) || SetByTheGateway.Contains(name, StringComparer.OrdinalIgnoreCase)))
                {
                    Error($"{JsonPath.Item($"{path}.transforms", i)}.{key}", $"{name} is set by the gateway, after all transforms", "take another name; X-Webhook-* is the gateway's own");
                }
            }
        }
    }

    private void Handshake(string path, RouteSpec route, PresetSpec? preset)
    {
        if (route.Handshake is not { } handshake || (handshake is { Name: "off", VerifyToken: null }))
        {
            return;
        }

        var place = $"{path}.handshake";
        var name = handshake.Name ?? preset?.Handshake;
        if (name is null)
        {
            Error(place, "no name", "name the handshake, e.g. \"meta\"");
        }
        else if (!_catalogue.Handshakes.TryGetValue(name, out var needsToken))
        {
            Error(place, $"unknown handshake {Quoted.Name(name)}", NearestName.Hint(name, [.. _catalogue.Handshakes.Keys, "off"]));
        }
        else if (needsToken && handshake.VerifyToken is null)
        {
            Error(place, $"the handshake {Quoted.Name(name)} needs a token", $"write {{ \"name\": \"{name}\", \"verifyToken\": \"env:NAME\" }}");
        }
        else if (!needsToken && handshake.VerifyToken is not null)
        {
            Error($"{place}.verifyToken", $"means nothing with the handshake {Quoted.Name(name)}", "remove it");
        }

        if (handshake.VerifyToken is { } token && Grammar.SecretFault(token) is { } fault)
        {
            Error($"{place}.verifyToken", fault);
        }
    }

    private void Refuse(string path, RouteSpec route)
    {
        foreach (var (slug, status) in route.Refuse ?? [])
        {
            var place = JsonPath.Key($"{path}.refuse", slug);
            if (!_catalogue.ReasonSlugs.Contains(slug))
            {
                Error(place, "unknown reason", NearestName.Hint(slug, _catalogue.ReasonSlugs) ?? "the README lists the reasons");
            }
            else if (slug == "route-unknown")
            {
                Error(place, "answered before there is a route to say otherwise", "leave it out");
            }
            else if (slug == "duplicate")
            {
                // Anything else tells the sender that the delivery failed, and it would send it for ever.
                if (status is < 200 or > 299)
                {
                    Error(place, $"{status} would make the sender repeat what has already arrived", "a duplicate is answered with 200 to 299");
                }
            }
            else if (status is < 400 or > 599)
            {
                Error(place, $"{status} would tell the sender that a refused delivery arrived", "a refusal is answered with 400 to 599");
            }
            else if (status == 410)
            {
                Warn(place, "410 tells many senders to switch the webhook off for good");
            }
        }
    }
}
