using System.Net;
using FsCheck;
using FsCheck.Fluent;
using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.Primitives;

public sealed class AddressParserNetworkTests
{
    [Theory]
    [InlineData("192.0.2.7", "192.0.2.7/32")]
    [InlineData("192.0.2.0/24", "192.0.2.0/24")]
    [InlineData("0.0.0.0/0", "0.0.0.0/0")]
    [InlineData("255.255.255.255/32", "255.255.255.255/32")]
    [InlineData("2001:db8::7", "2001:db8::7/128")]
    [InlineData("2001:DB8::/32", "2001:db8::/32")]
    [InlineData("2001:0db8:0:0:0:0:0:0/32", "2001:db8::/32")]
    [InlineData("::/0", "::/0")]
    [InlineData("64:ff9b::192.0.2.33", "64:ff9b::192.0.2.33/128")]
    [InlineData("::ffff:192.0.2.7", "192.0.2.7/32")]
    [InlineData("::ffff:10.0.0.0/104", "10.0.0.0/8")]
    [InlineData("::ffff:0:0/96", "0.0.0.0/0")]
    public void Reads_what_has_one_meaning(string text, string network)
    {
        Assert.True(AddressParser.TryParseNetwork(text, out var parsed, out var fault), fault);
        Assert.Equal(IPNetwork.Parse(network), parsed);
        Assert.Equal("", fault);
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("0177.0.0.1", "without leading zeros")]
    [InlineData("0177.0.0.1/32", "without leading zeros")]
    [InlineData("0x7f.0.0.1", "decimal")]
    [InlineData("127.1", "four decimal numbers")]
    [InlineData("2130706433", "four decimal numbers")]
    [InlineData("10", "four decimal numbers")]
    [InlineData("10/8", "four decimal numbers")]
    [InlineData("10.0.0/24", "four decimal numbers")]
    [InlineData("192.0.2.256", "four decimal numbers")]
    [InlineData("192.0.2.7.", "four decimal numbers")]
    [InlineData("192.0.2.07", "without leading zeros")]
    [InlineData(" 192.0.2.7", "blanks")]
    [InlineData("192.0.2.7\n", "blanks")]
    [InlineData("192.0.2.*", "203.0.113.0/24")]
    [InlineData("[::1]:80", "without brackets and port")]
    [InlineData("[::1]", "without brackets and port")]
    [InlineData("fe80::1%eth0", "without the scope id")]
    [InlineData("fe80::1%1", "without the scope id")]
    [InlineData("2001:db8", "2001:db8::7")]
    [InlineData("2001:db8:::/32", "2001:db8::7")]
    [InlineData("::ffff:0300.0.2.7", "2001:db8::7")]
    [InlineData("::ffff:192.0.2", "2001:db8::7")]
    [InlineData("hooks.example.com", "four decimal numbers")]
    [InlineData("192.0.2.7\0", "four decimal numbers")]
    [InlineData("office", "four decimal numbers")]
    [InlineData("１92.0.2.7", "four decimal numbers")]
    [InlineData("192.0.2.0/", "prefix length")]
    [InlineData("192.0.2.0/33", "prefix length")]
    [InlineData("2001:db8::/129", "prefix length")]
    [InlineData("192.0.2.0/024", "prefix length")]
    [InlineData("192.0.2.0/00", "prefix length")]
    [InlineData("192.0.2.0/+24", "prefix length")]
    [InlineData("192.0.2.0/ 24", "prefix length")]
    [InlineData("192.0.2.0/24\0", "prefix length")]
    [InlineData("192.0.2.0/-1", "prefix length")]
    [InlineData("192.0.2.0/24/24", "prefix length")]
    [InlineData("192.0.2.0/255.255.255.0", "prefix length")]
    [InlineData("192.0.2.7/24", "write 192.0.2.0/24 for the network of 256 addresses, or 192.0.2.7/32 for the one address")]
    [InlineData("127.0.0.1/8", "write 127.0.0.0/8")]
    [InlineData("10.0.0.1/0", "write 0.0.0.0/0")]
    [InlineData("2001:db8::1/32", "write 2001:db8::/32")]
    public void Refuses_the_rest_and_says_how_to_write_it(string text, string advice)
    {
        Assert.False(AddressParser.TryParseNetwork(text, out _, out var fault));
        Assert.Contains(advice, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Shows_no_control_characters_and_no_novels()
    {
        Assert.False(AddressParser.TryParseNetwork("\u001b[2J\r\n" + new string('9', 5000), out _, out var fault));

        Assert.DoesNotContain(fault, char.IsControl);
        Assert.InRange(fault.Length, 1, 300);
    }

    [Fact]
    public void Reads_back_every_network_it_could_have_written() =>
        Prop.ForAll(Gen.Zip(Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf(16), Gen.Choose(0, 128)).ToArbitrary(), pair =>
        {
            var (bytes, length) = pair;
            foreach (var network in new[] { Masked(bytes, length), Masked(bytes[..4], length % 33) })
            {
                Assert.True(AddressParser.TryParseNetwork(network.ToString(), out var parsed, out var fault), fault);
                Assert.Equal(network, parsed);
            }
        }).QuickCheckThrowOnFailure();

    private static IPNetwork Masked(byte[] bytes, int length)
    {
        var masked = bytes.Select((value, i) => (byte)(value & (0xFF << (8 - Math.Clamp(length - (i * 8), 0, 8))))).ToArray();
        return new IPNetwork(new IPAddress(masked), length);
    }
}
