using System.Net;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using WebhookEdge.Ingress;
using WebhookEdge.Primitives;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Ingress;

public sealed class ProxyHeaderParserTests
{
    private static readonly IPEndPoint Source = new(IPAddress.Parse("203.0.113.9"), 40001);
    private static readonly IPEndPoint Destination = new(IPAddress.Parse("10.0.0.1"), 443);
    private static readonly byte[] V4 = ProxyHeaders.Addresses(Source, Destination);

    [Theory]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 40001 443\r\n", "203.0.113.9", 40001)]
    [InlineData("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", 65535)]
    [InlineData("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0", 0)]
    [InlineData("PROXY TCP6 2001:db8::9 fd00::1 40001 443\r\n", "2001:db8::9", 40001)]
    [InlineData("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535)]
    [InlineData("PROXY TCP6 ::ffff:203.0.113.9 ::ffff:10.0.0.1 1 2\r\n", "203.0.113.9", 1)]
    [InlineData("PROXY TCP6 ::FFFF:CB00:7109 ::1 1 2\r\n", "203.0.113.9", 1)]
    public void Reads_version_1(string text, string client, int port)
    {
        var header = Complete([.. Encoding.ASCII.GetBytes(text), .. "PROXY TCP4"u8]);

        Assert.Equal(ProxyCommand.Client, header.Command);
        Assert.Equal(client, header.Source.ToString());
        Assert.Equal(port, header.Port);
        Assert.Equal(text.Length, header.Length);
    }

    [Theory]
    [InlineData("PROXY UNKNOWN\r\n")]
    [InlineData("PROXY UNKNOWN \r\n")]
    [InlineData("PROXY UNKNOWN ffff:f...f:ffff what ever 99999\r\n")]
    public void Version_1_may_name_nobody(string text)
    {
        var header = Complete(Encoding.ASCII.GetBytes(text));

        Assert.Equal(ProxyCommand.Unknown, header.Command);
        Assert.False(header.Source.IsKnown);
        Assert.Equal(text.Length, header.Length);
    }

    [Theory]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 40001\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 40001 \r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 40001 443 \r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 40001 443 1\r\n")]
    [InlineData("PROXY TCP4  203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY  TCP4 203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY TCP4\t203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 040001 443\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 00 443\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 40001 0443\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 65536 443\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 40001 65536\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 -1 443\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 +1 443\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 0x1 443\r\n")]
    [InlineData("PROXY TCP4 203.0.113.09 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY TCP4 203.0.113 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.256 40001 443\r\n")]
    [InlineData("PROXY TCP4 2001:db8::9 fd00::1 40001 443\r\n")]
    [InlineData("PROXY TCP4 ::ffff:203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY TCP6 203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY TCP6 2001:db8::9%eth0 fd00::1 40001 443\r\n")]
    [InlineData("PROXY TCP6 [2001:db8::9] [fd00::1] 40001 443\r\n")]
    [InlineData("PROXY TCP6 2001:db8::9::1 fd00::1 40001 443\r\n")]
    [InlineData("PROXY tcp4 203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY TCP 203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY UDP4 203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY UNKNOWNS\r\n")]
    [InlineData("PROXY \r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 40001 443\n\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9 10.0.0.1 40001 443\r\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9\n10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY TCP4 203.0.113.9\0 10.0.0.1 40001 443\r\n")]
    public void Refuses_a_loose_version_1(string text) =>
        Assert.Equal(ProxyHeaderStatus.Malformed, ProxyHeaderParser.Parse(Encoding.Latin1.GetBytes(text), out _));

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("POST /hook HTTP/1.1\r\n")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [InlineData("proxy TCP4 203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData(" PROXY TCP4 203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXYTCP4 203.0.113.9 10.0.0.1 40001 443\r\n")]
    [InlineData("PROXY\r\n")]
    [InlineData("\u0016\u0003\u0001\u0002\0")]
    [InlineData("\r\n\r\n\0\r\nQUIT\r\n    ")]
    [InlineData("\r\n\r\nGET / HTTP/1.1\r\n")]
    public void Tells_what_is_no_header(string text) =>
        Assert.Equal(ProxyHeaderStatus.NotAHeader, ProxyHeaderParser.Parse(Encoding.Latin1.GetBytes(text), out _));

    [Fact]
    public void Version_1_has_107_bytes_at_most()
    {
        string Line(int length) => "PROXY UNKNOWN ".PadRight(length - 2, 'x') + "\r\n";

        Assert.Equal(107, Complete(Encoding.ASCII.GetBytes(Line(107))).Length);
        Assert.Equal(ProxyHeaderStatus.TooLong, ProxyHeaderParser.Parse(Encoding.ASCII.GetBytes(Line(108)), out _));
        Assert.Equal(ProxyHeaderStatus.TooLong, ProxyHeaderParser.Parse(Encoding.ASCII.GetBytes(new string('x', 5000).Insert(0, "PROXY ")), out _));
        Assert.Equal(ProxyHeaderStatus.Incomplete, ProxyHeaderParser.Parse(Encoding.ASCII.GetBytes(Line(107)[..^1]), out _));
    }

    [Theory]
    [InlineData("203.0.113.9", "203.0.113.9")]
    [InlineData("2001:db8::9", "2001:db8::9")]
    [InlineData("::ffff:203.0.113.9", "203.0.113.9")]
    public void Reads_version_2(string source, string client)
    {
        var address = IPAddress.Parse(source);
        var bytes = ProxyHeaders.Binary(new(address, 40001), new(address, 443), (0x01, "h2"u8.ToArray()), (0xEA, [1, 2, 3]), (0x04, []));

        var header = Complete([.. bytes, 1, 2, 3]);

        Assert.Equal((ProxyCommand.Client, client, 40001, bytes.Length), (header.Command, header.Source.ToString(), header.Port, header.Length));
    }

    [Theory]
    [InlineData(0x20, 0x00, 0)]
    [InlineData(0x20, 0x00, 40)]
    [InlineData(0x20, 0x11, 12)]
    [InlineData(0x20, 0x11, 3)]
    [InlineData(0x20, 0xFF, 7)]
    public void Version_2_LOCAL_is_the_proxy_itself_whatever_stands_behind(byte command, byte family, int length)
    {
        var header = Complete(ProxyHeaders.Binary(command, family, [.. Enumerable.Repeat((byte)0xFF, length)]));

        Assert.Equal((ProxyCommand.Local, false, 16 + length), (header.Command, header.Source.IsKnown, header.Length));
    }

    [Theory]
    [InlineData(0x00, 0)]
    [InlineData(0x00, 40)]
    [InlineData(0x31, 216)]
    public void Version_2_may_name_nobody(byte family, int length)
    {
        var header = Complete(ProxyHeaders.Binary(ProxyHeaders.Proxy, family, new byte[length]));

        Assert.Equal((ProxyCommand.Unknown, false, 16 + length), (header.Command, header.Source.IsKnown, header.Length));
    }

    [Theory]
    [InlineData(0x21, 0x11, 11)] // shorter than its addresses
    [InlineData(0x21, 0x11, 0)]
    [InlineData(0x21, 0x21, 35)]
    [InlineData(0x21, 0x31, 215)]
    [InlineData(0x21, 0x11, 13)] // a field without its length
    [InlineData(0x21, 0x11, 14)]
    [InlineData(0x21, 0x10, 12)] // no transport
    [InlineData(0x21, 0x12, 12)] // datagrams
    [InlineData(0x21, 0x22, 36)]
    [InlineData(0x21, 0x01, 12)]
    [InlineData(0x21, 0x13, 12)]
    [InlineData(0x21, 0x41, 216)]
    [InlineData(0x21, 0xFF, 216)]
    [InlineData(0x22, 0x11, 12)] // no such command
    [InlineData(0x2F, 0x11, 12)]
    [InlineData(0x11, 0x11, 12)] // no such version
    [InlineData(0x31, 0x11, 12)]
    [InlineData(0x01, 0x11, 12)]
    public void Refuses_a_loose_version_2(byte command, byte family, int length) =>
        Assert.Equal(ProxyHeaderStatus.Malformed, ProxyHeaderParser.Parse(ProxyHeaders.Binary(command, family, new byte[length]), out _));

    [Fact]
    public void Fields_of_version_2_must_end_where_it_ends()
    {
        Assert.Equal(ProxyHeaderStatus.Malformed, Status(ProxyHeaders.Binary(ProxyHeaders.Proxy, 0x11, [.. V4, 0x04, 0x00, 0x02, 0x00])));
        Assert.Equal(ProxyHeaderStatus.Malformed, Status(ProxyHeaders.Binary(ProxyHeaders.Proxy, 0x11, [.. V4, 0x04, 0xFF, 0xFF, 0x00])));
        Assert.Equal(ProxyHeaderStatus.Complete, Status(ProxyHeaders.Binary(ProxyHeaders.Proxy, 0x11, [.. V4, 0x04, 0x00, 0x01, 0x00])));
    }

    [Fact]
    public void Version_2_is_bounded()
    {
        var longest = ProxyHeaderParser.MaxBinaryLength - 16 - 12 - 3;

        Assert.Equal(ProxyHeaderStatus.Complete, Status(ProxyHeaders.Binary(Source, Destination, (0x04, new byte[longest]))));
        Assert.Equal(ProxyHeaderStatus.TooLong, Status(ProxyHeaders.Binary(Source, Destination, (0x04, new byte[longest + 1]))));
        Assert.Equal(ProxyHeaderStatus.TooLong, Status(ProxyHeaders.Binary(Source, Destination, (0x04, new byte[longest + 1])).AsSpan(0, 16)));
    }

    [Fact]
    public void A_checksum_is_held_against_the_bytes()
    {
        var good = ProxyHeaders.WithChecksum(ProxyHeaders.Binary(Source, Destination, (0x05, "an id"u8.ToArray())));
        Assert.Equal("203.0.113.9", Complete(good).Source.ToString());

        // Any bit besides those that say what the header is: something else is wrong then, or another checksum.
        for (var bit = 16 * 8; bit < (16 + 12) * 8; bit++)
        {
            byte[] flipped = [.. good];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Equal(ProxyHeaderStatus.WrongChecksum, Status(flipped));
        }

        Assert.Equal(ProxyHeaderStatus.Malformed, Status(ProxyHeaders.Binary(Source, Destination, (0x03, [1, 2, 3]))));
        Assert.Equal(ProxyHeaderStatus.Malformed, Status(ProxyHeaders.WithChecksum(good)));
    }

    [Fact]
    public void A_checksum_is_the_one_of_the_standard()
    {
        // RFC 3720 §B.4 has the checksum of 32 bytes of zeros; a header cannot be that, so this holds the kit's, and the test above holds both against each
        // other.
        var crc = uint.MaxValue;
        for (var i = 0; i < 32; i++)
        {
            crc = System.Numerics.BitOperations.Crc32C(crc, (byte)0);
        }

        Assert.Equal(0x8A9136AAu, ~crc);
    }

    [Fact]
    public void What_is_written_is_read_back_from_any_two_endpoints() =>
        Prop.ForAll(Headers().ToArbitrary(), header =>
        {
            var read = Complete([.. header.Bytes, .. "POST"u8]);
            Assert.Equal(new ProxyHeader(ProxyCommand.Client, ClientAddress.From(header.Source.Address), header.Source.Port, header.Bytes.Length), read);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Every_beginning_of_a_header_is_incomplete_and_what_follows_it_does_not_matter() =>
        Prop.ForAll(Headers().ToArbitrary(), header =>
        {
            for (var length = 0; length < header.Bytes.Length; length++)
            {
                Assert.Equal(ProxyHeaderStatus.Incomplete, Status(header.Bytes.AsSpan(0, length)));
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Any_bytes_get_an_answer_and_it_does_not_depend_on_how_many_came_at_once()
    {
        var noise = Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf();
        var changed =
            from header in Headers()
            from at in Gen.Choose(0, header.Bytes.Length - 1)
            from value in Gen.Choose(0, 255)
            from cut in Gen.Choose(0, header.Bytes.Length)
            from more in noise
            select (byte[])[.. Change(header.Bytes, at, (byte)value)[..cut], .. more];

        Prop.ForAll(Gen.OneOf(noise, changed).ToArbitrary(), bytes =>
        {
            var whole = ProxyHeaderParser.Parse(bytes, out var expected);
            for (var length = 0; length < bytes.Length; length++)
            {
                var status = ProxyHeaderParser.Parse(bytes.AsSpan(0, length), out var header);
                if (status != ProxyHeaderStatus.Incomplete)
                {
                    Assert.Equal((whole, expected), (status, header));
                    break;
                }
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    private static byte[] Change(byte[] bytes, int at, byte value)
    {
        byte[] copy = [.. bytes];
        copy[at] = value;
        return copy;
    }

    private static Gen<(IPEndPoint Source, byte[] Bytes)> Headers()
    {
        Gen<IPEndPoint> EndPoint(int length) =>
            from bytes in Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf(length)
            from port in Gen.Choose(0, ushort.MaxValue)
            select new IPEndPoint(new IPAddress(bytes), port);

        return
            from length in Gen.Elements(4, 16)
            from source in EndPoint(length)
            from destination in EndPoint(length)
            from form in Gen.Choose(0, 3)
            from value in Gen.Choose(0, 255).Select(number => (byte)number).ArrayOf()
            select (source, form switch
            {
                0 => ProxyHeaders.Text(source, destination),
                1 => ProxyHeaders.Binary(source, destination),
                2 => ProxyHeaders.Binary(source, destination, (0xEE, value)),
                _ => ProxyHeaders.WithChecksum(ProxyHeaders.Binary(source, destination, (0xEE, value))),
            });
    }

    private static ProxyHeaderStatus Status(ReadOnlySpan<byte> bytes) => ProxyHeaderParser.Parse(bytes, out _);

    private static ProxyHeader Complete(ReadOnlySpan<byte> bytes)
    {
        Assert.Equal(ProxyHeaderStatus.Complete, ProxyHeaderParser.Parse(bytes, out var header));
        return header;
    }
}
