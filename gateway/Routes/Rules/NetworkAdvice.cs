using System.Globalization;
using System.Net;
using WebhookEdge.Configuration;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes.Rules;

/// <summary>
/// What is odd about the networks of a file although each is sound: one inside another, lists that overlap, a trusted proxy that is a sender too, addresses
/// left over from an example. Warnings only: none of them lets anybody in whom the file does not name.
/// </summary>
internal static class NetworkAdvice
{
    /// <summary>Of each list so many are named; the rest is counted.</summary>
    private const int Named = 5;

    /// <summary>Reserved for documentation (RFC 5737, RFC 3849, RFC 9637): nothing is ever sent from there.</summary>
    private static readonly IPNetwork2[] Documentation =
        [IPNetwork2.IANA_TEST_NET1, IPNetwork2.IANA_TEST_NET2, IPNetwork2.IANA_TEST_NET3, IPNetwork2.IANA6_DOCUMENTATION,
            new IPNetwork2(IPAddress.Parse("3fff::"), 20)];

    public static IEnumerable<ConfigProblem> Of(RoutesFile file)
    {
        var proxies = Read(file.Edge?.ClientAddress?.TrustedProxies, "edge.clientAddress.trustedProxies", "the trusted proxies");
        var sets = (file.AddressSets ?? [])
            .ToDictionary(static set => set.Key, static set => Read(set.Value.Cidrs, $"{JsonPath.Key("addressSets", set.Key)}.cidrs", $"the set \"{set.Key}\""),
            StringComparer.Ordinal);
        var routes = (file.Routes ?? []).Select(route => ResolvedRoute.Of(file, route.Key, route.Value))
            .Select(route => (Place: route.SourcesPlace, Lists: ListsOf(route, sets), From: route.Written.Allow?.From ?? [])).ToList();
        return
        [
            .. Inside(proxies),
            .. sets.Values.SelectMany(Inside),
            .. routes.SelectMany(static route => route.Lists.Take(1)).SelectMany(Inside),
            .. routes.SelectMany(static route => Overlaps(route.Lists)).DistinctBy(static problem => (problem.Path, problem.Message)),
            .. routes.SelectMany(static route => RegionsInside(route.Place, route.From)),
            .. routes.SelectMany(route => Proxied(route.Place, route.Lists, proxies)),
            .. LeftOver([.. proxies, .. sets.Values.SelectMany(static list => list), .. routes.SelectMany(static route => route.Lists[0])]),
        ];
    }

    /// <summary>The route's own entries first, then the lists it names, each once.</summary>
    private static List<IReadOnlyList<ConfiguredNetwork>> ListsOf(ResolvedRoute route, Dictionary<string, IReadOnlyList<ConfiguredNetwork>> sets)
    {
        var from = route.Written.Allow?.From ?? [];
        var lists = new List<IReadOnlyList<ConfiguredNetwork>> { Read(from, route.SourcesPlace, "allow") };
        foreach (var name in from.Distinct(StringComparer.Ordinal))
        {
            if (sets.TryGetValue(name, out var set))
            {
                lists.Add(set);
            }
            else if (Presets.Find(name)?.Sources?.Cidrs is { } published)
            {
                lists.Add(Read(published, route.SourcesPlace, $"the sources of \"{name}\""));
            }
        }

        return lists;
    }

    private static IReadOnlyList<ConfiguredNetwork> Read(IReadOnlyList<string>? texts, string place, string origin) =>
        [.. (texts ?? []).Select((text, i) => ConfiguredNetwork.Read($"{place}[{i}]", text, origin)).OfType<ConfiguredNetwork>()];

    /// <summary>Entries of one list that another of its entries holds already.</summary>
    private static IEnumerable<ConfigProblem> Inside(IReadOnlyList<ConfiguredNetwork> list) => Bounded(
        Nested(list).Select(static pair => new ConfigProblem(
            pair.Inner.Place,
            pair.Inner.Network.Equals(pair.Outer.Network) ? $"{pair.Inner.Text} stands in this list twice"
            : $"{pair.Inner.Text} lies inside {pair.Outer.Text} ({pair.Outer.Place}) and adds nothing",
            "remove one of them", IsWarning: true)));

