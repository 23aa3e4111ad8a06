using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text.Json;

namespace WebhookEdge.AllowLists;

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
