using System.Net;
using FsCheck;
using FsCheck.Fluent;
using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.Primitives;

public sealed class AddressParserTests
{
    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("255.255.255.255")]
    [InlineData("192.0.2.7")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("1::")]
    [InlineData("2001:db8::7")]
    [InlineData("2001:DB8:0:0:0:0:0:7")]
    [InlineData("2001:0db8:0000:0000:0000:0000:0000:0007")]
    [InlineData("1:2:3:4:5:6:7::")]
    [InlineData("::2:3:4:5:6:7:8")]
    [InlineData("::ffff:192.0.2.7")]
    [InlineData("64:ff9b::192.0.2.33")]
    [InlineData("1:2:3:4:5:6:192.0.2.33")]
    public void Reads_what_the_framework_reads(string text)
    {
        Assert.True(AddressParser.TryParse(text, out var address));
        Assert.Equal(ClientAddress.From(IPAddress.Parse(text)), address);
    }

    [Theory]
    [InlineData("")]
    [InlineData("unknown")]
    [InlineData("127.1")]
    [InlineData("2130706433")]
    [InlineData("0177.0.0.1")]
    [InlineData("0x7f.0.0.1")]
    [InlineData("127.0.0.01")]
    [InlineData("127.0.0.256")]
    [InlineData("127.0.0.1.")]
    [InlineData("127.0.0.1.1")]
    [InlineData(" 127.0.0.1")]
    [InlineData("127.0.0.+1")]
    [InlineData("127..0.1")]
    [InlineData("...")]
    [InlineData(":")]
    [InlineData(":::")]
    [InlineData("1:")]
    [InlineData(":1")]
    [InlineData("1::2::3")]
    [InlineData("1:2:3:4:5:6:7")]
    [InlineData("1:2:3:4:5:6:7:8:9")]
    [InlineData("1:2:3:4:5:6:7:8::")]
    [InlineData("12345::")]
    [InlineData("g::")]
    [InlineData("fe80::1%eth0")]
    [InlineData("fe80::1%1")]
    [InlineData("[::1]")]
    [InlineData("::1/128")]
    [InlineData("::ffff:0300.0.2.7")]
    [InlineData("::ffff:192.0.2")]
    [InlineData("::192.0.2.7:1")]
    [InlineData("1:2:3:4:5:6:7:192.0.2.33")]
    [InlineData("::+1")]
    [InlineData(":: 1")]
    [InlineData("192.0.2.7\0")]
    [InlineData("::1\0")]
    [InlineData("１92.0.2.7")]
    public void Refuses_what_could_be_read_in_two_ways(string text)
    {
        Assert.False(AddressParser.TryParse(text, out var address));
        Assert.False(address.IsKnown);
    }

    [Fact]
    public void Reads_every_address_that_the_framework_writes() =>
        Prop.ForAll(Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf(16).ToArbitrary(), bytes =>
        {
            foreach (var expected in new[] { new IPAddress(bytes), new IPAddress(bytes.AsSpan(0, 4)),
                new IPAddress([.. bytes.Take(4), .. new byte[8], .. bytes.TakeLast(4)]) })
            {
                Assert.True(AddressParser.TryParse(expected.ToString(), out var address), expected.ToString());
                Assert.Equal(ClientAddress.From(expected), address);
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Reads_nothing_that_the_framework_would_read_otherwise()
    {
        var soup = Gen.Elements("0123456789abcdefF:::...::".ToCharArray()).ArrayOf().Select(characters => new string(characters));

        Prop.ForAll(soup.ToArbitrary(), text =>
        {
            if (AddressParser.TryParse(text, out var address))
            {
                Assert.Equal(ClientAddress.From(IPAddress.Parse(text)), address);
            }
        }).QuickCheckThrowOnFailure();
    }
}
