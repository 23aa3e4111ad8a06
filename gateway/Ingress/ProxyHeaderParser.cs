using System.Buffers.Binary;
using System.Numerics;
using WebhookEdge.Primitives;

namespace WebhookEdge.Ingress;

/// <summary>
/// Reads the PROXY protocol's header, version 1 (text) or 2 (binary), as <see href="https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt">its
/// specification</see> writes it and no looser. The answer for some bytes never changes when more come, except from <see cref="ProxyHeaderStatus.Incomplete"/>;
/// so it does not matter how they were cut on the way. Never throws, allocates nothing.
/// </summary>
internal static class ProxyHeaderParser
{
    /// <summary>Of version 1, with CR and LF (specification §2.1).</summary>
    public const int MaxTextLength = 107;

    /// <summary>
    /// Of version 2, with extensions. The specification allows 64 KiB; what proxies send (addresses, TLS details, a VPC's id) stays below 1 KiB.
    /// </summary>
    public const int MaxBinaryLength = 4096;

    private const int FixedLength = 16;
    private const byte ChecksumType = 0x03;

    private static ReadOnlySpan<byte> TextStart => "PROXY "u8;

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    public static ProxyHeaderStatus Parse(ReadOnlySpan<byte> bytes, out ProxyHeader header)
    {
        header = default;
        if (bytes.IsEmpty)
        {
            return ProxyHeaderStatus.Incomplete;
        }

        var start = bytes[0] == TextStart[0] ? TextStart : Signature;
        var common = Math.Min(bytes.Length, start.Length);
        if (!bytes[..common].SequenceEqual(start[..common]))
        {
            return ProxyHeaderStatus.NotAHeader;
        }

        return common < start.Length ? ProxyHeaderStatus.Incomplete
            : start.Length == TextStart.Length ? ParseText(bytes, out header)
            : ParseBinary(bytes, out header);
    }

    private static ProxyHeaderStatus ParseText(ReadOnlySpan<byte> bytes, out ProxyHeader header)
    {
        header = default;
        var window = bytes[..Math.Min(bytes.Length, MaxTextLength)];
        var end = window.IndexOf("\r\n"u8);
        if (end < 0)
        {
            return window.Length == MaxTextLength ? ProxyHeaderStatus.TooLong : ProxyHeaderStatus.Incomplete;
        }

        Span<char> characters = stackalloc char[MaxTextLength];
        var line = window[TextStart.Length..end];
        for (var i = 0; i < line.Length; i++)
        {
            characters[i] = (char)line[i];
        }

        ReadOnlySpan<char> rest = characters[..line.Length];
        var protocol = Next(ref rest);
        if (protocol.SequenceEqual("UNKNOWN"))
        {
            // Whatever stands behind it is to be ignored.
            header = new(ProxyCommand.Unknown, default, 0, end + 2);
            return ProxyHeaderStatus.Complete;
        }

        var isIPv6 = protocol.SequenceEqual("TCP6");
        if ((!isIPv6 && !protocol.SequenceEqual("TCP4"))
            || !TryReadAddress(Next(ref rest), isIPv6, out var source)
            || !TryReadAddress(Next(ref rest), isIPv6, out _)
            || !TryReadPort(Next(ref rest), out var port)
            || !TryReadPort(rest, out _))
        {
            return ProxyHeaderStatus.Malformed;
        }

        header = new(ProxyCommand.Client, source, port, end + 2);
        return ProxyHeaderStatus.Complete;
    }

    /// <summary>
    /// What stands before the next blank, which is taken away with it. Without a blank all of the rest, so that a field that should follow is empty.
    /// </summary>
    private static ReadOnlySpan<char> Next(ref ReadOnlySpan<char> rest)
    {
        var blank = rest.IndexOf(' ');
        var field = blank < 0 ? rest : rest[..blank];
        rest = blank < 0 ? default : rest[(blank + 1)..];
        return field;
    }

    private static bool TryReadAddress(ReadOnlySpan<char> text, bool isIPv6, out ClientAddress address) =>
        AddressParser.TryParse(text, out address) && text.Contains(':') == isIPv6;

