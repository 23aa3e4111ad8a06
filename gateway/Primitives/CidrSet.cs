using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using System.Runtime.InteropServices;

namespace WebhookEdge.Primitives;

/// <summary>
/// An immutable set of IPv4 and IPv6 networks. A lookup walks one byte of the address at a time, at most 4 steps for IPv4 and 16 for IPv6
/// (as many as the longest prefix on the way has bytes), whatever the number of networks, and allocates nothing.
/// IPv4-mapped networks (<c>::ffff:0:0/96</c> and longer) are taken as the IPv4 networks they stand for, as <see cref="ClientAddress"/> does
/// with addresses; a shorter IPv6 network, <c>::/0</c> included, holds no IPv4 address.
/// </summary>
internal sealed class CidrSet
{
    private readonly Slot[] _v4;
    private readonly Slot[] _v6;

    private CidrSet(List<Block> v4, List<Block> v6, int prefixCount)
    {
        PrefixCount = prefixCount;
        Merge(v4);
        Merge(v6);
        foreach (var block in v4)
        {
            AddressCountV4 += (ulong)((block.Last - block.First) >> 96) + 1;
        }

        foreach (var block in v6)
        {
            AddressCountV6 += block.Last - block.First + 1;
        }

        if (AddressCountV6 == 0 && v6.Count > 0)
        {
            AddressCountV6 = UInt128.MaxValue;
        }

        MergedCount = v4.Sum(static block => Networks(block)) + v6.Sum(static block => Networks(block));
        _v4 = Build(v4);
        _v6 = Build(v6);
    }

    public static CidrSet Empty { get; } = Create([]);

    /// <summary>Distinct networks the set was made from, before overlapping ones were merged.</summary>
    public int PrefixCount { get; }

    /// <summary>The fewest networks that hold the same addresses.</summary>
    public int MergedCount { get; }

    /// <summary>Distinct IPv4 addresses in the set.</summary>
    public ulong AddressCountV4 { get; }

    /// <summary>Distinct IPv6 addresses in the set; all 2^128 of them are reported as one less.</summary>
    public UInt128 AddressCountV6 { get; }

    public bool IsEmpty => AddressCountV4 == 0 && AddressCountV6 == 0;

    public static CidrSet Create(IEnumerable<IPNetwork> networks)
    {
        var distinct = new HashSet<(bool IsIPv6, Block Block)>();
        var v4 = new List<Block>();
        var v6 = new List<Block>();
        foreach (var network in networks)
        {
            var (isIPv6, block) = Read(network);
            if (distinct.Add((isIPv6, block)))
            {
                (isIPv6 ? v6 : v4).Add(block);
            }
        }

        return new CidrSet(v4, v6, distinct.Count);
    }

    /// <summary>The unknown address is in no set.</summary>
    public bool Contains(ClientAddress address) => address.IsIPv6
        ? Find(_v6, (ulong)(address.Value >> 64), (ulong)address.Value)
        : address.IsKnown && Find(_v4, (ulong)address.Value << 32, 0);

    /// <summary>Whether both hold the same addresses, however they are cut into networks.</summary>
    public bool SetEquals(CidrSet other) => _v4.AsSpan().SequenceEqual(other._v4) && _v6.AsSpan().SequenceEqual(other._v6);

    /// <summary>
    /// Whether this set holds less than half as many addresses as <paramref name="earlier"/>, in either family: counted together, IPv6 would
    /// drown every loss of IPv4.
    /// </summary>
    public bool LostMoreThanHalfOf(CidrSet earlier) =>
        LostMoreThanHalf(AddressCountV4, earlier.AddressCountV4) || LostMoreThanHalf(AddressCountV6, earlier.AddressCountV6);

    private static bool LostMoreThanHalf(UInt128 now, UInt128 earlier) => now < earlier && earlier - now > now;

    private static bool Find(Slot[] slots, ulong high, ulong low)
    {
        var node = 0;
        var rest = high;
        for (var step = 0; step < 16; step++)
        {
            var octet = (int)(rest >> 56);
            rest = step == 7 ? low : rest << 8;
            ref readonly var slot = ref slots[(node << 2) | (octet >> 6)];
            var bit = 1UL << (octet & 63);
            if ((slot.Inside & bit) != 0)
            {
                return true;
            }

            if ((slot.Children & bit) == 0)
            {
                return false;
            }

            node = slot.FirstChild + BitOperations.PopCount(slot.Children & (bit - 1));
        }

        return false;
    }

