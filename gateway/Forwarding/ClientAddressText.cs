using WebhookEdge.Primitives;

namespace WebhookEdge.Forwarding;

/// <summary>Addresses as text for <c>X-Forwarded-For</c>. A provider sends from few addresses, so the newest are kept: one for each of 256 slots.</summary>
internal static class ClientAddressText
{
    private const int Slots = 256;

    private static readonly Entry?[] Newest = new Entry?[Slots];

    public static string Of(ClientAddress address)
    {
        ref var slot = ref Newest[Slot(address)];
        if (Volatile.Read(ref slot) is { } entry && entry.Address.Equals(address))
        {
            return entry.Text;
        }

        entry = new(address, address.ToString());
        Volatile.Write(ref slot, entry);
        return entry.Text;
    }

    private static int Slot(ClientAddress address)
    {
        var folded = (ulong)address.Value ^ (ulong)(address.Value >> 64);
        return (int)((folded * 0x9E37_79B9_7F4A_7C15UL) >> 56);
    }

    private sealed record Entry(ClientAddress Address, string Text);
}