    /// <summary>Lists of one route that hold the same addresses: one warning for each two lists.</summary>
    private static IEnumerable<ConfigProblem> Overlaps(List<IReadOnlyList<ConfiguredNetwork>> lists) =>
        Nested([.. lists.SelectMany(static list => list)])
            .Where(static pair => pair.Inner.Origin != pair.Outer.Origin)
            .DistinctBy(static pair => string.CompareOrdinal(pair.Inner.Origin, pair.Outer.Origin) < 0 ? (pair.Inner.Origin, pair.Outer.Origin)
                : (pair.Outer.Origin, pair.Inner.Origin))
            .Select(static pair => new ConfigProblem(
                pair.Inner.Place,
                $"{pair.Inner.Text} of {pair.Inner.Origin} lies inside {pair.Outer.Text} of {pair.Outer.Origin}: one list lets in what the other does",
                "remove one of them, or make the wider one narrower", IsWarning: true));

    private static IEnumerable<ConfigProblem> RegionsInside(string place, IReadOnlyList<string> from) => from
        .Where(entry => entry.Split(':') is ["aws", var region, not "AMAZON"] && from.Contains($"aws:{region}", StringComparer.Ordinal))
        .Select(entry =>
            new ConfigProblem(place, $"{entry} lies inside {entry[..entry.LastIndexOf(':')]}, which holds every service of the region",
            "remove one of them", IsWarning: true));

    private static IEnumerable<ConfigProblem> Proxied(string place, List<IReadOnlyList<ConfiguredNetwork>> lists, IReadOnlyList<ConfiguredNetwork> proxies)
    {
        foreach (var network in lists.SelectMany(static list => list))
        {
            if (proxies.FirstOrDefault(proxy => proxy.Holds(network) || network.Holds(proxy)) is { } proxy)
            {
                // One a route: the same pair of lists gives as many as they have entries.
                return
                [
                    new(place,
                        $"{network.Text} ({network.Place}) and the trusted proxy {proxy.Text} ({proxy.Place}) overlap: what is there is believed about "
                        + "others' addresses and let in under its own",
                        "trust the proxies' own addresses only, and let in the senders' only", IsWarning: true),
                ];
            }
        }

        return [];
    }

    /// <summary>One warning for the file, at the first of them: somebody who tries things out is told once.</summary>
    private static IEnumerable<ConfigProblem> LeftOver(IReadOnlyList<ConfiguredNetwork> all)
    {
        var left = all.Where(static network => Documentation.Any(network.IsIn)).DistinctBy(static network => network.Place)
            .ToList();
        if (left is [])
        {
            return [];
        }

        var more = left.Count == 1 ? ""
            : string.Create(CultureInfo.InvariantCulture, $"; {left.Count - 1} more like it: ")
                + string.Join(", ", left.Skip(1).Take(Named).Select(static network => network.Text)) + (left.Count - 1 > Named ? ", …" : "");
        return
        [
            new(left[0].Place, $"{left[0].Text} is an address of examples (RFC 5737, RFC 3849): nobody sends from it{more}",
                "write the sender's own addresses", IsWarning: true),
        ];
    }

    /// <summary>
    /// Each network with the narrowest one that holds it. Networks nest or lie apart, so that in the order of their first address the one that holds another is
    /// still open when that one comes; a list of n entries takes n log n steps.
    /// </summary>
    private static IEnumerable<(ConfiguredNetwork Inner, ConfiguredNetwork Outer)> Nested(IReadOnlyList<ConfiguredNetwork> networks)
    {
        var open = new Stack<ConfiguredNetwork>();
        foreach (var network in networks.OrderBy(static n => n.Network.AddressFamily).ThenBy(static n => IPNetwork2.ToBigInteger(n.Network.Network))
            .ThenBy(static n => n.Network.Cidr))
        {
            while (open.TryPeek(out var last) && !last.Holds(network))
            {
                open.Pop();
            }

            if (open.TryPeek(out var outer))
            {
                yield return (network, outer);
            }

            open.Push(network);
        }
    }

    private static IEnumerable<ConfigProblem> Bounded(IEnumerable<ConfigProblem> problems)
    {
        var all = problems.ToList();
        return all.Count <= Named ? all
            : all.Take(Named).Append(all[Named] with { Message = $"{all[Named].Message}; {all.Count - Named - 1} more of this list likewise" });
    }
}
