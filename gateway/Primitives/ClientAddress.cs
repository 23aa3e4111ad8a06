using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace WebhookEdge.Primitives;

/// <summary>
/// A client's address as a number, IPv4-mapped IPv6 unmapped (RFC 4291 §2.5.5.2), so that sets compare without allocating.
/// <c>default</c> is "unknown", which no set contains.
/// </summary>
internal readonly struct ClientAddress : IEquatable<ClientAddress>
{
    private readonly byte _family;

    private ClientAddress(UInt128 value, byte family)
    {
        Value = value;
        _family = family;
    }

    /// <summary>Network order: an IPv4 address fills the low 32 bits, an IPv6 address all 128.</summary>
    public UInt128 Value { get; }

    public bool IsKnown => _family != 0;

    public bool IsIPv6 => _family == 6;

    /// <summary>Reads <paramref name="address"/>; null gives the unknown address. Scope ids are ignored.</summary>
    public static ClientAddress From(IPAddress? address)
    {
        if (address is null)
        {
            return default;
        }

        Span<byte> bytes = stackalloc byte[16];
        if (!address.TryWriteBytes(bytes, out var written))
        {
            return default;
        }

        if (address.AddressFamily == AddressFamily.InterNetwork && written == 4)
        {
            return FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(bytes));
        }

        return FromIPv6(BinaryPrimitives.ReadUInt128BigEndian(bytes));
    }

    public static ClientAddress FromIPv4(uint value) => new(value, 4);

    public static ClientAddress FromIPv6(UInt128 value) =>
        (value >> 32) == 0xFFFF ? FromIPv4((uint)(value & uint.MaxValue)) : new(value, 6);

    public IPAddress? ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, Value);
        return _family switch
        {
            4 => new IPAddress(bytes[12..]),
            6 => new IPAddress(bytes),
            _ => null,
        };
    }

    public bool Equals(ClientAddress other) => _family == other._family && Value == other.Value;

    public override bool Equals(object? obj) => obj is ClientAddress other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(Value, _family);

    public override string ToString() => ToIPAddress()?.ToString() ?? "unknown";
}