    private static bool TryReadPort(ReadOnlySpan<char> text, out int port)
    {
        port = 0;
        if (text.Length is < 1 or > 5 || (text.Length > 1 && text[0] == '0'))
        {
            return false;
        }

        foreach (var digit in text)
        {
            if (!char.IsAsciiDigit(digit))
            {
                return false;
            }

            port = (port * 10) + (digit - '0');
        }

        return port <= ushort.MaxValue;
    }

    private static ProxyHeaderStatus ParseBinary(ReadOnlySpan<byte> bytes, out ProxyHeader header)
    {
        header = default;
        if (bytes.Length < FixedLength)
        {
            return ProxyHeaderStatus.Incomplete;
        }

        // 12: version and command; 13: family and transport; 14: length of what follows.
        var (command, family) = (bytes[12], bytes[13]);
        if (command is not (0x20 or 0x21))
        {
            return ProxyHeaderStatus.Malformed;
        }

        var length = FixedLength + BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        if (length > MaxBinaryLength)
        {
            return ProxyHeaderStatus.TooLong;
        }

        if (bytes.Length < length)
        {
            return ProxyHeaderStatus.Incomplete;
        }

        // LOCAL: the family and everything behind it is to be ignored. UNSPEC: nobody says what stands there.
        if (command == 0x20 || family == 0x00)
        {
            header = new(command == 0x20 ? ProxyCommand.Local : ProxyCommand.Unknown, default, 0, length);
            return ProxyHeaderStatus.Complete;
        }

        // Two addresses, two ports. Datagrams do not come over TCP, and other values are refused, not guessed.
        var addresses = family switch { 0x11 => 12, 0x21 => 36, 0x31 => 216, _ => int.MaxValue };
        if (length - FixedLength < addresses)
        {
            return ProxyHeaderStatus.Malformed;
        }

        if (CheckExtensions(bytes[..length], FixedLength + addresses) is var status && status != ProxyHeaderStatus.Complete)
        {
            return status;
        }

        var at = bytes[FixedLength..];
        header = family switch
        {
            0x11 => new(ProxyCommand.Client, ClientAddress.FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(at)), BinaryPrimitives.ReadUInt16BigEndian(at[8..]),
                length),
            0x21 => new(ProxyCommand.Client, ClientAddress.FromIPv6(BinaryPrimitives.ReadUInt128BigEndian(at)), BinaryPrimitives.ReadUInt16BigEndian(at[32..]),
                length),
            _ => new(ProxyCommand.Unknown, default, 0, length),
        };
        return ProxyHeaderStatus.Complete;
    }

    /// <summary>
    /// Steps over the type-length-value fields from <paramref name="at"/> on, which must fill the header exactly, and holds a checksum among them against the
    /// bytes.
    /// </summary>
    private static ProxyHeaderStatus CheckExtensions(ReadOnlySpan<byte> header, int at)
    {
        var checksumAt = 0;
        while (at < header.Length)
        {
            if (header.Length - at < 3)
            {
                return ProxyHeaderStatus.Malformed;
            }

            var type = header[at];
            var length = BinaryPrimitives.ReadUInt16BigEndian(header[(at + 1)..]);
            at += 3;
            if (length > header.Length - at)
            {
                return ProxyHeaderStatus.Malformed;
            }

            if (type == ChecksumType)
            {
                if (length != 4 || checksumAt > 0)
                {
                    return ProxyHeaderStatus.Malformed;
                }

                checksumAt = at;
            }

            at += length;
        }

        if (checksumAt == 0)
        {
            return ProxyHeaderStatus.Complete;
        }

        // Over the whole header, its own four bytes taken as zero.
        var crc = uint.MaxValue;
        for (var i = 0; i < header.Length; i++)
        {
            crc = BitOperations.Crc32C(crc, i >= checksumAt && i < checksumAt + 4 ? (byte)0 : header[i]);
        }

        return ~crc == BinaryPrimitives.ReadUInt32BigEndian(header[checksumAt..]) ? ProxyHeaderStatus.Complete : ProxyHeaderStatus.WrongChecksum;
    }
}
