namespace WebhookEdge.Primitives;

/// <summary>
/// Whose requests are counted together: an IPv4 address; of IPv6 the network of /64 that one customer gets, or that of /48 that one site gets; all unknown
/// addresses are one.
/// </summary>
internal readonly record struct AddressKey
{
    private readonly byte _kind;

    private AddressKey(ulong value, byte kind)
    {
        Value = value;
        _kind = kind;
    }

    /// <summary>The address or the network's bits, unambiguous together with its kind.</summary>
    public ulong Value { get; }

    public static AddressKey Of(in ClientAddress client) =>
        client.IsIPv6 ? new((ulong)(client.Value >> 64), 6) : new((ulong)client.Value, client.IsKnown ? (byte)4 : (byte)0);

    /// <summary>The network of /48 that an IPv6 address lies in.</summary>
    public static AddressKey SiteOf(in ClientAddress client) => new((ulong)(client.Value >> 80), 48);

    /// <summary>Differs from process to process, so that nobody can aim at another's place in a table.</summary>
    public override int GetHashCode() => HashCode.Combine(Value, _kind);
}
