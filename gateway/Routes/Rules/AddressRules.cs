using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes.Rules;

/// <summary>Where requests may come from: named sets, and each route's <c>allow</c>.</summary>
internal sealed class AddressRules(RuleReport report, RoutesFile file)
{
    private readonly Dictionary<string, AddressSetSpec> _sets = file.AddressSets ?? [];
    private readonly HashSet<string> _used = [];
    private readonly List<string> _routes = [];

    /// <summary>Ids of the routes that an address can keep out.</summary>
    public IReadOnlyList<string> RoutesWithAddressRule => _routes;

    public void AddressSets()
    {
        foreach (var (name, set) in _sets)
        {
            var path = JsonPath.Key("addressSets", name);
            if (name == "any" || RoutesSyntax.LooksLikeAddress(name) || !RoutesSyntax.IsName(name))
            {
                report.Error(path, "not a name for an address set", "letters, digits, - . _; neither \"any\" nor anything that could be an address or aws:…");
            }

            var forms = (set.Cidrs is null ? 0 : 1) + (set.Aws is null ? 0 : 1) + (set.Json is null ? 0 : 1);
            if (forms != 1)
            {
                report.Error(path, forms == 0 ? "the set is empty" : "the set has more than one source", "write exactly one of cidrs, aws and json");
            }

            if (set.Cidrs is { } cidrs && report.NotEmpty($"{path}.cidrs", cidrs, "list addresses or CIDRs"))
            {
                for (var i = 0; i < cidrs.Count; i++)
                {
                    Network(JsonPath.Item($"{path}.cidrs", i), cidrs[i]);
                }

                report.Repeats($"{path}.cidrs", cidrs);
            }

            if (set.Aws is { } aws)
            {
                AwsSet($"{path}.aws", aws);
            }

            if (set.Json is { } json)
            {
                JsonSet($"{path}.json", json);
            }
        }
    }

    private void Network(string path, string text)
    {
        if (RoutesSyntax.IsTooWide(text))
        {
            report.Error(path, $"{text} is too wide to be a rule", "write narrower networks, or allow: [\"any\"] on the route");
        }
        else if (!AddressParser.TryParseNetwork(text, out _, out var fault))
        {
            report.Error(path, fault);
        }
        else if (text is "0.0.0.0" or "::" or "0.0.0.0/32" or "::/128")
        {
            report.Warn(path, $"{text} is nobody's address, so this lets nobody in", "write [\"any\"] on the route if everybody was meant");
        }
    }

    private void AwsSet(string path, AwsSetSpec aws)
    {
        if (aws.Regions is not { Count: > 0 } regions)
        {
            report.Error($"{path}.regions", "no region", "list regions as AWS writes them, e.g. \"us-east-1\"");
        }
        else
        {
            for (var i = 0; i < regions.Count; i++)
            {
                if (!RoutesSyntax.IsAwsRegion(regions[i]))
                {
                    report.Error(JsonPath.Item($"{path}.regions", i), "not the name of a region", "as AWS writes them, e.g. \"us-east-1\", or \"GLOBAL\"");
                }
            }

            report.Repeats($"{path}.regions", regions);
        }

        if (report.NotEmpty($"{path}.services", aws.Services, "leave the key out for all of a region's addresses"))
        {
            for (var i = 0; i < aws.Services?.Count; i++)
            {
                if (!RoutesSyntax.IsAwsService(aws.Services[i]))
                {
                    report.Error(JsonPath.Item($"{path}.services", i), "not the name of a service", "as AWS writes them, in capitals, e.g. \"EC2\"");
                }
            }

            report.Repeats($"{path}.services", aws.Services);
        }
    }

