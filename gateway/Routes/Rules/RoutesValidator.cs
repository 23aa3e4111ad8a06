using System.Globalization;
using System.Text.Json;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Routes.Rules;

/// <summary>
/// What the words of routes.json mean, and whether they can be meant. Reports everything it finds, errors and warnings, without stopping at the first;
/// a value that was already reported is left out of further rules, so that one mistake is one line.
/// What a scheme's fields mean together is the signature compiler's, what YARP makes of clusters and transforms is YARP's.
/// </summary>
internal sealed partial class RoutesValidator
{
    private static readonly ByteSize DefaultMaxBody = new(1L << 20);
    private static readonly ByteSize DefaultBufferedBodies = new(256L << 20);

    private readonly List<ConfigProblem> _problems = [];
    private readonly RoutesFile _file;
    private readonly RoutesCatalogue _catalogue;
    private readonly Dictionary<string, AddressSetSpec> _sets;
    private readonly Dictionary<string, SchemeSpec> _schemes;
    private readonly Dictionary<string, JsonElement> _clusters;
    private readonly HashSet<string> _usedSets = [];
    private readonly HashSet<string> _usedSchemes = [];
    private readonly HashSet<string> _usedClusters = [];
    private readonly List<string> _routesWithAddressRule = [];
    private readonly List<(string Place, string Id)> _routesByBodyAlone = [];

    private RoutesValidator(RoutesFile file, RoutesCatalogue catalogue)
    {
        _file = file;
        _catalogue = catalogue;
        _sets = file.AddressSets ?? [];
        _schemes = file.Schemes ?? [];
        _clusters = file.Clusters ?? [];
    }

    public static IReadOnlyList<ConfigProblem> Validate(RoutesFile file, RoutesCatalogue catalogue)
    {
        var validator = new RoutesValidator(file, catalogue);
        validator.Edge();
        validator.AddressSets();
        validator.OwnSchemes();
        validator.Clusters();
        validator.Routes();
        validator.ClientAddress();
        validator.Unused();
        return validator._problems;
    }

    private void Error(string path, string message, string? hint = null) => _problems.Add(new(path, message, hint));

    private void Error(string path, (string Message, string? Hint) fault) => _problems.Add(new(path, fault.Message, fault.Hint));

    private void Warn(string path, string message, string? hint = null) => _problems.Add(new(path, message, hint, IsWarning: true));

    /// <summary>False, and reported, when a list was written without anything in it.</summary>
    private bool NotEmpty(string path, IReadOnlyCollection<object>? list, string hint)
    {
        if (list is { Count: 0 })
        {
            Error(path, "the list is empty", hint);
            return false;
        }

        return true;
    }

    private void Repeats(string path, IReadOnlyList<string>? list)
    {
        for (var i = 1; i < list?.Count; i++)
        {
            if (list.Take(i).Contains(list[i]))
            {
                Error(JsonPath.Item(path, i), "written twice");
            }
        }
    }

