using System.Buffers;
using System.Globalization;
using System.Text;

namespace WebhookEdge.Observability;

/// <summary>
/// The one way by which a stranger's text gets into a log line. A path may hold whatever a sender wrote into it: a line end would begin a line of its
/// own, an escape character would colour or erase what a terminal shows.
/// </summary>
internal static class LogText
{
    private static readonly SearchValues<char> Plain = SearchValues.Create(
        " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>
    /// <paramref name="text"/> in visible ASCII: anything else, and the backslash, as <c>\u</c> and four hex digits. The same object when nothing is to be
    /// escaped.
    /// </summary>
    public static string Printable(string text)
    {
        var at = text.AsSpan().IndexOfAnyExcept(Plain);
        if (at < 0)
        {
            return text;
        }

        var escaped = new StringBuilder(text.Length + 32).Append(text, 0, at);
        foreach (var c in text.AsSpan(at))
        {
            if (Plain.Contains(c))
            {
                escaped.Append(c);
            }
            else
            {
                escaped.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
            }
        }

        return escaped.ToString();
    }

    /// <summary>
    /// As <see cref="Printable"/> for a whole line that others have written: what is no control or format character stays, so that words in any language can be
    /// read.
    /// </summary>
    public static string OneLine(string line)
    {
        StringBuilder? escaped = null;
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
            {
                escaped ??= new StringBuilder(line.Length + 32).Append(line, 0, i);
                escaped.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
            }
            else
            {
                escaped?.Append(c);
            }
        }

        return escaped?.ToString() ?? line;
    }
}