    private void JsonSet(string path, JsonListSpec json)
    {
        if (json.Url is null)
        {
            report.Error($"{path}.url", "no address of the list", "an https URL, or file:/path");
        }
        else if (OutboundUrl.ListFault(json.Url) is { } fault)
        {
            report.Error($"{path}.url", fault);
        }

        if (json.Pointer is null || !RoutesSyntax.IsPointer(json.Pointer))
        {
            report.Error($"{path}.pointer", json.Pointer is null ? "no pointer to the array of addresses" : "not a JSON pointer",
                "RFC 6901, e.g. \"/hooks\", or \"\" when the list is the whole document");
        }
    }

    public void Allow(ResolvedRoute route)
    {
        var (written, place) = (route.Written.Allow?.From, route.SourcesPlace);
        if (report.NotEmpty(place, written, "list where requests may come from, or [\"any\"]"))
        {
            for (var i = 0; i < written?.Count; i++)
            {
                Source(JsonPath.Item(place, i), written[i], written.Count);
            }

            report.Repeats(place, written);
        }

        // An empty list was told already.
        var narrow = route.Sources.Count > 0 && !route.Sources.Contains("any");
        if (narrow)
        {
            _routes.Add(route.Id);
        }

        Protection(route, narrow);
    }

    private void Source(string path, string source, int count)
    {
        if (source == "any")
        {
            if (count > 1)
            {
                report.Error(path, "any makes the other entries mean nothing", "write [\"any\"] alone, or leave it out");
            }
        }
        else if (_sets.ContainsKey(source))
        {
            _used.Add(source);
        }
        else if (Presets.All.TryGetValue(source, out var preset))
        {
            if (preset.Sources is null)
            {
                report.Error(path, $"{preset.Title} has no list of addresses here", "ask the sender, and write the addresses out");
            }
        }
        else if (source.StartsWith("aws:", StringComparison.OrdinalIgnoreCase))
        {
            if (!RoutesSyntax.IsAwsSource(source))
            {
                report.Error(path, "not an AWS region", "write aws:REGION or aws:REGION:SERVICE as AWS does, e.g. \"aws:us-east-1\" or \"aws:us-east-1:EC2\"");
            }
        }
        else if (RoutesSyntax.LooksLikeAddress(source))
        {
            Network(path, source);
        }
        else
        {
            report.Error(path, $"{Quoted.Name(source)} is neither an address nor the name of an address set",
                NearestName.Hint(source,
                [.. _sets.Keys, "any", .. Presets.All.Values.Where(static p => p.Sources is not null).Select(static p => p.Name)]));
        }
    }

    /// <summary>Something must stand between strangers and the upstream, and it must be more than a cloud's address ranges.</summary>
    private void Protection(ResolvedRoute route, bool narrow)
    {
        var verified = route.Written.Verify is not null || route.Written.Secrets is not null || route.Written.Provider is not null;
        if (!verified && !narrow)
        {
            report.Error(route.Place, "nothing checks who sends: neither verify nor an address rule narrower than any",
                "add provider and secrets, or verify, or allow");
            return;
        }

        var enforcedVerify = verified && (route.Verify.Count == 0 || route.Verify.Any(static check => !check.Observes));
        var enforcedAllow = narrow && route.Written.Allow?.Mode != CheckMode.Observe;
        if (!enforcedVerify && !enforcedAllow && !route.Observes)
        {
            report.Error(route.Place, "every check of who sends only observes, so the route lets everything through",
                "enforce one of them, or say it for the whole route: \"mode\": \"observe\"");
        }

        if (!enforcedVerify && enforcedAllow && route.Sources.Any(IsCloud))
        {
            report.Warn(
                route.Place,
                "a cloud's address ranges are all that protects this route: us-east-1 alone is 22.9 million addresses that anyone can rent, a filter and no "
                + "authentication",
                "add verify, even of a static token");
        }
    }

    private bool IsCloud(string source) =>
        source.StartsWith("aws:", StringComparison.Ordinal) || (_sets.TryGetValue(source, out var set) && set.Aws is not null);

    public void Unused()
    {
        foreach (var name in _sets.Keys.Except(_used))
        {
            report.Warn(JsonPath.Key("addressSets", name), "no route uses this address set");
        }
    }
}