    private static (bool IsIPv6, Block Block) Read(IPNetwork network)
    {
        Span<byte> bytes = stackalloc byte[16];
        network.BaseAddress.TryWriteBytes(bytes, out _);
        var prefix = network.PrefixLength;
        if (network.BaseAddress.AddressFamily == AddressFamily.InterNetwork)
        {
            return (false, new Block((UInt128)BinaryPrimitives.ReadUInt32BigEndian(bytes) << 96, prefix));
        }

        var value = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        return prefix >= 96 && value >> 32 == 0xFFFF ? (false, new Block(value << 96, prefix - 96)) : (true, new Block(value, prefix));
    }

    /// <summary>Sorts, and joins what overlaps or touches, so that equal sets are built equal.</summary>
    private static void Merge(List<Block> blocks)
    {
        blocks.Sort(static (a, b) => a.First.CompareTo(b.First));
        var kept = 0;
        for (var i = 1; i < blocks.Count; i++)
        {
            var last = blocks[kept].Last;
            if (last == UInt128.MaxValue || blocks[i].First <= last + 1)
            {
                blocks[kept] = new Block(blocks[kept].First, UInt128.Max(last, blocks[i].Last));
            }
            else
            {
                blocks[++kept] = blocks[i];
            }
        }

        if (blocks.Count > 0)
        {
            blocks.RemoveRange(kept + 1, blocks.Count - kept - 1);
        }
    }

    /// <summary>How many networks it takes to write a run of addresses: the largest that begins at its first address and ends within it, and so on.</summary>
    private static int Networks(Block block)
    {
        var count = 0;
        var first = block.First;
        while (true)
        {
            count++;
            var free = first == 0 ? 128 : (int)UInt128.TrailingZeroCount(first);
            while (Last(first, free) > block.Last)
            {
                free--;
            }

            if (Last(first, free) == block.Last)
            {
                return count;
            }

            first = Last(first, free) + 1;
        }

        static UInt128 Last(UInt128 first, int free) => free == 128 ? UInt128.MaxValue : first | ((UInt128.One << free) - 1);
    }

    /// <summary>Breadth first, so that the children of one slot stand side by side and a count of bits finds them.</summary>
    private static Slot[] Build(List<Block> blocks)
    {
        var slots = new List<Slot> { default, default, default, default };
        var pending = new Queue<(int Node, UInt128 First, int Shift, int From)>();
        pending.Enqueue((0, 0, 120, 0));
        while (pending.TryDequeue(out var node))
        {
            var from = node.From;
            for (var octet = 0; octet < 256; octet++)
            {
                var first = node.First | ((UInt128)octet << node.Shift);
                var last = first | ((UInt128.One << node.Shift) - 1);
                while (from < blocks.Count && blocks[from].Last < first)
                {
                    from++;
                }

                if (from == blocks.Count)
                {
                    break;
                }

                if (blocks[from].First > last)
                {
                    continue;
                }

                ref var slot = ref CollectionsMarshal.AsSpan(slots)[(node.Node << 2) | (octet >> 6)];
                var bit = 1UL << (octet & 63);
                if (blocks[from].First <= first && blocks[from].Last >= last)
                {
                    slot.Inside |= bit;
                    continue;
                }

                var child = slots.Count >> 2;
                slot.FirstChild = slot.Children == 0 ? child : slot.FirstChild;
                slot.Children |= bit;
                slots.AddRange([default, default, default, default]);
                pending.Enqueue((child, first, node.Shift - 8, from));
            }
        }

        return [.. slots];
    }

    /// <summary>First and last address, left-aligned: an IPv4 address fills the high 32 bits, so that both families are built alike.</summary>
    private readonly record struct Block(UInt128 First, UInt128 Last)
    {
        public Block(UInt128 first, int prefixLength)
            : this(first, prefixLength == 0 ? UInt128.MaxValue : first | ((UInt128.One << (128 - prefixLength)) - 1))
        {
        }
    }

    /// <summary>A quarter of a node: 64 of the 256 values the next byte of the address can have.</summary>
    private record struct Slot(ulong Inside, ulong Children, int FirstChild);
}
