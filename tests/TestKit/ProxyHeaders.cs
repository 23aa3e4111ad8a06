using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace WebhookEdge.TestKit;

/// <summary>PROXY protocol headers as a load balancer writes them, and, with the parts in hand, as none should.</summary>
internal static class ProxyHeaders
{
    public const byte Local = 0x20;
    public const byte Proxy = 0x21;

    public static byte[] Text(IPEndPoint source, IPEndPoint destination) => Encoding.ASCII.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $"PROXY {(source.AddressFamily == AddressFamily.InterNetwork ? "TCP4" : "TCP6")} {source.Address} {destination.Address} {source.Port} "
        + $"{destination.Port}\r\n"));

    /// <summary>Version 2 over TCP; the addresses must be of one family.</summary>
    public static byte[] Binary(IPEndPoint source, IPEndPoint destination, params (byte Type, byte[] Value)[] extensions) =>
        Binary(Proxy, (byte)(source.AddressFamily == AddressFamily.InterNetwork ? 0x11 : 0x21), Addresses(source, destination), extensions);

    /// <summary>Version 2 from its parts: byte 13, byte 14, the address block, and type-length-value fields behind it.</summary>
    public static byte[] Binary(byte command, byte family, byte[] addresses, params (byte Type, byte[] Value)[] extensions)
    {
        byte[] payload = [.. addresses, .. extensions.SelectMany(extension => Extension(extension.Type, extension.Value))];
        return [.. "\r\n\r\n\0\r\nQUIT\n"u8, command, family, .. BigEndian(payload.Length), .. payload];
    }

    public static byte[] Addresses(IPEndPoint source, IPEndPoint destination) =>
        [.. source.Address.GetAddressBytes(), .. destination.Address.GetAddressBytes(), .. BigEndian(source.Port), .. BigEndian(destination.Port)];

    /// <summary>
    /// Fills the value of a checksum field that ends <paramref name="header"/>; a bit by bit CRC32C (RFC 3720 §B.4), written apart from the gateway's.
    /// </summary>
    public static byte[] WithChecksum(byte[] header)
    {
        byte[] whole = [.. header, 0x03, 0, 4, 0, 0, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(whole.AsSpan(14), (ushort)(whole.Length - 16));
        var crc = uint.MaxValue;
        foreach (var value in whole)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ 0x82F63B78;
            }
        }

        BinaryPrimitives.WriteUInt32BigEndian(whole.AsSpan(whole.Length - 4), ~crc);
        return whole;
    }

    private static byte[] Extension(byte type, byte[] value) => [type, .. BigEndian(value.Length), .. value];

    private static byte[] BigEndian(int value) => [(byte)(value >> 8), (byte)value];
}
