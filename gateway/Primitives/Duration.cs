using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WebhookEdge.Primitives;

/// <summary>A duration as routes.json writes it: a positive number and a unit, <c>"250ms" "8.5s" "5m" "72h" "7d"</c>.</summary>
[JsonConverter(typeof(DurationConverter))]
internal readonly record struct Duration(TimeSpan Value) : ISpanParsable<Duration>
{
    /// <summary>Ten years; nothing here is meant to take longer.</summary>
    private const long MaxTicks = 3650 * TimeSpan.TicksPerDay;

    public static implicit operator TimeSpan(Duration duration) => duration.Value;

    public static Duration Parse(ReadOnlySpan<char> s, IFormatProvider? provider) =>
        TryParse(s, provider, out var result) ? result : throw new FormatException("not a duration");

    public static Duration Parse(string s, IFormatProvider? provider) => Parse(s.AsSpan(), provider);

    public static bool TryParse(string? s, IFormatProvider? provider, out Duration result) => TryParse(s.AsSpan(), provider, out result);

    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out Duration result)
    {
        result = default;
        (int length, long ticks) unit = s switch
        {
            [.., 'm', 's'] => (2, TimeSpan.TicksPerMillisecond),
            [.., 's'] => (1, TimeSpan.TicksPerSecond),
            [.., 'm'] => (1, TimeSpan.TicksPerMinute),
            [.., 'h'] => (1, TimeSpan.TicksPerHour),
            [.., 'd'] => (1, TimeSpan.TicksPerDay),
            _ => (0, 0),
        };
        var digits = s[..^unit.length];
        if (unit.length == 0
            || digits.IsEmpty
            || !char.IsAsciiDigit(digits[0])
            || !char.IsAsciiDigit(digits[^1])
            || !decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            || number > (decimal)MaxTicks / unit.ticks)
        {
            return false;
        }

        // In decimal: 1.001 s is 1,001 ms, which binary fractions would round down.
        var ticks = (long)(number * unit.ticks);
        result = new(TimeSpan.FromTicks(ticks));
        return ticks > 0;
    }

    public override string ToString() => Value.Ticks switch
    {
        var t and >= TimeSpan.TicksPerDay when t % TimeSpan.TicksPerDay == 0 => Format(t, TimeSpan.TicksPerDay, "d"),
        var t and >= TimeSpan.TicksPerHour when t % TimeSpan.TicksPerHour == 0 => Format(t, TimeSpan.TicksPerHour, "h"),
        var t and >= TimeSpan.TicksPerMinute when t % TimeSpan.TicksPerMinute == 0 => Format(t, TimeSpan.TicksPerMinute, "m"),
        var t and >= TimeSpan.TicksPerSecond => Format(t, TimeSpan.TicksPerSecond, "s"),
        var t => Format(t, TimeSpan.TicksPerMillisecond, "ms"),
    };

    private static string Format(long ticks, long unit, string name) => ((decimal)ticks / unit).ToString("0.#######", CultureInfo.InvariantCulture) + name;
}

internal sealed class DurationConverter : JsonConverter<Duration>
{
    public override Duration Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && Duration.TryParse(reader.GetString(), null, out var value)
            ? value
            : throw new JsonException(
                "not a duration above zero and up to ten years; write a number and a unit: \"250ms\", \"8.5s\", \"5m\", \"72h\" or \"7d\"");

    public override void Write(Utf8JsonWriter writer, Duration value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
