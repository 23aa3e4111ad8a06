using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.Gate;

public sealed class ClientAddressResolverTests
{
    private static readonly ClientAddressResolver Behind = ClientAddressResolver.ForwardedFor(
        CidrSet.Create([IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd00::/8")]));

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

    [Theory]
    [InlineData("203.0.113.9", "10.0.0.1", "203.0.113.9")] // named by a trusted proxy
    [InlineData("10.2.2.2", "10.0.0.1", "10.2.2.2")] // a client inside the proxies' own network
    [InlineData("10.0.0.1", "10.0.0.1", "10.0.0.1")] // the proxy itself: LOCAL
    [InlineData("203.0.113.9", "::ffff:10.0.0.1", "203.0.113.9")]
    [InlineData("203.0.113.9", "192.0.2.1", "192.0.2.1")] // a proxy that was trusted when the connection was opened
    [InlineData(null, "10.0.0.1", "unknown")] // a connection from before the rule, or one without a header
    [InlineData(null, "::ffff:10.0.0.1", "unknown")]
    [InlineData(null, "192.0.2.1", "192.0.2.1")] // nobody's proxy
    [InlineData(null, null, "unknown")] // a header that names nobody leaves no peer
    public void Believes_the_PROXY_header_of_proxies_that_are_trusted_now(string? named, string? proxy, string client)
    {
        var resolver = ClientAddressResolver.ProxyProtocol(CidrSet.Create([IPNetwork.Parse("10.0.0.0/8")]));
        var headers = new HeaderDictionary { ["X-Forwarded-For"] = "198.51.100.4" };

        Assert.Equal(client, resolver.Resolve(Peer(named, proxy), headers).ToString());
        Assert.StartsWith(client, resolver.Explain(Peer(named, proxy), headers), StringComparison.Ordinal);
    }

    [Fact]
    public void A_connection_that_outlives_the_rule_counts_by_its_socket_again()
    {
        var none = new HeaderDictionary();
        var forwarded = new HeaderDictionary { ["X-Forwarded-For"] = "198.51.100.4" };

        Assert.Equal("10.0.0.1", ClientAddressResolver.Connection.Resolve(Peer("203.0.113.9", "10.0.0.1"), none).ToString());
        Assert.Equal("192.0.2.1", Behind.Resolve(Peer("10.1.1.1", "192.0.2.1"), forwarded).ToString());
    }

    /// <summary>The proxy passed connections on when it was opened, and wrote no header into requests: what stands there is the client's own word.</summary>
    [Fact]
    public void On_a_connection_that_began_with_a_PROXY_header_X_Forwarded_For_is_not_believed_after_a_reload()
    {
        var forged = new HeaderDictionary { ["X-Forwarded-For"] = "198.51.100.4" };

        Assert.False(Behind.Resolve(Peer("203.0.113.9", "10.0.0.1"), forged).IsKnown);
        Assert.Equal(
            "unknown: the connection of the trusted proxy 10.0.0.1 began with a PROXY header, so X-Forwarded-For on it is the client's own",
            Behind.Explain(Peer("203.0.113.9", "10.0.0.1"), forged));
    }

    [Theory]
    [InlineData("10.0.0.1", "198.51.100.4", "198.51.100.4, from the X-Forwarded-For of the trusted proxy 10.0.0.1")]
    [InlineData("10.0.0.1", "198.51.100.4, x", "unknown: X-Forwarded-For from the trusted proxy 10.0.0.1 names no address in the place that counts")]
    [InlineData("10.0.0.1", null, "10.0.0.1, the trusted proxy itself, which sent no X-Forwarded-For")]
    [InlineData("192.0.2.1", "198.51.100.4", "192.0.2.1, the peer of the connection, which is none of the trusted proxies")]
    public void Says_how_it_chose(string peer, string? forwarded, string said)
    {
        var headers = forwarded is null ? new HeaderDictionary() : new HeaderDictionary { ["X-Forwarded-For"] = forwarded };

        Assert.Equal(said, Behind.Explain(IPAddress.Parse(peer), headers));
        Assert.Equal("192.0.2.1, the peer of the connection", ClientAddressResolver.Connection.Explain(IPAddress.Parse("192.0.2.1"), headers));
    }

    private static IPAddress? Peer(string? named, string? proxy) =>
        proxy is null ? null : named is null ? IPAddress.Parse(proxy) : new ProxiedAddress(IPAddress.Parse(named), IPAddress.Parse(proxy));

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