    private void Edge()
    {
        if (_file.Edge is not { } edge)
        {
            return;
        }

        if (edge.PublicUrl is { } publicUrl
            && !(Uri.TryCreate(publicUrl, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.UserInfo.Length == 0 && url.Query.Length == 0 && url.Fragment.Length == 0))
        {
            Error("edge.publicUrl", "not an absolute http or https URL without user, query and fragment", "write for example https://hooks.example.com");
        }

        if (edge.Redis is { } redis && Grammar.SecretFault(redis) is { } redisFault)
        {
            var literal = !SecretReference.TryParse(redis, out _);
            Error("edge.redis", literal ? "a connection string may hold a password, so literal ones are refused" : redisFault.Message, redisFault.Hint);
        }

        if (edge.StateDirectory is { } directory && (string.IsNullOrWhiteSpace(directory) || directory.Any(char.IsControl)))
        {
            Error("edge.stateDirectory", "not a path", "leave the key out to keep no lists over a restart");
        }

        if (edge.AwsRanges is { } aws)
        {
            if (aws.Url is not null && OutboundUrl.ListFault(aws.Url) is { } fault)
            {
                Error("edge.awsRanges.url", fault);
            }

            if (aws.AlarmAfter is { } alarm && alarm.Value <= (aws.Refresh?.Value ?? TimeSpan.FromHours(1)))
            {
                Error("edge.awsRanges.alarmAfter", "not longer than refresh, so every list would be stale before its turn");
            }
        }

        if (edge.Limits is { } limits)
        {
            BodyCap("edge.limits.maxBody", limits.MaxBody);
            if (limits.MaxBody is null && limits.BufferedBodies is { } buffered && buffered.Bytes < DefaultMaxBody.Bytes)
            {
                Error("edge.limits.bufferedBodies", $"smaller than one body of the default maxBody, {DefaultMaxBody}", "raise it, or write a smaller maxBody");
            }
        }
    }

    private void BodyCap(string path, ByteSize? cap)
    {
        if (cap is not { } size)
        {
            return;
        }

        var buffered = _file.Edge?.Limits?.BufferedBodies ?? DefaultBufferedBodies;
        if (size.Bytes > 1L << 30)
        {
            Error(path, $"{size} is out of range", "at most 1GiB");
        }
        else if (size.Bytes > buffered.Bytes)
        {
            Error(path, $"{size} is more than edge.limits.bufferedBodies ({buffered}), so such a body could never be held", "lower this or raise that");
        }
    }

    private void ClientAddress()
    {
        if (_file.Edge?.ClientAddress is not { } client)
        {
            return;
        }

        const string Path = "edge.clientAddress";
        var trusted = client.TrustedProxies ?? [];
        var tooWide = false;
        for (var i = 0; i < trusted.Count; i++)
        {
            var place = JsonPath.Item($"{Path}.trustedProxies", i);
            if (Grammar.IsTooWide(trusted[i]))
            {
                tooWide = true;
                Error(place, $"{trusted[i]} would trust strangers to name any client address", "write the addresses of the proxies in front of the gateway");
            }
            else if (_catalogue.AddressFault(trusted[i]) is { } fault)
            {
                Error(place, fault);
            }
        }

        Repeats($"{Path}.trustedProxies", client.TrustedProxies);
        if (trusted.Count > 0 && client.From is null or AddressSource.Connection)
        {
            Error($"{Path}.trustedProxies", "trusted proxies without a header of theirs to read", "write \"from\": \"forwardedFor\" or \"proxyProtocol\"");
        }

        if (client.From == AddressSource.ProxyProtocol && trusted.Count == 0)
        {
            Error($"{Path}.trustedProxies", "without trusted proxies no PROXY header is ever read", "list the load balancers in front of the gateway");
        }

        if (client.From == AddressSource.ForwardedFor && trusted.Count == 0 && !tooWide)
        {
            if (_routesWithAddressRule.Count > 0)
            {
                Error($"{Path}.trustedProxies", $"without trusted proxies X-Forwarded-For is anybody's word, and the address rule of {Quoted.Name(_routesWithAddressRule[0])} would rest on it", "list the proxies in front of the gateway");
            }
            else
            {
                Warn($"{Path}.trustedProxies", "without trusted proxies X-Forwarded-For is never believed", "list the proxies in front of the gateway, or write \"from\": \"connection\"");
            }
        }
    }

    private void AddressSets()
    {
        foreach (var (name, set) in _sets)
        {
            var path = JsonPath.Key("addressSets", name);
            if (name == "any" || Grammar.LooksLikeAddress(name) || !Grammar.IsName(name))
            {
                Error(path, "not a name for an address set", "letters, digits, - . _; neither \"any\" nor anything that could be an address or aws:…");
            }

            var forms = (set.Cidrs is null ? 0 : 1) + (set.Aws is null ? 0 : 1) + (set.Json is null ? 0 : 1);
            if (forms != 1)
            {
                Error(path, forms == 0 ? "the set is empty" : "the set has more than one source", "write exactly one of cidrs, aws and json");
            }

            if (set.Cidrs is { } cidrs && NotEmpty($"{path}.cidrs", cidrs, "list addresses or CIDRs"))
            {
                for (var i = 0; i < cidrs.Count; i++)
                {
                    Network(JsonPath.Item($"{path}.cidrs", i), cidrs[i]);
                }

                Repeats($"{path}.cidrs", cidrs);
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
        if (Grammar.IsTooWide(text))
        {
            Error(path, $"{text} is too wide to be a rule", "write narrower networks, or allow: [\"any\"] on the route");
        }
        else if (_catalogue.AddressFault(text) is { } fault)
        {
            Error(path, fault);
        }
    }

    private void AwsSet(string path, AwsSetSpec aws)
    {
        if (aws.Regions is not { Count: > 0 } regions)
        {
            Error($"{path}.regions", "no region", "list regions as AWS writes them, e.g. \"us-east-1\"");
        }
        else
        {
            for (var i = 0; i < regions.Count; i++)
            {
                if (!Grammar.IsAwsRegion(regions[i]))
                {
                    Error(JsonPath.Item($"{path}.regions", i), "not the name of a region", "as AWS writes them, e.g. \"us-east-1\", or \"GLOBAL\"");
                }
            }

            Repeats($"{path}.regions", regions);
        }

        if (NotEmpty($"{path}.services", aws.Services, "leave the key out for all of a region's addresses"))
        {
            for (var i = 0; i < aws.Services?.Count; i++)
            {
                if (!Grammar.IsAwsService(aws.Services[i]))
                {
                    Error(JsonPath.Item($"{path}.services", i), "not the name of a service", "as AWS writes them, in capitals, e.g. \"EC2\"");
                }
            }

            Repeats($"{path}.services", aws.Services);
        }
    }

    private void JsonSet(string path, JsonListSpec json)
    {
        if (json.Url is null)
        {
            Error($"{path}.url", "no address of the list", "an https URL, or file:/path");
        }
        else if (OutboundUrl.ListFault(json.Url) is { } fault)
        {
            Error($"{path}.url", fault);
        }

        if (json.Pointer is null || !Grammar.IsPointer(json.Pointer))
        {
            Error($"{path}.pointer", json.Pointer is null ? "no pointer to the array of addresses" : "not a JSON pointer", "RFC 6901, e.g. \"/hooks\", or \"\" when the list is the whole document");
        }

    }

    private void Clusters()
    {
        foreach (var (name, cluster) in _clusters)
        {
            var path = JsonPath.Key("clusters", name);
            if (!Grammar.IsName(name))
            {
                Error(path, "not a name for a cluster", "letters, digits, - . _, at most 64");
            }

            if (cluster.ValueKind != JsonValueKind.Object)
            {
                Error(path, "expected an object", "{ \"Destinations\": { \"a\": { \"Address\": \"http://…\" } } }");
                continue;
            }

            if (_catalogue.ClusterType is { } type)
            {
                ClusterShape.Check(path, cluster, type, _problems);
            }

            ClusterId(path, cluster);
            ConnectTimeout(path, cluster);
            Destinations(path, cluster);
            Certificates(path, cluster);
        }
    }

    private void ConnectTimeout(string path, JsonElement cluster)
    {
        if (Member(cluster, "Metadata") is not { Value.ValueKind: JsonValueKind.Object } metadata || Member(metadata.Value, "ConnectTimeout") is not { } written)
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
            Error(place, "not a time to connect in", "write hours:minutes:seconds between 00:00:00.05 and 00:01:00, e.g. \"00:00:03\"; the default is one second");
        }
    }

    private void ClusterId(string path, JsonElement cluster)
    {
        if (Member(cluster, "ClusterId") is { } id)
        {
            Error(JsonPath.Key(path, id.Name), "a cluster's id is its key here", "leave it out");
        }

        if (Member(cluster, "SessionAffinity") is { } affinity)
        {
            Error(JsonPath.Key(path, affinity.Name), "session affinity is not offered: webhook senders keep no cookies", "leave it out");
        }
    }

    private void Destinations(string path, JsonElement cluster)
    {
        if (Member(cluster, "Destinations") is not { Value: { ValueKind: JsonValueKind.Object } destinations } || !destinations.EnumerateObject().Any())
        {
            Error($"{path}.Destinations", "a cluster without destinations", "{ \"a\": { \"Address\": \"http://…\" } }");
            return;
        }

        foreach (var destination in destinations.EnumerateObject())
        {
            var place = JsonPath.Key($"{path}.Destinations", destination.Name);
            if (destination.Value.ValueKind != JsonValueKind.Object || Member(destination.Value, "Address") is not { Value.ValueKind: JsonValueKind.String } address)
            {
                Error($"{place}.Address", "a destination without an address", "write for example \"http://kyc.internal:8080/\"");
                continue;
            }

            if (OutboundUrl.UpstreamFault(address.Value.GetString()!) is { } fault)
            {
                Error(JsonPath.Key(place, address.Name), fault);
            }

            if (Member(destination.Value, "Health") is { Value.ValueKind: JsonValueKind.String } health && OutboundUrl.UpstreamFault(health.Value.GetString()!) is { } healthFault)
            {
                Error(JsonPath.Key(place, health.Name), healthFault);
            }
        }
    }

    private void Certificates(string path, JsonElement cluster)
    {
        if (Member(cluster, "HttpClient") is { Value.ValueKind: JsonValueKind.Object } client
            && Member(client.Value, "DangerousAcceptAnyServerCertificate") is { Value.ValueKind: JsonValueKind.True } accept)
        {
            Warn(JsonPath.Key(JsonPath.Key(path, client.Name), accept.Name), "anybody on the way to the upstream can pose as it");
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

    private void Unused()
    {
        foreach (var name in _sets.Keys.Except(_usedSets))
        {
            Warn(JsonPath.Key("addressSets", name), "no route uses this address set");
        }

        foreach (var name in _schemes.Keys.Except(_usedSchemes))
        {
            Warn(JsonPath.Key("schemes", name), "no route uses this scheme");
        }

        foreach (var name in _clusters.Keys.Except(_usedClusters))
        {
            Warn(JsonPath.Key("clusters", name), "no route uses this cluster");
        }
    }
}
