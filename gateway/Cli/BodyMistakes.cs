using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace WebhookEdge.Cli;

/// <summary>What a body may have been before something on the way changed it.</summary>
internal static class BodyMistakes
{
    public static IEnumerable<(byte[] Body, string Mistake)> Of(byte[] body)
    {
        var text = Encoding.Latin1.GetString(body);
        yield return (Encoding.Latin1.GetBytes(text.TrimEnd('\r', '\n')),
            "the body was signed without the newline at its end: an editor, a shell or a proxy added it");
        yield return ([.. body, (byte)'\n'], "the body was signed with a newline at its end, which was removed on the way or when it was saved");
        yield return ([.. body, (byte)'\r', (byte)'\n'], "the body was signed with CRLF at its end, which was removed on the way or when it was saved");
        yield return (Encoding.Latin1.GetBytes(text.Replace("\r\n", "\n", StringComparison.Ordinal)),
            "the body was signed with LF line ends and holds CRLF: something converted it");
        yield return (Encoding.Latin1.GetBytes(text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal)),
            "the body was signed with CRLF line ends and holds LF: something converted it");
        yield return (body.AsSpan().StartsWith("\uFEFF"u8) ? body[3..] : body, "the body was signed without the byte order mark it begins with");
        foreach (var (style, name) in new[] { (JsonStyle.Compact, "compact, as JSON.stringify writes it"),
            (JsonStyle.Spaced, "with a space after each comma and colon, as Python writes it"), (JsonStyle.Indented, "indented") })
        {
            if (Rewrite(body, style) is { } rewritten)
            {
                yield return (rewritten, $"the body was re-serialised: it was signed {name}; forward and record the raw bytes");
            }
        }

        if (Unescape(body, escape: false) is { } plain)
        {
            yield return (plain, "the body was re-serialised: it was signed with its characters as they are, and holds \\u escapes");
        }

        if (Unescape(body, escape: true) is { } escaped)
        {
            yield return (escaped, "the body was re-serialised: it was signed with \\u escapes, and holds the characters themselves");
        }
    }

    /// <summary>The same JSON with other white space; strings and numbers as they stand. Null when it is no JSON.</summary>
    private static byte[]? Rewrite(byte[] json, JsonStyle style)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (style == JsonStyle.Indented)
            {
                var indented = new ArrayBufferWriter<byte>();
                using (var writer = new Utf8JsonWriter(indented,
                    new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
                {
                    document.WriteTo(writer);
                }

                return indented.WrittenSpan.ToArray();
            }
        }
        catch (JsonException)
        {
            return null;
        }

        var text = new ArrayBufferWriter<byte>(json.Length * 2);
        var inString = false;
        for (var i = 0; i < json.Length; i++)
        {
            var c = json[i];
            if (!inString && c is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' && !inString)
            {
                continue;
            }

            text.Write([c]);
            if (inString && c == '\\')
            {
                text.Write([json[++i]]);
            }
            else if (c == '"')
            {
                inString = !inString;
            }
            else if (!inString && style == JsonStyle.Spaced && c is (byte)',' or (byte)':' && !inString && style == JsonStyle.Spaced)
            {
                text.Write(" "u8);
            }
        }

        return text.WrittenSpan.ToArray();
    }

    /// <summary>\u escapes for characters beyond ASCII, or those characters for their escapes. Null when nothing changes or it is not UTF-8.</summary>
    private static byte[]? Unescape(byte[] json, bool escape)
    {
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(json);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }

        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (escape && text[i] > 0x7F)
            {
                result.Append("\\u").Append(((int)text[i]).ToString("x4", CultureInfo.InvariantCulture));
            }
            else if (!escape && text[i] == '\\' && i + 5 < text.Length && text[i + 1] == 'u'
                && ushort.TryParse(text.AsSpan(i + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code) && code > 0x7F)
            {
                result.Append((char)code);
                i += 5;
            }
            else
            {
                result.Append(text[i]);
            }
        }

        var changed = result.ToString();
        return changed == text ? null : Encoding.UTF8.GetBytes(changed);
    }

    private enum JsonStyle
    {
        Compact,
        Spaced,
        Indented,
    }
}
