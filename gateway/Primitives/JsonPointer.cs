using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace WebhookEdge.Primitives;

/// <summary>What stands at a JSON pointer. Objects and arrays are not values one can compare, so they count as <see cref="None"/>.</summary>
internal enum JsonScalar : byte
{
    /// <summary>Nothing usable: not there, a container, malformed JSON, a key that occurs twice, or a value too long for the destination.</summary>
    None = 0,
    String = (byte)'s',
    Number = (byte)'n',
    True = (byte)'t',
    False = (byte)'f',
    Null = (byte)'z',
}

/// <summary>
/// A JSON pointer (RFC 6901), compiled once and asked of raw bodies without building a document. The whole document is read every time:
/// two parsers may disagree about a broken or ambiguous one, so it yields nothing instead of the first or the last of two answers.
/// </summary>
internal sealed class JsonPointer
{
    /// <summary>Nesting beyond this is treated as malformed; up to it the JSON reader allocates nothing.</summary>
    public const int MaxDepth = 64;

    private const int MaxSegments = 32;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MaxDepth };

    private readonly Segment[] _segments;

    private JsonPointer(string text, Segment[] segments)
    {
        Text = text;
        _segments = segments;
    }

    /// <summary>The pointer as written, e.g. <c>/data/id</c>.</summary>
    public string Text { get; }

    /// <summary>Accepts RFC 6901 text: empty, or segments that each begin with <c>/</c>, with <c>~0</c> for <c>~</c> and <c>~1</c> for <c>/</c>.</summary>
    public static bool TryParse(string? text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out JsonPointer? pointer)
    {
        pointer = null;
        if (Split(text, out _) is not { } names)
        {
            return false;
        }

        var segments = new Segment[names.Length];
        for (var i = 0; i < names.Length; i++)
        {
            segments[i] = new(Encoding.UTF8.GetBytes(names[i]), IndexOf(names[i]));
        }

        pointer = new(text!, segments);
        return true;
    }

    /// <summary>
    /// The names that a pointer's text leads through, their escapes undone (RFC 6901 §3, §4); null with a reason for people when it is no pointer.
    /// </summary>
    public static string[]? Split(string? text, out string fault)
    {
        fault = "";
        if (string.IsNullOrEmpty(text))
        {
            fault = text is null ? "there is no pointer" : "";
            return text is null ? null : [];
        }

        if (text[0] != '/')
        {
            fault = $"'{text}' is no JSON pointer; it starts with a slash, as in \"/hooks\"";
            return null;
        }

        var names = text[1..].Split('/');
        if (names.Length > MaxSegments)
        {
            fault = $"the pointer is deeper than {MaxSegments} levels";
            return null;
        }

        for (var i = 0; i < names.Length; i++)
        {
            for (var at = names[i].IndexOf('~', StringComparison.Ordinal); at >= 0; at = names[i].IndexOf('~', at + 1))
            {
                if (at + 1 == names[i].Length || names[i][at + 1] is not ('0' or '1'))
                {
                    fault = $"'{text}' is no JSON pointer; write ~ in a key as ~0 and / as ~1";
                    return null;
                }
            }

            // ~1 first: "~01" means the two characters "~1", not "/".
            names[i] = names[i].Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
        }

        return names;
    }

    /// <summary>Which element of an array a name means (RFC 6901 §4: digits without a leading zero); −1 = none.</summary>
    public static int IndexOf(string name) =>
        name.Length is > 0 and < 10 && !name.AsSpan().ContainsAnyExceptInRange('0', '9') && (name.Length == 1 || name[0] != '0')
            ? int.Parse(name, NumberStyles.None, CultureInfo.InvariantCulture) : -1;

    /// <summary>
    /// Writes the value at the pointer to <paramref name="destination"/>: a string's unescaped UTF-8, a number's digits as they stand (1, 1.0 and 1e0 differ).
    /// Never throws; allocates nothing unless the document is malformed.
    /// </summary>
    public JsonScalar Find(in ReadOnlySequence<byte> json, Span<byte> destination, out int written)
    {
        written = 0;
        if (json.IsEmpty)
        {
            return JsonScalar.None;
        }

        try
        {
            var reader = json.IsSingleSegment ? new Utf8JsonReader(json.FirstSpan, Options) : new Utf8JsonReader(json, Options);
            var found = new Finding();
            reader.Read();
            Walk(ref reader, 0, ref found, destination);
            while (reader.Read())
            {
                // Only trailing bytes are left; anything but white space throws.
            }

            if (found.Ambiguous || found.Kind == JsonScalar.None)
            {
                return JsonScalar.None;
            }

            written = found.Written;
            return found.Kind;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string of invalid UTF-8, or an escaped half of a surrogate pair.
            return JsonScalar.None;
        }
    }

    /// <summary>As <see cref="Find"/>, with the kind as first byte, so that "1" and 1 are different keys.</summary>
    public bool TryFind(in ReadOnlySequence<byte> json, Span<byte> destination, out int written)
    {
        written = 0;
        if (destination.IsEmpty)
        {
            return false;
        }

        var kind = Find(json, destination[1..], out var length);
        if (kind == JsonScalar.None)
        {
            return false;
        }

        destination[0] = (byte)kind;
        written = length + 1;
        return true;
    }

    public override string ToString() => Text;

    private void Walk(ref Utf8JsonReader reader, int level, ref Finding found, Span<byte> destination)
    {
        if (level == _segments.Length)
        {
            Take(ref reader, ref found, destination);
            reader.Skip();
            return;
        }

        var segment = _segments[level];
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            var seen = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var matches = reader.ValueTextEquals(segment.Name);
                reader.Read();
                if (!matches)
                {
                    reader.Skip();
                    continue;
                }

                found.Ambiguous |= seen;
                seen = true;
                Walk(ref reader, level + 1, ref found, destination);
            }
        }
        else if (reader.TokenType == JsonTokenType.StartArray)
        {
            for (var i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
            {
                if (i == segment.Index)
                {
                    Walk(ref reader, level + 1, ref found, destination);
                }
                else
                {
                    reader.Skip();
                }
            }
        }
    }

    private static void Take(ref Utf8JsonReader reader, ref Finding found, Span<byte> destination)
    {
        found.Kind = reader.TokenType switch
        {
            JsonTokenType.String => JsonScalar.String,
            JsonTokenType.Number => JsonScalar.Number,
            JsonTokenType.True => JsonScalar.True,
            JsonTokenType.False => JsonScalar.False,
            JsonTokenType.Null => JsonScalar.Null,
            _ => JsonScalar.None,
        };
        found.Written = 0;
        if (found.Kind is not (JsonScalar.String or JsonScalar.Number))
        {
            return;
        }

        // The escaped form is never shorter than the unescaped one, so this bound makes CopyString safe.
        var length = reader.HasValueSequence ? reader.ValueSequence.Length : reader.ValueSpan.Length;
        if (length > destination.Length)
        {
            found.Kind = JsonScalar.None;
        }
        else if (found.Kind == JsonScalar.String)
        {
            found.Written = reader.CopyString(destination);
        }
        else
        {
            if (reader.HasValueSequence)
            {
                reader.ValueSequence.CopyTo(destination);
            }
            else
            {
                reader.ValueSpan.CopyTo(destination);
            }

            found.Written = (int)length;
        }
    }

    private struct Finding
    {
        public JsonScalar Kind;
        public int Written;
        public bool Ambiguous;
    }

    private readonly record struct Segment(byte[] Name, int Index);
}
