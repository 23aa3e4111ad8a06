using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace WebhookEdge.Primitives;

/// <summary>
/// Reads addresses and networks, whoever wrote them: a request, a person, a published list. What two readers could read differently is no address.
/// <see cref="IPAddress"/> takes <c>0177.0.0.1</c>, <c>0x7f.1</c>, <c>127.1</c> and <c>2130706433</c> for 127.0.0.1 (CVE-2021-29921 was this), and
/// <see cref="IPNetwork"/> quietly drops host bits; both would open a rule to somebody its author did not mean.
/// </summary>
internal static class AddressParser
{
    private static readonly SearchValues<char> AddressCharacters = SearchValues.Create("0123456789abcdefABCDEF:.");

    /// <summary>
    /// One address, without allocating: dotted decimal with four numbers and no leading zeros (no octal, hex or short forms), RFC 4291 §2.2 for IPv6, no scope
    /// ids, brackets or blanks.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ClientAddress address)
    {
        if (!IsPlain(text))
        {
            address = default;
            return false;
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

    /// <summary>Keeps out scope ids, brackets, blanks, and the NULs that the framework's number parsers would let pass at the end.</summary>
    private static bool IsPlain(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(AddressCharacters);

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

    /// <summary>
    /// IPv4 as four decimal numbers without leading zeros; IPv6 in any case and any compression (RFC 4291 §2.2), which has one meaning only; then
    /// <c>/length</c>, or nothing for the single address. Bits beyond the length must be zero. <c>::ffff:a.b.c.d</c> is taken as the IPv4 address it stands
    /// for.
    /// </summary>
    /// <param name="text">What was written.</param>
    /// <param name="network">The network, IPv4 where it was IPv4-mapped.</param>
    /// <param name="fault">What is wrong and how to write it; empty when nothing is. Holds no control characters, so that it may be logged.</param>
    public static bool TryParseNetwork(string text, out IPNetwork network, out string fault)
    {
        network = default;
        fault = "";
        if (text.Length == 0)
        {
            fault = "is empty; write an address such as 203.0.113.7 or a network such as 203.0.113.0/24";
            return false;
        }

        var slash = text.IndexOf('/');
        var written = slash < 0 ? text : text[..slash];
        if (!TryParseAddress(written, out var address))
        {
            fault = $"{Quote(text)} is not an address or network; {Advice(written)}";
            return false;
        }

        var width = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        var length = width;
        if (slash >= 0 && !TryParseLength(text.AsSpan(slash + 1), width, out length))
        {
            fault = $"{Quote(text)} has no valid prefix length; write {address}/{width} for the one address, or a shorter number for a network";
            return false;
        }

        var start = Truncate(address, length);
        if (!start.Equals(address))
        {
            fault = $"{Quote(text)} has bits set beyond its prefix length; write {start}/{length} for the network of {Counted(address, length)}, or "
                + $"{address}/{width} for the one address";
            return false;
        }

        network = length >= 96 && address.IsIPv4MappedToIPv6 ? new IPNetwork(address.MapToIPv4(), length - 96) : new IPNetwork(address, length);
        return true;
    }

    /// <summary>As written: an IPv4-mapped address keeps its 128 bits.</summary>
    private static bool TryParseAddress(string text, out IPAddress address)
    {
        address = IPAddress.None;
        Span<byte> bytes = stackalloc byte[16];
        if (!text.Contains(':', StringComparison.Ordinal))
        {
            if (!IsPlain(text) || !TryParseIPv4(text, out var v4))
            {
                return false;
            }

            BinaryPrimitives.WriteUInt32BigEndian(bytes, v4);
            address = new(bytes[..4]);
            return true;
        }

        if (!IsPlain(text) || !TryParseIPv6(text, out var v6))
        {
            return false;
        }

        BinaryPrimitives.WriteUInt128BigEndian(bytes, v6);
        address = new(bytes);
        return true;
    }

    private static bool TryParseLength(ReadOnlySpan<char> text, int width, out int length) =>
        // Digits are looked at one by one: the framework's parser would let NULs at the end pass.
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out length)
            && !text.ContainsAnyExceptInRange('0', '9')
            && length <= width
            && (text is ['0'] || text[0] != '0');

    /// <summary>How many addresses the network holds around the address, so that the writer sees what the suggestion would let in.</summary>
    private static string Counted(IPAddress address, int length)
    {
        var total = new IPNetwork2(address, (byte)length).Total;
        return total <= 16_777_216 ? string.Create(CultureInfo.InvariantCulture, $"{total:#,0} addresses")
            : $"2^{(address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128) - length} addresses";
    }

    private static IPAddress Truncate(IPAddress address, int length)
    {
        var bytes = address.GetAddressBytes();
        for (var i = 0; i < bytes.Length; i++)
        {
            var kept = Math.Clamp(length - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xFF << (8 - kept));
        }

        return new IPAddress(bytes);
    }

    private static string Advice(string written) => written switch
    {
        _ when written.AsSpan().ContainsAny(" \t\r\n") => "remove the blanks",
        _ when written.AsSpan().ContainsAny("[]") => "write the address without brackets and port",
        _ when written.Contains('%') => "write it without the scope id",
        _ when written.Contains('*') => "write a network by its length, such as 203.0.113.0/24",
        _ when written.Contains(':') => "write IPv6 as in 2001:db8::7 or 2001:db8::/32",
        _ => "write four decimal numbers without leading zeros, as in 203.0.113.7 or 203.0.113.0/24",
    };

    private static string Quote(string text)
    {
        var shown = text.Length <= 60 ? text : text[..60] + "…";
        return "'" + string.Create(shown.Length, shown, static (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = char.IsControl(source[i]) ? '?' : source[i];
            }
        }) + "'";
    }
}
