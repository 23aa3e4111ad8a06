using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text.Json;

namespace WebhookEdge.AllowLists;

/// <summary>
/// A JSON pointer (RFC 6901) in which the segment <c>*</c> stands for every element of an array: <c>/hooks</c>, <c>/items/*/cidr</c>. A key that
/// really is <c>*</c> cannot be named.
/// </summary>
internal sealed class JsonListPointer
{
    private readonly ImmutableArray<string> _segments;

    private JsonListPointer(string text, ImmutableArray<string> segments)
    {
        Text = text;
        _segments = segments;
    }

    public string Text { get; }

    public static bool TryParse(string text, out JsonListPointer? pointer, out string fault)
    {
        pointer = null;
        fault = "";
        if (text.Length > 0 && text[0] != '/')
        {
            fault = $"'{text}' is no JSON pointer; it starts with a slash, as in \"/hooks\" or \"/items/*/cidr\"";
            return false;
        }

        var segments = text.Length == 0 ? [] : text[1..].Split('/');
        for (var i = 0; i < segments.Length; i++)
        {
            if (segments[i].Replace("~0", "", StringComparison.Ordinal).Replace("~1", "", StringComparison.Ordinal).Contains('~'))
            {
                fault = $"'{text}' is no JSON pointer; write ~ in a key as ~0 and / as ~1";
                return false;
            }

            segments[i] = segments[i].Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
        }

        pointer = new JsonListPointer(text, [.. segments]);
        return true;
    }

    /// <summary>
    /// The elements the pointer leads to, none where a <c>*</c> met an empty array only. Null when a step leads nowhere; behind a <c>*</c> a missing key
    /// skips that element only, for lists whose entries have one key or another (<c>ipv4Prefix</c>, <c>ipv6Prefix</c>), but not all of them may lack it.
    /// </summary>
    public IReadOnlyList<JsonElement>? Find(JsonElement root)
    {
        var found = new List<JsonElement>();
        var metEmpty = false;
        return Walk(root, 0, false, found, ref metEmpty) && (found.Count > 0 || metEmpty) ? found : null;
    }

    private bool Walk(JsonElement element, int depth, bool optional, List<JsonElement> found, ref bool metEmpty)
    {
        if (depth == _segments.Length)
        {
            found.Add(element);
            return true;
        }

        var segment = _segments[depth];
        switch (element.ValueKind)
        {
            case JsonValueKind.Array when segment == "*":
                metEmpty |= element.GetArrayLength() == 0;
                foreach (var child in element.EnumerateArray())
                {
                    if (!Walk(child, depth + 1, true, found, ref metEmpty))
                    {
                        return false;
                    }
                }

                return true;

            case JsonValueKind.Array when IsIndex(segment, out var index) && index < element.GetArrayLength():
                return Walk(element[index], depth + 1, optional, found, ref metEmpty);

            case JsonValueKind.Object when segment != "*" && element.TryGetProperty(segment, out var value):
                return Walk(value, depth + 1, optional, found, ref metEmpty);

            // A wildcard over something that is no array is a fault even in an optional place: the document is not what the pointer was written for.
            default:
                return optional && segment != "*";
        }
    }

    private static bool IsIndex(string segment, out int index) =>
        int.TryParse(segment, NumberStyles.None, CultureInfo.InvariantCulture, out index) && (segment == "0" || segment[0] != '0');
}

/// <summary>Any JSON document with lists of addresses in it; the pointer of each list says where.</summary>
internal sealed class JsonAddressDocument : IRangeDocument
{
    private readonly JsonElement _root;

    private JsonAddressDocument(JsonElement root)
    {
        _root = root;
    }

    public long Revision => 0;

    public static bool TryParse(ReadOnlyMemory<byte> json, out JsonAddressDocument? document, out string fault)
    {
        document = null;
        fault = "";
        try
        {
            using var parsed = JsonDocument.Parse(json);
            document = new JsonAddressDocument(parsed.RootElement.Clone());
            return true;
        }
        catch (JsonException e)
        {
            fault = $"the document is no valid JSON, near line {e.LineNumber + 1}";
            return false;
        }
    }

    /// <summary>
    /// A list that is there and empty is taken, with a remark. Entries that are no sound network are left out, unless they are more than a tenth or one is
    /// wider than any sender's: then the list is refused.
    /// </summary>
    public bool TrySelect(AddressQuery query, out RangeCut cut, out string fault)
    {
        var pointer = query.Pointer ?? throw new ArgumentException("a JSON list needs a pointer", nameof(query));
        cut = RangeCut.Nothing;
        if (pointer.Find(_root) is not { } found)
        {
            fault = $"the document has nothing at '{pointer.Text}'";
            return false;
        }

        var networks = new List<IPNetwork>();
        var (total, bad, first) = (0, 0, "");
        foreach (var entry in found.SelectMany(static element => element.ValueKind == JsonValueKind.Array ? element.EnumerateArray()
            : (IEnumerable<JsonElement>)[element]))
        {
            total++;
            if (TryRead(entry, out var network, out fault, out var tooWide))
            {
                networks.Add(network);
                continue;
            }

            fault = $"'{pointer.Text}': {fault}";
            first = bad++ == 0 ? fault : first;
            if (tooWide)
            {
                return false;
            }
        }

        if (PublishedNetwork.AreTooManyBad(bad, total))
        {
            fault = PublishedNetwork.SayRefused(bad, total, first);
            return false;
        }

        fault = "";
        cut = new(networks, bad, "", total == 0 ? $"'{pointer.Text}' is an empty list: it lets nobody in" : PublishedNetwork.SayLeftOut(bad, total, first));
        return true;
    }

    private static bool TryRead(JsonElement entry, out IPNetwork network, out string fault, out bool tooWide)
    {
        network = default;
        tooWide = false;
        fault = "leads to something that is no text";
        try
        {
            return entry.ValueKind == JsonValueKind.String && PublishedNetwork.TryParse(entry.GetString() ?? "", out network, out fault, out tooWide);
        }
        catch (InvalidOperationException)
        {
            // How System.Text.Json says that a text is invalid UTF-8 or half of a surrogate pair: only when it is asked for, not when it is parsed.
            fault = "leads to a text that is no valid Unicode";
            return false;
        }
    }
}
