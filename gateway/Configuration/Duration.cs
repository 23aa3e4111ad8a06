using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WebhookEdge.Configuration;

/// <summary>A duration as routes.json writes it: a positive number and a unit, <c>"250ms" "8.5s" "5m" "72h" "7d"</c>.</summary>
[JsonConverter(typeof(DurationConverter))]
internal readonly record struct Duration(TimeSpan Value) : ISpanParsable<Duration>
{
    public static implicit operator TimeSpan(Duration duration) => duration.Value;

    public static Duration Parse(ReadOnlySpan<char> s, IFormatProvider? provider) =>
        TryParse(s, provider, out var result) ? result : throw new FormatException("not a duration");

    public static Duration Parse(string s, IFormatProvider? provider) => Parse(s.AsSpan(), provider);

    public static bool TryParse(string? s, IFormatProvider? provider, out Duration result) => TryParse(s.AsSpan(), provider, out result);

    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out Duration result)
    {
        result = default;
        (int length, double milliseconds) unit = s switch
        {
            [.., 'm', 's'] => (2, 1),
            [.., 's'] => (1, 1_000),
            [.., 'm'] => (1, 60_000),
            [.., 'h'] => (1, 3_600_000),
            [.., 'd'] => (1, 86_400_000),
            _ => (0, 0),
        };
        if (unit.length == 0
            || !decimal.TryParse(s[..^unit.length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            || number <= 0
            || (double)number * unit.milliseconds > TimeSpan.FromDays(3650).TotalMilliseconds)
        {
            return false;
        }

        result = new(TimeSpan.FromMilliseconds((double)number * unit.milliseconds));
        return true;
    }

    public override string ToString() => Value switch
    {
        { TotalDays: >= 1 } when Value.Ticks % TimeSpan.TicksPerDay == 0 => $"{Value.TotalDays}d",
        { TotalHours: >= 1 } when Value.Ticks % TimeSpan.TicksPerHour == 0 => $"{Value.TotalHours}h",
        { TotalMinutes: >= 1 } when Value.Ticks % TimeSpan.TicksPerMinute == 0 => $"{Value.TotalMinutes}m",
        { TotalSeconds: >= 1 } => $"{Value.TotalSeconds}s",
        _ => $"{Value.TotalMilliseconds}ms",
    };
}

internal sealed class DurationConverter : JsonConverter<Duration>
{
    public override Duration Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && Duration.TryParse(reader.GetString(), null, out var value)
            ? value
            : throw new JsonException("not a duration; write a number and a unit: \"250ms\", \"8.5s\", \"5m\", \"72h\" or \"7d\"");

    public override void Write(Utf8JsonWriter writer, Duration value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
