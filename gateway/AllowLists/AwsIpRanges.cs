using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text.Json;

namespace WebhookEdge.AllowLists;

/// <summary>One published AWS network; the same network appears once for each service that uses it.</summary>
internal readonly record struct AwsPrefix(IPNetwork Network, string Region, string Service);

/// <summary>
/// AWS' <c>ip-ranges.json</c> (https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-ranges.html). All or nothing: one entry that is no sound
/// network refuses the whole document, since whoever garbled one may have garbled others.
/// </summary>
internal sealed class AwsIpRanges : IRangeDocument
{
    private AwsIpRanges(long revision, string createDate, ImmutableArray<AwsPrefix> prefixes)
    {
        Revision = revision;
        CreateDate = createDate;
        Prefixes = prefixes;
        Regions = [.. prefixes.Select(prefix => prefix.Region).Distinct().Order(StringComparer.Ordinal)];
        Services = [.. prefixes.Select(prefix => prefix.Service).Distinct().Order(StringComparer.Ordinal)];
    }

    /// <summary>What a list takes when it names no service: AWS' name for everything it owns.</summary>
    public static ImmutableArray<string> DefaultServices { get; } = ["AMAZON"];

    /// <summary><c>syncToken</c>: the time of publication, in Unix seconds.</summary>
    public long Revision { get; }

    /// <summary><c>createDate</c> as AWS writes it: <c>YY-MM-DD-hh-mm-ss</c>, UTC.</summary>
    public string CreateDate { get; }

    public ImmutableArray<AwsPrefix> Prefixes { get; }

    /// <summary>Every region with a network, sorted; <c>GLOBAL</c> is one of them.</summary>
    public ImmutableArray<string> Regions { get; }

    /// <summary>Every service with a network, sorted.</summary>
    public ImmutableArray<string> Services { get; }

    public static bool TryParse(ReadOnlyMemory<byte> json, out AwsIpRanges? ranges, out string fault)
    {
        ranges = null;
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                fault = "the document is no JSON object";
                return false;
            }

            if (!TryText(root, "syncToken", out var token) || !long.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out var revision))
            {
                fault = "syncToken is missing or no number";
                return false;
            }

            if (!TryText(root, "createDate", out var createDate))
            {
                fault = "createDate is missing";
                return false;
            }

            var prefixes = ImmutableArray.CreateBuilder<AwsPrefix>();
            var names = new Dictionary<string, string>();
            if (!TryRead(root, "prefixes", "ip_prefix", names, prefixes, out fault)
                || !TryRead(root, "ipv6_prefixes", "ipv6_prefix", names, prefixes, out fault))
            {
                return false;
            }

            ranges = new AwsIpRanges(revision, createDate, prefixes.ToImmutable());
            return true;
        }
        catch (JsonException e)
        {
            fault = $"the document is no valid JSON, near line {e.LineNumber + 1}";
            return false;
        }
        catch (InvalidOperationException)
        {
            // How System.Text.Json says that a text is invalid UTF-8 or half of a surrogate pair: only when it is asked for, not when it is parsed.
            fault = "a text in the document is no valid Unicode";
            return false;
        }
    }

    /// <summary>The networks of these services in these regions, both as AWS writes them; no services = <see cref="DefaultServices"/>. Each network once.</summary>
    public IReadOnlyList<IPNetwork> Select(IReadOnlyCollection<string> regions, IReadOnlyCollection<string> services)
    {
        var wanted = services.Count == 0 ? DefaultServices : services;
        return [.. Prefixes.Where(prefix => regions.Contains(prefix.Region) && wanted.Contains(prefix.Service)).Select(prefix => prefix.Network).Distinct()];
    }

    /// <summary>One sentence for every region and service that AWS does not publish, with the name that was probably meant.</summary>
    public IEnumerable<string> Unknown(IReadOnlyCollection<string> regions, IReadOnlyCollection<string> services) =>
        regions.Except(Regions).Select(region => Describe("region", region, Regions))
            .Concat(services.Except(Services).Select(service => Describe("service", service, Services)));

    public bool TrySelect(AddressQuery query, out IReadOnlyList<IPNetwork> networks, out string fault)
    {
        networks = Select(query.Regions, query.Services);
        fault = string.Join("; ", Unknown(query.Regions, query.Services));
        if (networks.Count > 0)
        {
            return true;
        }

        fault = fault.Length > 0 ? fault : "AWS publishes no network for these services in these regions";
        return false;
    }

    private static bool TryRead(
        JsonElement root, string list, string key, Dictionary<string, string> names, ImmutableArray<AwsPrefix>.Builder prefixes, out string fault)
    {
        if (!root.TryGetProperty(list, out var entries) || entries.ValueKind != JsonValueKind.Array)
        {
            fault = $"{list} is missing or no array";
            return false;
        }

        var index = 0;
        foreach (var entry in entries.EnumerateArray())
        {
            var place = $"{list}[{index++}]";
            if (entry.ValueKind != JsonValueKind.Object
                || !TryText(entry, key, out var text)
                || !TryText(entry, "region", out var region)
                || !TryText(entry, "service", out var service)
                || !IsName(region)
                || !IsName(service))
            {
                fault = $"{place} lacks {key}, region or service";
                return false;
            }

            if (!PublishedNetwork.TryParse(text, out var network, out fault))
            {
                fault = $"{place}: {fault}";
                return false;
            }

            prefixes.Add(new(network, Shared(names, region), Shared(names, service)));
        }

        fault = "";
        return true;
    }

    private static bool TryText(JsonElement element, string key, out string text)
    {
        text = element.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() ?? "" : "";
        return text.Length > 0;
    }

    /// <summary>Names end up in messages and logs, so nothing else passes.</summary>
    private static bool IsName(string text) => text.Length <= 64 && text.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_');

    /// <summary>Some 70 names stand behind some 17,000 entries; each is kept once.</summary>
    private static string Shared(Dictionary<string, string> names, string name)
    {
        if (names.TryGetValue(name, out var known))
        {
            return known;
        }

        names.Add(name, name);
        return name;
    }

    private static string Describe(string kind, string name, ImmutableArray<string> known)
    {
        var closest = known.Select(candidate => (candidate, distance: Distance(name, candidate))).DefaultIfEmpty(("", int.MaxValue)).MinBy(pair => pair.Item2);
        return closest.Item2 <= Math.Max(2, name.Length / 4)
            ? $"unknown {kind} '{name}'; did you mean '{closest.Item1}'?"
            : $"unknown {kind} '{name}'; AWS publishes {string.Join(", ", known)}";
    }

    /// <summary>Insertions, deletions and replacements between two names (Levenshtein), case ignored.</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = diagonal + (char.ToUpperInvariant(a[i - 1]) == char.ToUpperInvariant(b[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
