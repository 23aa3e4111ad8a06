using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WebhookEdge.Primitives;

/// <summary>A size as routes.json writes it: a positive whole number and a unit, <c>"512B" "64KiB" "1MiB" "2GiB"</c>.</summary>
[JsonConverter(typeof(ByteSizeConverter))]
internal readonly record struct ByteSize(long Bytes)
{
    public static bool TryParse(ReadOnlySpan<char> s, out ByteSize result)
    {
        result = default;
        (int length, int shift) unit = s switch
        {
            [.., 'K', 'i', 'B'] => (3, 10),
            [.., 'M', 'i', 'B'] => (3, 20),
            [.., 'G', 'i', 'B'] => (3, 30),
            [.., 'B'] => (1, 0),
            _ => (0, 0),
        };
        if (unit.length == 0 || !long.TryParse(s[..^unit.length], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number <= 0
            || number > (1L << 40) >> unit.shift)
        {
            return false;
        }

        result = new(number << unit.shift);
        return true;
    }

    public override string ToString() => Bytes switch
    {
        > 0 when Bytes % (1L << 30) == 0 => $"{Bytes >> 30}GiB",
        > 0 when Bytes % (1L << 20) == 0 => $"{Bytes >> 20}MiB",
        > 0 when Bytes % (1L << 10) == 0 => $"{Bytes >> 10}KiB",
        _ => $"{Bytes}B",
    };
}

internal sealed class ByteSizeConverter : JsonConverter<ByteSize>
{
    public override ByteSize Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && ByteSize.TryParse(reader.GetString(), out var value)
            ? value
            : throw new JsonException("not a size; write a whole number and a unit: \"512B\", \"64KiB\", \"1MiB\" or \"2GiB\"");

    public override void Write(Utf8JsonWriter writer, ByteSize value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
