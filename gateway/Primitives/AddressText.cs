using System.Globalization;

namespace WebhookEdge.Primitives;

/// <summary>
/// Reads an address that a request carries, without allocating. Stricter than <see cref="System.Net.IPAddress"/>: dotted decimal with four numbers and
/// no leading zeros (no octal, hex or short forms), RFC 4291 §2.2 for IPv6, no scope ids, brackets or blanks. What two readers could read differently is no address.
/// </summary>
internal static class AddressText
{
    public static bool TryParse(ReadOnlySpan<char> text, out ClientAddress address)
    {
        // The framework's number parsers below would let NULs at the end pass.
        foreach (var character in text)
        {
            if (!char.IsAsciiHexDigit(character) && character is not (':' or '.'))
            {
                address = default;
                return false;
            }
        }

        if (text.Contains(':'))
        {
            if (TryParseIPv6(text, out var v6))
            {
                address = ClientAddress.FromIPv6(v6);
                return true;
            }
        }
        else if (TryParseIPv4(text, out var v4))
        {
            address = ClientAddress.FromIPv4(v4);
            return true;
        }

        address = default;
        return false;
    }

    private static bool TryParseIPv4(ReadOnlySpan<char> text, out uint value)
    {
        value = 0;
        for (var part = 0; part < 4; part++)
        {
            var end = part < 3 ? text.IndexOf('.') : text.Length;
            if (end is < 1 or > 3 || (end > 1 && text[0] == '0'))
            {
                return false;
            }

            if (!byte.TryParse(text[..end], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                return false;
            }

            value = (value << 8) | number;
            text = part < 3 ? text[(end + 1)..] : default;
        }

        return true;
    }

    private static bool TryParseIPv6(ReadOnlySpan<char> text, out UInt128 value)
    {
        value = 0;
        if (text.Length is < 2 or > 45)
        {
            return false;
        }

        // Groups before and after "::", each pushed in from the right.
        UInt128 head = 0, tail = 0;
        int headGroups = 0, tailGroups = 0;
        var compressed = text is [':', ':', ..];
        var at = compressed ? 2 : 0;
        while (at < text.Length)
        {
            var rest = text[at..];
            var colon = rest.IndexOf(':');
            var group = colon < 0 ? rest : rest[..colon];
            uint bits;
            int groups;
            if (group.Contains('.'))
            {
                if (colon >= 0 || !TryParseIPv4(group, out bits))
                {
                    return false;
                }

                groups = 2;
            }
            else if (group.Length is >= 1 and <= 4 && uint.TryParse(group, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bits))
            {
                groups = 1;
            }
            else
            {
                return false;
            }

            if (compressed)
            {
                tail = (tail << (16 * groups)) | bits;
                tailGroups += groups;
            }
            else
            {
                head = (head << (16 * groups)) | bits;
                headGroups += groups;
            }

            if (headGroups + tailGroups > (compressed ? 7 : 8))
            {
                return false;
            }

            if (colon < 0)
            {
                break;
            }

            at += colon + 1;
            if (at == text.Length)
            {
                return false;
            }

            if (text[at] == ':')
            {
                if (compressed)
                {
                    return false;
                }

                compressed = true;
                at++;
            }
        }

        if (!compressed)
        {
            value = head;
            return headGroups == 8;
        }

        if (headGroups + tailGroups > 7)
        {
            return false;
        }

        value = headGroups == 0 ? tail : (head << (128 - (16 * headGroups))) | tail;
        return true;
    }
}
