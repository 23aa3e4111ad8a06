using System.Collections.Immutable;
using System.Net;
using WebhookEdge.AllowLists;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes;

/// <summary>A route's <c>allow</c>, its provider's sources and named sets → networks, and the lists that are fetched.</summary>
internal static class AllowCompiler
{
    private const string DefaultAwsUrl = "https://ip-ranges.amazonaws.com/ip-ranges.json";

    public static CheckRecipe? Compile(Compilation work, ResolvedRoute route)
    {
        var from = route.Sources;
        if (route.ComesFromAnywhere)
        {
            return null;
        }

        var networks = new List<IPNetwork>();
        var lists = new List<AddressListNeed>();
        for (var i = 0; i < from.Count; i++)
        {
            var entry = from[i];
            if (entry.StartsWith("aws:", StringComparison.Ordinal))
            {
                var parts = entry.Split(':');
                AddFeed(work, "edge.awsRanges", lists, () => Aws(work, [parts[1]], parts.Length > 2 ? [parts[2]] : null));
            }
            else if (work.File.AddressSets?.GetValueOrDefault(entry) is { } set)
            {
                CompileSet(work, JsonPath.Key("addressSets", entry), set, networks, lists);
            }
            else if (Presets.Find(entry)?.Sources is { } published)
            {
                CompileSet(work, JsonPath.Item(route.SourcesPlace, i), published, networks, lists);
            }
            else if (AddressParser.TryParseNetwork(entry, out var network, out _))
            {
                networks.Add(network);
            }
        }

        var written = CidrSet.Create(networks);
        return resources => new AllowListCheck(written, [.. lists.Select(resources.List).Distinct()]);
    }

    private static void CompileSet(Compilation work, string place, AddressSetSpec set, List<IPNetwork> networks, List<AddressListNeed> lists)
    {
        foreach (var (text, i) in (set.Cidrs ?? []).Select(static (t, i) => (t, i)))
        {
            if (AddressParser.TryParseNetwork(text, out var network, out var fault))
            {
                networks.Add(network);
            }
            else
            {
                work.Problems.Add(new($"{place}.cidrs[{i}]", fault));
            }
        }

        if (set.Aws is { Regions: { } regions } aws)
        {
            AddFeed(work, $"{place}.aws", lists, () => Aws(work, regions, aws.Services));
        }

        if (set.Json is { Url: { } url, Pointer: { } pointer } json)
        {
            AddFeed(work, $"{place}.json", lists, () => AddressListNeed.Json(url, pointer, json.Refresh?.Value ?? TimeSpan.FromHours(6)));
        }
    }

    /// <summary>
    /// What the validator has refused already is not asked for again; what it could not know (a feed's own objection) becomes a problem here.
    /// </summary>
    private static void AddFeed(Compilation work, string place, List<AddressListNeed> lists, Func<AddressListNeed> ask)
    {
        try
        {
            lists.Add(ask());
        }
        catch (ArgumentException e)
        {
            if (!work.Problems.Exists(p => !p.IsWarning && p.Path.StartsWith(place, StringComparison.Ordinal)))
            {
                work.Problems.Add(new(place, e.Message));
            }
        }
    }

    private static AddressListNeed Aws(Compilation work, IReadOnlyList<string> regions, IReadOnlyList<string>? services)
    {
        var ranges = work.File.Edge?.AwsRanges;
        return AddressListNeed.Aws(ranges?.Url ?? DefaultAwsUrl, ranges?.Refresh?.Value ?? TimeSpan.FromHours(1),
            ranges?.AlarmAfter?.Value ?? TimeSpan.FromDays(7), regions, services ?? ["AMAZON"]);
    }
}
