using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using FsCheck;
using FsCheck.Fluent;
using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.Primitives;

public sealed class CidrSetTests
{
    private static readonly uint[] EdgesV4 = [0, 1, 0x7FFFFFFF, 0x80000000, 0x0A0000FF, 0x0A000100, 0x0A00FFFF, 0x0A010000, 0xFFFFFFFE, 0xFFFFFFFF];

    [Fact]
    public void Agrees_with_a_naive_scan_over_IPv4()
    {
        var networks = Networks(EdgesV4.Select(edge => (UInt128)edge).ToArray(), 32);

        Prop.ForAll(networks.ToArbitrary(), cidrs => AgreesWithScan(cidrs, false)).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Agrees_with_a_naive_scan_over_IPv6()
    {
        UInt128[] edges = [0, 1, UInt128.MaxValue, UInt128.MaxValue - 1, UInt128.One << 127, (UInt128)0x2600_1F00_0000_0000 << 64,
            ((UInt128)0x2600_1F00_0000_0000 << 64) | ulong.MaxValue];

        Prop.ForAll(Networks(edges, 128).ToArbitrary(), cidrs => AgreesWithScan(cidrs, true)).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("0.0.0.0/0", "0.0.0.0", true)]
    [InlineData("0.0.0.0/0", "255.255.255.255", true)]
    [InlineData("0.0.0.0/0", "::1", false)]
    [InlineData("::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true)]
    [InlineData("::/0", "192.0.2.1", false)]
    [InlineData("255.255.255.255/32", "255.255.255.255", true)]
    [InlineData("255.255.255.255/32", "255.255.255.254", false)]
    [InlineData("192.0.2.7/32", "192.0.2.7", true)]
    [InlineData("192.0.2.7/32", "192.0.2.6", false)]
    [InlineData("10.0.0.0/8", "::ffff:10.1.1.1", true)]
    [InlineData("::ffff:10.0.0.0/104", "10.1.1.1", true)]
    [InlineData("::ffff:10.0.0.0/104", "::ffff:10.1.1.1", true)]
    [InlineData("::ffff:0.0.0.0/96", "203.0.113.9", true)]
    [InlineData("::ffff:192.0.2.7/128", "192.0.2.7", true)]
    [InlineData("::ffff:192.0.2.7/128", "192.0.2.8", false)]
    [InlineData("::7f00:0/104", "127.0.0.1", false)]
    [InlineData("2001:db8::/32", "2001:db8:ffff::1", true)]
    [InlineData("2001:db8::/32", "2001:db9::", false)]
    public void Decides_the_edges(string network, string address, bool expected)
    {
        var set = CidrSet.Create([IPNetwork.Parse(network)]);

        Assert.Equal(expected, set.Contains(ClientAddress.From(IPAddress.Parse(address))));
    }

    [Fact]
    public void Holds_nothing_when_empty_and_never_the_unknown_address()
    {
        var all = CidrSet.Create([IPNetwork.Parse("0.0.0.0/0"), IPNetwork.Parse("::/0")]);

        Assert.True(CidrSet.Empty.IsEmpty);
        Assert.False(CidrSet.Empty.Contains(ClientAddress.FromIPv4(0)));
        Assert.False(CidrSet.Empty.Contains(ClientAddress.FromIPv6(0)));
        Assert.False(all.Contains(default));
    }

    [Fact]
    public void Is_the_same_set_however_it_is_cut_into_networks()
    {
        var whole = Of("10.0.0.0/23", "2001:db8::/47");
        var halves = Of("10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25", "2001:db8:1::/48", "2001:db8::/48");

        Assert.True(whole.SetEquals(halves));
        Assert.Equal(2, whole.PrefixCount);
        Assert.Equal(5, halves.PrefixCount);
        Assert.Equal(512UL, halves.AddressCountV4);
        Assert.Equal(UInt128.One << 81, halves.AddressCountV6);
        Assert.False(whole.SetEquals(Of("10.0.0.0/23")));
    }

    [Fact]
    public void Counts_the_whole_of_both_families()
    {
        var all = Of("0.0.0.0/0", "::/0");

        Assert.Equal(1UL << 32, all.AddressCountV4);
        Assert.Equal(UInt128.MaxValue, all.AddressCountV6);
        Assert.False(all.IsEmpty);
    }

    [Theory]
    [InlineData("10.0.0.0/24", "10.0.0.0/24", false)]
    [InlineData("10.0.0.0/24", "10.0.0.0/25", false)]
    [InlineData("10.0.0.0/24", "10.0.0.0/26", true)]
    [InlineData("10.0.0.0/25", "10.0.0.0/24", false)]
    [InlineData("2001:db8::/32", "2001:db8::/34", true)]
    [InlineData("2001:db8::/32", "2001:db8::/33", false)]
    public void Tells_when_it_lost_more_than_half_of_its_addresses(string earlier, string now, bool lost) =>
        Assert.Equal(lost, Of(now).LostMoreThanHalfOf(Of(earlier)));

    [Fact]
    public void A_loss_of_all_IPv4_does_not_hide_behind_IPv6() =>
        Assert.True(Of("2001:db8::/31").LostMoreThanHalfOf(Of("10.0.0.0/8", "2001:db8::/32")));

    [Fact]
    public void Looks_up_without_allocating()
    {
        var set = Of("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "2001:db9::1/128");
        ClientAddress[] asked = [ClientAddress.FromIPv4(0x0A000001), ClientAddress.FromIPv4(0xC0000208), ClientAddress.From(IPAddress.Parse("2001:db9::1")),
            default];
        var hits = 0;
        foreach (var address in asked)
        {
            hits += set.Contains(address) ? 1 : 0;
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            hits += set.Contains(asked[i & 3]) ? 1 : 0;
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(502, hits);
    }

    private static CidrSet Of(params string[] networks) => CidrSet.Create(networks.Select(network => IPNetwork.Parse(network)));

    /// <summary>Networks that like to touch and overlap: their bases are edges, or lie near one another.</summary>
    private static Gen<(UInt128 Base, int Length)[]> Networks(UInt128[] edges, int width)
    {
        var value =
            from edge in Gen.Elements(edges)
            from step in Gen.Choose(-3, 3)
            from shift in Gen.Choose(0, width - 1)
            select edge + ((UInt128)(Int128)step << shift);
        var network =
            from address in value
            from length in Gen.Frequency((1, Gen.Constant(0)), (3, Gen.Constant(width)), (12, Gen.Choose(1, width)))
            let mask = length == 0 ? UInt128.Zero : (UInt128.MaxValue << (width - length))
            select (Wrap(address, width) & Wrap(mask, width), length);
        return network.ArrayOf();
    }

    private static UInt128 Wrap(UInt128 value, int width) => width == 32 ? value & uint.MaxValue : value;

    private static void AgreesWithScan((UInt128 Base, int Length)[] cidrs, bool v6)
    {
        var width = v6 ? 128 : 32;
        var set = CidrSet.Create(cidrs.Select(cidr => new IPNetwork(Address(cidr.Base, v6), cidr.Length)));

        var asked = cidrs.SelectMany(cidr =>
        {
            var size = cidr.Length == 0 ? UInt128.Zero : UInt128.One << (width - cidr.Length);
            return new[] { cidr.Base, cidr.Base - 1, cidr.Base + (size / 2), cidr.Base + size - 1, cidr.Base + size };
        }).Append(UInt128.Zero).Append(UInt128.MaxValue).Select(value => Wrap(value, width));
        foreach (var value in asked)
        {
            if (v6 && value >> 32 == 0xFFFF)
            {
                continue;
            }

            var scan = cidrs.Any(cidr => cidr.Length == 0 || value >> (width - cidr.Length) == cidr.Base >> (width - cidr.Length));
            var client = v6 ? ClientAddress.FromIPv6(value) : ClientAddress.FromIPv4((uint)value);
            Assert.True(scan == set.Contains(client),
                $"{client} should {(scan ? "" : "not ")}be in {string.Join(' ', cidrs.Select(cidr => $"{Address(cidr.Base, v6)}/{cidr.Length}"))}");
        }
    }

    private static IPAddress Address(UInt128 value, bool v6)
    {
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        var address = new IPAddress(v6 ? bytes : bytes[12..]);
        Assert.Equal(v6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, address.AddressFamily);
        return address;
    }
}
