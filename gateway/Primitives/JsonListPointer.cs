using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace WebhookEdge.Primitives;

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

    public static bool TryParse(string text, [NotNullWhen(true)] out JsonListPointer? pointer, out string fault)
    {
        pointer = JsonPointer.Split(text, out fault) is { } segments ? new(text, [.. segments]) : null;
        return pointer is not null;
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

            case JsonValueKind.Array when JsonPointer.IndexOf(segment) is >= 0 and var index && index < element.GetArrayLength():
                return Walk(element[index], depth + 1, optional, found, ref metEmpty);

            case JsonValueKind.Object when segment != "*" && element.TryGetProperty(segment, out var value):
                return Walk(value, depth + 1, optional, found, ref metEmpty);

            // A wildcard over something that is no array is a fault even in an optional place: the document is not what the pointer was written for.
            default:
                return optional && segment != "*";
        }
    }
}
