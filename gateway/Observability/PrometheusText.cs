using System.Buffers;
using System.Globalization;
using System.Text;

namespace WebhookEdge.Observability;

/// <summary>
/// The Prometheus text format, version 0.0.4: names, units and escaping as the OpenTelemetry specification maps them ("Prometheus and OpenMetrics
/// Compatibility"). Values keep their whole precision. Not for several threads.
/// </summary>
internal sealed class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly ArrayBufferWriter<byte> _text = new(64 * 1024);
    private readonly StringBuilder _line = new(256);

    /// <summary>What was written since the last call.</summary>
    public byte[] Take()
    {
        var text = _text.WrittenSpan.ToArray();
        _text.ResetWrittenCount();
        return text;
    }

    /// <summary>
    /// A metric's name: letters, digits, <c>_</c> and <c>:</c>; the unit at its end, spelled out; <c>_total</c> for a counter, <c>_ratio</c> for a gauge of
    /// unit 1.
    /// </summary>
    public static string NameOf(string instrument, string? unit, bool isCounter, bool isGauge)
    {
        var name = Plain(instrument, colon: true);
        var suffix = UnitOf(unit);
        if (suffix.Length > 0 && !name.EndsWith("_" + suffix, StringComparison.Ordinal))
        {
            name += "_" + suffix;
        }

        if (isGauge && unit == "1" && !name.EndsWith("_ratio", StringComparison.Ordinal))
        {
            name += "_ratio";
        }

        return isCounter && !name.EndsWith("_total", StringComparison.Ordinal) ? name + "_total" : name;
    }

    /// <summary>A label's name.</summary>
    public static string LabelOf(string tag) => Plain(tag, colon: false);

    public void Head(string name, string type, string help)
    {
        _line.Append("# HELP ").Append(name).Append(' ')
            .Append(help.Replace(@"\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal)).Append('\n');
        _line.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
        Flush();
    }

    /// <param name="labels">From <see cref="LabelsOf"/>.</param>
    /// <param name="bucket">Upper bound of a histogram's bucket; null for what is none.</param>
    public void Sample(string name, string suffix, string labels, double value, double? bucket = null)
    {
        Begin(name, suffix, labels, bucket);
        Append(value);
        _line.Append('\n');
        Flush();
    }

    public void Sample(string name, string suffix, string labels, long value, double? bucket = null)
    {
        Begin(name, suffix, labels, bucket);
        _line.Append(CultureInfo.InvariantCulture, $"{value}\n");
        Flush();
    }

    /// <summary>Labels without their braces. Two tags that become one label by their names are joined with a semicolon.</summary>
    public static string LabelsOf(IEnumerable<KeyValuePair<string, object?>> tags)
    {
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (tag, value) in tags)
        {
            var text = value switch
            {
                null => "",
                bool yes => yes ? "true" : "false",
                IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
                _ => value.ToString() ?? "",
            };
            var name = LabelOf(tag);
            labels[name] = labels.TryGetValue(name, out var other) ? $"{other};{text}" : text;
        }

        return string.Join(',', labels.Select(static label => $"{label.Key}=\"{Escape(label.Value)}\""));
    }

    private static string Escape(string value) =>
        value.AsSpan().ContainsAny('\\', '"', '\n')
            ? value.Replace(@"\", @"\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("\n", @"\n", StringComparison.Ordinal)
            : value;

    private static string Plain(string text, bool colon)
    {
        var plain = new StringBuilder(text.Length + 1);
        foreach (var c in text)
        {
            if (plain.Length == 0 && char.IsAsciiDigit(c))
            {
                plain.Append('_');
            }

            if (char.IsAsciiLetterOrDigit(c) || (colon && c == ':'))
            {
                plain.Append(c);
            }
            else if (plain.Length == 0 || plain[^1] != '_')
            {
                plain.Append('_');
            }
        }

        return plain.ToString();
    }

    private static string UnitOf(string? unit)
    {
        if (string.IsNullOrEmpty(unit) || unit is "1")
        {
            return "";
        }

        // Annotations say what is counted, and the name says so already.
        var open = unit.IndexOf('{', StringComparison.Ordinal);
        var bare = open >= 0 && unit.IndexOf('}', open) is > 0 and var close ? unit.Remove(open, close - open + 1) : unit;
        var slash = bare.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
        {
            return Plain(Word(bare), colon: false).Trim('_');
        }

        var (of, per) = (Word(bare[..slash]),
            bare[(slash + 1)..] switch { "s" => "second", "m" or "min" => "minute", "h" => "hour", "d" => "day", var other => other });
        return Plain(of.Length == 0 ? $"per_{per}" : $"{of}_per_{per}", colon: false).Trim('_');
    }

    private static string Word(string unit) => unit switch
    {
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "min" => "minutes",
        "h" => "hours",
        "d" => "days",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "%" => "percent",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "m" => "meters",
        _ => unit,
    };

    private void Begin(string name, string suffix, string labels, double? bucket)
    {
        _line.Append(name).Append(suffix);
        if (labels.Length > 0 || bucket is not null)
        {
            _line.Append('{').Append(labels);
            if (bucket is { } bound)
            {
                _line.Append(labels.Length > 0 ? ",le=\"" : "le=\"");
                Append(bound);
                _line.Append('"');
            }

            _line.Append('}');
        }

        _line.Append(' ');
    }

    private void Append(double value)
    {
        if (double.IsPositiveInfinity(value))
        {
            _line.Append("+Inf");
        }
        else if (double.IsNegativeInfinity(value))
        {
            _line.Append("-Inf");
        }
        else
        {
            _line.Append(CultureInfo.InvariantCulture, $"{value}");
        }
    }

    private void Flush()
    {
        foreach (var chunk in _line.GetChunks())
        {
            Encoding.UTF8.GetBytes(chunk.Span, _text);
        }

        _line.Clear();
    }
}
