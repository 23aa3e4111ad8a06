using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Gate;

namespace WebhookEdge.UnitTests.Gate;

public sealed class ClientAddressResolverTests
{
    private static readonly ClientAddressResolver Behind = ClientAddressResolver.ForwardedFor(CidrSet.Create([IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd00::/8")]));

    [Theory]
    [InlineData("198.51.100.4", "198.51.100.4")]
    [InlineData("198.51.100.4 ", "198.51.100.4")]
    [InlineData("198.51.100.4:4711", "198.51.100.4")]
    [InlineData("2001:db8::4", "2001:db8::4")]
    [InlineData("[2001:db8::4]", "2001:db8::4")]
    [InlineData("[2001:db8::4]:4711", "2001:db8::4")]
    [InlineData("::ffff:198.51.100.4", "198.51.100.4")]
    [InlineData("198.51.100.4, 10.1.1.1", "198.51.100.4")]
    [InlineData("198.51.100.4,\t10.1.1.1 ,[fd00::1]:80", "198.51.100.4")]
    [InlineData("198.51.100.4, ::ffff:10.1.1.1", "198.51.100.4")]
    [InlineData("10.9.9.9, 10.1.1.1", "10.9.9.9")]
    public void Finds_the_client_behind_trusted_proxies(string header, string client) => Assert.Equal(client, Resolve("10.0.0.1", header));

    [Theory]
    [InlineData("13.42.70.11, 198.51.100.4", "198.51.100.4")]
    [InlineData("13.42.70.11, 198.51.100.4, 10.1.1.1", "198.51.100.4")]
    [InlineData("10.1.1.1, 198.51.100.4", "198.51.100.4")]
    [InlineData("garbage, 198.51.100.4", "198.51.100.4")]
    [InlineData(",,,198.51.100.4", "198.51.100.4")]
    public void Does_not_believe_what_the_sender_wrote_to_the_left(string header, string client) => Assert.Equal(client, Resolve("10.0.0.1", header));

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("unknown")]
    [InlineData("198.51.100.4,")]
    [InlineData("198.51.100.4, , 10.1.1.1")]
    [InlineData("198.51.100.4, _hidden, 10.1.1.1")]
    [InlineData("0306.51.100.4")]
    [InlineData("198.51.100")]
    [InlineData("3325256708")]
    [InlineData("\"198.51.100.4\"")]
    [InlineData("for=198.51.100.4")]
    [InlineData("198.51.100.4:")]
    [InlineData("198.51.100.4:x")]
    [InlineData("198.51.100.4:80\0")]
    [InlineData("198.51.100.4:70000")]
    [InlineData("198.51.100.4:80:80")]
    [InlineData("[198.51.100.4]")]
    [InlineData("[198.51.100.4]:80")]
    [InlineData("[2001:db8::4")]
    [InlineData("[2001:db8::4]80")]
    [InlineData("[2001:db8::4]:")]
    [InlineData("[]")]
    [InlineData("2001:db8::4%eth0")]
    [InlineData("198.51.100.4\0")]
    [InlineData("198.51.100.4 10.1.1.1")]
    public void Knows_nobody_when_a_hop_is_no_address(string header) => Assert.Equal("unknown", Resolve("10.0.0.1", header));

    [Fact]
    public void Ignores_the_header_of_a_peer_that_is_no_trusted_proxy() => Assert.Equal("198.51.100.4", Resolve("198.51.100.4", "13.42.70.11"));

    [Fact]
    public void Ignores_the_header_altogether_when_connections_are_direct()
    {
        var headers = new HeaderDictionary { ["X-Forwarded-For"] = "13.42.70.11" };

        Assert.Equal("10.0.0.1", ClientAddressResolver.Connection.Resolve(IPAddress.Parse("10.0.0.1"), headers).ToString());
        Assert.Equal("10.0.0.1", ClientAddressResolver.Connection.Resolve(IPAddress.Parse("::ffff:10.0.0.1"), headers).ToString());
    }

    [Fact]
    public void Takes_several_lines_as_one_list()
    {
        Assert.Equal("198.51.100.4", Resolve("10.0.0.1", "13.42.70.11", "198.51.100.4", "10.1.1.1"));
        Assert.Equal("198.51.100.4", Resolve("10.0.0.1", "13.42.70.11, 198.51.100.4", "10.2.2.2, 10.1.1.1"));
    }

    [Fact]
    public void Is_the_proxy_itself_when_it_names_nobody() => Assert.Equal("10.0.0.1", Resolve("10.0.0.1"));

    [Fact]
    public void Knows_nobody_without_a_peer()
    {
        var headers = new HeaderDictionary { ["X-Forwarded-For"] = "13.42.70.11" };

        Assert.False(Behind.Resolve(null, headers).IsKnown);
        Assert.False(ClientAddressResolver.Connection.Resolve(null, headers).IsKnown);
    }

    [Fact]
    public void Gives_up_after_32_trusted_hops()
    {
        var chain = string.Join(',', Enumerable.Repeat("10.1.1.1", 31));

        Assert.Equal("198.51.100.4", Resolve("10.0.0.1", "198.51.100.4," + chain));
        Assert.Equal("unknown", Resolve("10.0.0.1", "198.51.100.4,10.1.1.1," + chain));
    }

    [Fact]
    public void Refuses_a_header_longer_than_4096_characters()
    {
        Assert.Equal("198.51.100.4", Resolve("10.0.0.1", new string('x', 4096 - 13) + ",198.51.100.4"));
        Assert.Equal("unknown", Resolve("10.0.0.1", new string('x', 4096 - 12) + ",198.51.100.4"));
        Assert.Equal("unknown", Resolve("10.0.0.1", new string('x', 4096), "198.51.100.4"));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var peer = IPAddress.Parse("10.0.0.1");
        var headers = new HeaderDictionary { ["X-Forwarded-For"] = "[2001:db8::4]:4711, 10.1.1.1:80, fd00::1" };
        var known = Behind.Resolve(peer, headers).IsKnown;

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            known &= Behind.Resolve(peer, headers).IsKnown;
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(known);
    }

    private static string Resolve(string peer, params string[] lines)
    {
        var headers = new HeaderDictionary();
        if (lines.Length > 0)
        {
            headers["X-Forwarded-For"] = new StringValues(lines);
        }

        return Behind.Resolve(IPAddress.Parse(peer), headers).ToString();
    }
}
