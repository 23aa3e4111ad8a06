using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace WebhookEdge.Primitives;

/// <summary>
/// Reads an address or network that a person or a published list wrote, and refuses what two readers could read differently.
/// <see cref="IPAddress"/> takes <c>0177.0.0.1</c>, <c>0x7f.1</c>, <c>127.1</c> and <c>2130706433</c> for 127.0.0.1 (CVE-2021-29921 was this), and
/// <see cref="IPNetwork"/> quietly drops host bits; both would open a rule to somebody its author did not mean.
/// </summary>
internal static class StrictCidr
{
    private static readonly SearchValues<char> AddressCharacters = SearchValues.Create("0123456789abcdefABCDEF:.");

    /// <summary>
    /// IPv4 as four decimal numbers without leading zeros; IPv6 in any case and any compression (RFC 4291 §2.2), which has one meaning only; then
    /// <c>/length</c>, or nothing for the single address. Bits beyond the length must be zero. <c>::ffff:a.b.c.d</c> is taken as the IPv4 address it stands for.
    /// </summary>
    /// <param name="text">What was written.</param>
    /// <param name="network">The network, IPv4 where it was IPv4-mapped.</param>
    /// <param name="fault">What is wrong and how to write it; empty when nothing is. Holds no control characters, so that it may be logged.</param>
    public static bool TryParse(string text, out IPNetwork network, out string fault)
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
            fault = $"{Quote(text)} has bits set beyond its prefix length; write {start}/{length} for the network of {Counted(address, length)}, or {address}/{width} for the one address";
            return false;
        }

        network = length >= 96 && address.IsIPv4MappedToIPv6 ? new IPNetwork(address.MapToIPv4(), length - 96) : new IPNetwork(address, length);
        return true;
    }

    private static bool TryParseAddress(string text, out IPAddress address)
    {
        address = IPAddress.None;
        // Keeps out scope ids, brackets with ports, hex and blanks, all of which the framework reads.
        if (text.AsSpan().ContainsAnyExcept(AddressCharacters) || !IPAddress.TryParse(text, out var parsed))
        {
            return false;
        }

        address = parsed;
        if (parsed.AddressFamily == AddressFamily.InterNetwork)
        {
            return parsed.ToString() == text;
        }

        // The IPv4 tail of an IPv6 address obeys the rules of IPv4.
        var tail = text[(text.LastIndexOf(':') + 1)..];
        return !tail.Contains('.') || (IPAddress.TryParse(tail, out var v4) && v4.ToString() == tail);
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
        return total <= 16_777_216 ? string.Create(CultureInfo.InvariantCulture, $"{total:#,0} addresses") : $"2^{(address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128) - length} addresses";
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
