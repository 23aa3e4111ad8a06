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
    /// The elements the pointer leads to. Null when a step leads nowhere; behind a <c>*</c> a missing key skips that element only, for lists whose
    /// entries have one key or another (<c>ipv4Prefix</c>, <c>ipv6Prefix</c>).
    /// </summary>
    public IReadOnlyList<JsonElement>? Find(JsonElement root)
    {
        var found = new List<JsonElement>();
        return Walk(root, 0, false, found) ? found : null;
    }

    private bool Walk(JsonElement element, int depth, bool optional, List<JsonElement> found)
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
                foreach (var child in element.EnumerateArray())
                {
                    if (!Walk(child, depth + 1, true, found))
                    {
                        return false;
                    }
                }

                return true;

            case JsonValueKind.Array when IsIndex(segment, out var index) && index < element.GetArrayLength():
                return Walk(element[index], depth + 1, optional, found);

            case JsonValueKind.Object when segment != "*" && element.TryGetProperty(segment, out var value):
                return Walk(value, depth + 1, optional, found);

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

    /// <summary>One entry that is no sound network refuses the list.</summary>
    public bool TrySelect(AddressQuery query, out IReadOnlyList<IPNetwork> networks, out string fault)
    {
        var pointer = query.Pointer ?? throw new ArgumentException("a JSON list needs a pointer", nameof(query));
        var result = new List<IPNetwork>();
        networks = result;
        try
        {
            return TryRead(pointer, result, out fault);
        }
        catch (InvalidOperationException)
        {
            // How System.Text.Json says that a text is invalid UTF-8 or half of a surrogate pair: only when it is asked for, not when it is parsed.
            fault = $"'{pointer.Text}' leads to a text that is no valid Unicode";
            return false;
        }
    }

    private bool TryRead(JsonListPointer pointer, List<IPNetwork> result, out string fault)
    {
        var found = pointer.Find(_root);
        if (found is null)
        {
            fault = $"the document has nothing at '{pointer.Text}'";
            return false;
        }

        foreach (var element in found)
        {
            var entries = element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : (IEnumerable<JsonElement>)[element];
            foreach (var entry in entries)
            {
                if (entry.ValueKind != JsonValueKind.String)
                {
                    fault = $"'{pointer.Text}' leads to something that is no text";
                    return false;
                }

                if (!PublishedNetwork.TryParse(entry.GetString() ?? "", out var network, out fault))
                {
                    fault = $"'{pointer.Text}': {fault}";
                    return false;
                }

                result.Add(network);
            }
        }

        fault = result.Count > 0 ? "" : $"'{pointer.Text}' leads to an empty list";
        return result.Count > 0;
    }
}
