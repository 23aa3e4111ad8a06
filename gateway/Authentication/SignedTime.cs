using WebhookEdge.Configuration;

namespace WebhookEdge.Authentication;

/// <summary>
/// Strict readers of signing times. A lenient one would let the border between timestamp and body be moved under the same signature
/// (<c>1600112502[</c> is "1600112502" to many parsers), so there is one spelling of each time and the text is signed verbatim.
/// </summary>
internal static class SignedTime
{
    /// <summary>Reads 1 to 15 digits without sign, fraction or leading zero, or an ISO time; the result is in Unix milliseconds.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, TimeUnit unit, out long milliseconds)
    {
        if (unit == TimeUnit.Iso)
        {
            return TryParseIso(text, out milliseconds);
        }

        milliseconds = 0;
        if (text.Length is 0 or > 15 || (text[0] == '0' && text.Length > 1))
        {
            return false;
        }

        foreach (var c in text)
        {
            if (!char.IsAsciiDigit(c))
            {
                return false;
            }

            milliseconds = (milliseconds * 10) + (c - '0');
        }

        // 15 digits of seconds are below 10^18 milliseconds: no overflow.
        milliseconds = unit == TimeUnit.Seconds ? milliseconds * 1000 : milliseconds;
        return true;
    }

    /// <summary><c>2020-01-01T00:00:00[.1 to .123456789](Z|±hh:mm)</c> (RFC 3339 with capitals only); digits beyond milliseconds are dropped.</summary>
    public static bool TryParseIso(ReadOnlySpan<char> text, out long milliseconds)
    {
        milliseconds = 0;
        if (text.Length < 20
            || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':'
            || !Number(text[..4], out var year) || !Number(text[5..7], out var month) || !Number(text[8..10], out var day)
            || !Number(text[11..13], out var hour) || !Number(text[14..16], out var minute) || !Number(text[17..19], out var second)
            || year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
        {
            return false;
        }

        var rest = text[19..];
        var fraction = 0;
        if (rest[0] == '.')
        {
            var length = 1;
            while (length < rest.Length && char.IsAsciiDigit(rest[length]))
            {
                if (length <= 3)
                {
                    fraction = (fraction * 10) + (rest[length] - '0');
                }

                length++;
            }

            if (length is 1 or > 10)
            {
                return false;
            }

            for (var digits = length - 1; digits < 3; digits++)
            {
                fraction *= 10;
            }

            rest = rest[length..];
        }

        var offset = 0;
        if (rest is not ['Z'])
        {
            if (rest.Length != 6 || rest[0] is not ('+' or '-') || rest[3] != ':'
                || !Number(rest[1..3], out var hours) || !Number(rest[4..], out var minutes) || hours > 14 || minutes > 59)
            {
                return false;
            }

            offset = ((hours * 60) + minutes) * (rest[0] == '-' ? -1 : 1);
        }

        var ticks = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc).Ticks - DateTime.UnixEpoch.Ticks;
        milliseconds = (ticks / TimeSpan.TicksPerMillisecond) + fraction - (offset * 60_000L);
        return true;
    }

    /// <summary>Both ways: a time from the future is as wrong as an old one. Tolerance in milliseconds; 0 = no check.</summary>
    public static bool IsWithin(long milliseconds, DateTimeOffset now, long tolerance)
    {
        // Both sides are far below 2^62 in size, so the difference cannot overflow.
        var distance = now.ToUnixTimeMilliseconds() - milliseconds;
        return tolerance == 0 || (distance <= tolerance && distance >= -tolerance);
    }

    private static bool Number(ReadOnlySpan<char> text, out int value)
    {
        value = 0;
        foreach (var c in text)
        {
            if (!char.IsAsciiDigit(c))
            {
                return false;
            }

            value = (value * 10) + (c - '0');
        }

        return true;
    }
}
