using System.Buffers.Binary;
using System.Net;
using WebhookEdge.Primitives;

namespace WebhookEdge.LoadTests;

/// <summary>
/// Made-up networks with the sizes of AWS' published ones (ip-ranges.json of 2026-08-22): as many IPv4 and IPv6 prefixes of each length, at addresses
/// drawn with a fixed seed.
/// </summary>
internal static class SyntheticNetworks
{
    // Prefix length, how many of us-east-1's distinct prefixes have it.
    private static readonly (int Length, int Count)[] V4 =
    [
        (11, 1), (12, 8), (13, 11), (14, 9), (15, 21), (16, 11), (17, 4), (18, 21), (19, 7), (20, 35), (21, 28), (22, 94), (23, 91), (24, 252), (25, 47), (26, 38), (27, 22), (28, 30), (29, 54), (30, 36), (31, 42), (32, 217),
    ];

    private static readonly (int Length, int Count)[] V6 =
    [
        (33, 1), (36, 49), (38, 1), (39, 30), (40, 20), (42, 1), (44, 5), (46, 1), (47, 17), (48, 60), (52, 2), (54, 1), (55, 2), (56, 60), (59, 1), (60, 3), (62, 8), (63, 1), (64, 21),
    ];

    /// <summary>As many as us-east-1 has: 1,079 IPv4 and 284 IPv6 prefixes.</summary>
    public static IReadOnlyList<IPNetwork> UsEast1 { get; } = Make(1363);

    /// <summary>As many as the whole file lists.</summary>
    public static IReadOnlyList<IPNetwork> All { get; } = Make(16_828);

    /// <summary><paramref name="count"/> different networks of that mixture.</summary>
    public static IReadOnlyList<IPNetwork> Make(int count)
    {
        var random = new Random(20260822);
        var made = new HashSet<IPNetwork>();
        (bool IsV6, int Length)[] lengths = [.. V4.SelectMany(static row => Enumerable.Repeat((false, row.Length), row.Count)), .. V6.SelectMany(static row => Enumerable.Repeat((true, row.Length), row.Count))];
        random.Shuffle(lengths);
        for (var i = 0; made.Count < count; i++)
        {
            var (isV6, length) = lengths[i % lengths.Length];
            while (!made.Add(isV6 ? DrawV6(random, length) : DrawV4(random, length)))
            {
                // Drawn before.
            }
        }

        return [.. made];
    }

    /// <summary>Addresses of everywhere; most are in none of the networks, as most strangers are.</summary>
    public static ClientAddress[] Addresses(int count)
    {
        var random = new Random(1);
        var addresses = new ClientAddress[count];
        for (var i = 0; i < count; i++)
        {
            addresses[i] = i % 4 == 3 ? ClientAddress.FromIPv6(((UInt128)0x2600 << 112) | ((UInt128)(ulong)random.NextInt64() << 32) | (uint)random.Next()) : ClientAddress.FromIPv4((uint)random.NextInt64(1L << 32));
        }

        return addresses;
    }

    private static IPNetwork DrawV4(Random random, int length)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)random.NextInt64(1L << 32) & (uint.MaxValue << (32 - length)));
        return new(new IPAddress(bytes), length);
    }

    private static IPNetwork DrawV6(Random random, int length)
    {
        // AWS' are in 2600::/12.
        var value = ((UInt128)0x260 << 116) | ((UInt128)(ulong)random.NextInt64(1L << 52) << 64) | (ulong)random.NextInt64();
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value & (UInt128.MaxValue << (128 - length)));
        return new(new IPAddress(bytes), length);
    }
}
