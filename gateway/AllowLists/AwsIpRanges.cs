using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text.Json;

namespace WebhookEdge.AllowLists;

/// <summary>One published AWS network; the same network appears once for each service that uses it.</summary>
internal readonly record struct AwsPrefix(IPNetwork Network, string Region, string Service);

/// <summary>An entry that could not be read. Region and service are null where they could not be read either.</summary>
internal sealed record AwsBadEntry(string? Region, string? Service, string Fault);

/// <summary>
/// AWS' <c>ip-ranges.json</c> (https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-ranges.html). Entries that are no sound network are left out. More than
/// a tenth of them, or one wider than any of AWS', refuse the whole document: whoever garbled those may have garbled others.
/// </summary>
internal sealed class AwsIpRanges : IRangeDocument
{
    private static readonly AwsBadEntry NotBad = new(null, null, "");

    private AwsIpRanges(long revision, string createDate, ImmutableArray<AwsPrefix> prefixes, ImmutableArray<AwsBadEntry> leftOut)
    {
        LeftOut = leftOut;
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

    /// <summary>Entries that are no sound network.</summary>
    public ImmutableArray<AwsBadEntry> LeftOut { get; }

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
            var bad = ImmutableArray.CreateBuilder<AwsBadEntry>();
            var names = new Dictionary<string, string>();
            if (!TryRead(root, "prefixes", "ip_prefix", names, prefixes, bad, out fault)
                || !TryRead(root, "ipv6_prefixes", "ipv6_prefix", names, prefixes, bad, out fault))
            {
                return false;
            }

            ranges = new AwsIpRanges(revision, createDate, prefixes.ToImmutable(), bad.ToImmutable());
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

    /// <summary>
    /// The networks of these services in these regions, both as AWS writes them; no services = <see cref="DefaultServices"/>. Each network once.
    /// </summary>
    public IReadOnlyList<IPNetwork> Select(IReadOnlyCollection<string> regions, IReadOnlyCollection<string> services)
    {
        var wanted = services.Count == 0 ? DefaultServices : services;
        return [.. Prefixes.Where(prefix => regions.Contains(prefix.Region) && wanted.Contains(prefix.Service)).Select(prefix => prefix.Network).Distinct()];
    }

    /// <summary>One sentence for every region and service that AWS does not publish, with the name that was probably meant.</summary>
    public IEnumerable<string> Unknown(IReadOnlyCollection<string> regions, IReadOnlyCollection<string> services) =>
        regions.Except(Regions).Select(region => Describe("region", region, Regions))
            .Concat(services.Except(Services).Select(service => Describe("service", service, Services)));

    public bool TrySelect(AddressQuery query, out RangeCut cut, out string fault)
    {
        cut = RangeCut.Nothing;
        var networks = Select(query.Regions, query.Services);
        var unknown = string.Join("; ", Unknown(query.Regions, query.Services));
        if (networks.Count == 0 && unknown.Length > 0)
        {
            fault = unknown;
            return false;
        }

        // One whose region or service cannot be read may have been in any list.
        var bad = LeftOut.Where(entry => (entry.Region is null || query.Regions.Contains(entry.Region))
            && (entry.Service is null || query.Services.Contains(entry.Service))).ToList();
        var total = networks.Count + bad.Count;
        if (PublishedNetwork.AreTooManyBad(bad.Count, total))
        {
            fault = PublishedNetwork.SayRefused(bad.Count, total, bad[0].Fault);
            return false;
        }

        fault = "";
        var remark = total == 0 ? "AWS publishes no network for these services in these regions: it lets nobody in"
            : PublishedNetwork.SayLeftOut(bad.Count, total, bad.FirstOrDefault()?.Fault ?? "");
        cut = new(networks, bad.Count, unknown, remark);
        return true;
    }

    private static bool TryRead(
        JsonElement root, string list, string key,
        Dictionary<string, string> names, ImmutableArray<AwsPrefix>.Builder prefixes, ImmutableArray<AwsBadEntry>.Builder bad, out string fault)
    {
        if (!root.TryGetProperty(list, out var entries) || entries.ValueKind != JsonValueKind.Array)
        {
            fault = $"{list} is missing or no array";
            return false;
        }

        var before = bad.Count;
        var index = 0;
        foreach (var entry in entries.EnumerateArray())
        {
            if (TryRead(entry, $"{list}[{index++}]", key, names, out var prefix, out var fallen, out var tooWide))
            {
                prefixes.Add(prefix);
                continue;
            }

            bad.Add(fallen);
            if (tooWide)
            {
                fault = fallen.Fault;
                return false;
            }
        }

        var count = bad.Count - before;
        fault = PublishedNetwork.AreTooManyBad(count, index) ? PublishedNetwork.SayRefused(count, index, bad[before].Fault) : "";
        return fault.Length == 0;
    }

    private static bool TryRead(JsonElement entry, string place, string key, Dictionary<string, string> names, out AwsPrefix prefix, out AwsBadEntry bad,
        out bool tooWide)
    {
        prefix = default;
        tooWide = false;
        try
        {
            if (entry.ValueKind != JsonValueKind.Object
                || !TryText(entry, key, out var text)
                || !TryText(entry, "region", out var region)
                || !TryText(entry, "service", out var service)
                || !IsName(region)
                || !IsName(service))
            {
                bad = new(null, null, $"{place} lacks {key}, region or service");
                return false;
            }

            if (!PublishedNetwork.TryParse(text, out var network, out var fault, out tooWide))
            {
                bad = new(Shared(names, region), Shared(names, service), $"{place}: {fault}");
                return false;
            }

            prefix = new(network, Shared(names, region), Shared(names, service));
            bad = NotBad;
            return true;
        }
        catch (InvalidOperationException)
        {
            // As below: a text of this entry is no valid Unicode.
            bad = new(null, null, $"{place} has a text that is no valid Unicode");
            return false;
        }
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
