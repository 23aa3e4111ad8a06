using System.Net;
using System.Text;
using WebhookEdge.AllowLists;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Routes;
using WebhookEdge.Routes.Rules;

namespace WebhookEdge.UnitTests.Routes.Rules;

public sealed class NetworkAdviceTests
{
    [Fact]
    public void A_file_with_nothing_odd_is_told_nothing() => Assert.Empty(Advise(
        """
        { "edge": { "clientAddress": { "from": "forwardedFor", "trustedProxies": ["10.0.0.0/16", "fd00::/64"] } },
          "addressSets": { "a": { "cidrs": ["8.8.8.0/24", "8.8.9.1", "2606:4700::/32"] }, "b": { "cidrs": ["8.8.8.7"] } },
          "routes": { "r": { "path": "/r", "allow": ["a", "10.1.0.0/16", "aws:us-east-1:EC2"] }, "s": { "path": "/s", "allow": ["b", "aws:us-east-1"] }, "t": { "path": "/t" } } }
        """));

    [Fact]
    public void An_entry_inside_another_of_its_list_is_told_with_both_places() => Assert.Equal(
        [
            "addressSets.a.cidrs[0]: 8.8.8.7 lies inside 8.8.8.0/25 (addressSets.a.cidrs[2]) and adds nothing; remove one of them",
            "addressSets.a.cidrs[2]: 8.8.8.0/25 lies inside 8.8.8.0/24 (addressSets.a.cidrs[1]) and adds nothing; remove one of them",
            "addressSets.a.cidrs[4]: 2606:4700::/48 lies inside 2606:4700::/32 (addressSets.a.cidrs[3]) and adds nothing; remove one of them",
            "edge.clientAddress.trustedProxies[1]: 10.0.0.7 lies inside 10.0.0.0/8 (edge.clientAddress.trustedProxies[0]) and adds nothing; remove one of them",
            "routes.r.allow[2]: 9.9.9.9/32 stands in this list twice; remove one of them",
        ],
        Advise(
            """
            { "edge": { "clientAddress": { "from": "forwardedFor", "trustedProxies": ["10.0.0.0/8", "10.0.0.7"] } },
              "addressSets": { "a": { "cidrs": ["8.8.8.7", "8.8.8.0/24", "8.8.8.0/25", "2606:4700::/32", "2606:4700::/48", "::ffff:9.9.9.9"] } },
              "routes": { "r": { "path": "/r", "allow": ["9.9.9.9", "8.0.0.1", "9.9.9.9/32"] } } }
            """).Order(StringComparer.Ordinal));

    [Fact]
    public void Networks_of_both_protocols_with_the_same_numbers_lie_in_no_other() => Assert.Empty(Advise(
        """
        { "edge": { "clientAddress": { "from": "forwardedFor", "trustedProxies": ["0.0.0.0/9"] } },
          "addressSets": { "a": { "cidrs": ["::808:801", "::c000:201", "8.8.8.0/24"] } }, "routes": { "r": { "path": "/r", "allow": ["::1"] } } }
        """));

    [Fact]
    public void A_long_list_of_them_is_bounded()
    {
        var told = Advise($$"""{ "addressSets": { "a": { "cidrs": ["8.8.8.0/24", {{string.Join(", ", Enumerable.Range(1, 50).Select(static i => $"\"8.8.8.{i}\""))}}] } } }""");

        Assert.Equal(6, told.Length);
        Assert.EndsWith("and adds nothing; 44 more of this list likewise; remove one of them", told[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Lists_that_a_route_uses_together_and_that_overlap_are_told_once_for_each_two() => Assert.Equal(
        [
            "addressSets.b.cidrs[0]: 8.8.8.7 of the set \"b\" lies inside 8.8.8.0/24 of the set \"a\": one list lets in what the other does; remove one of "
            + "them, or make the wider one narrower",
            "routes.r.allow[2]: 8.8.8.9 of allow lies inside 8.8.8.0/24 of the set \"a\": one list lets in what the other does; remove one of them, or make "
            + "the wider one narrower",
            "routes.r.allow: aws:us-east-1:EC2 lies inside aws:us-east-1, which holds every service of the region; remove one of them",
        ],
        Advise(
            """
            { "addressSets": { "a": { "cidrs": ["8.8.8.0/24"] }, "b": { "cidrs": ["8.8.8.7", "8.8.8.8"] } },
              "routes": {
                "r": { "path": "/r", "allow": ["a", "b", "8.8.8.9", "aws:us-east-1", "aws:us-east-1:EC2"] },
                "s": { "path": "/s", "allow": ["a", "b"] } } }
            """));

    [Theory]
    [InlineData("10.1.0.0/16", "10.1.0.0/16 (routes.r.allow[0]) and the trusted proxy 10.0.0.0/8")]
    [InlineData("10.0.0.0/7", "10.0.0.0/7 (routes.r.allow[0]) and the trusted proxy 10.0.0.0/8")]
    [InlineData("inside", "10.2.3.4 (addressSets.inside.cidrs[0]) and the trusted proxy 10.0.0.0/8")]
    public void Who_is_trusted_as_a_proxy_and_let_in_as_a_sender_is_told(string allow, string told) => Assert.StartsWith(
        $"routes.r.allow: {told} (edge.clientAddress.trustedProxies[1]) overlap: what is there is believed about others' addresses",
        Assert.Single(Advise($$"""
            { "edge": { "clientAddress": { "from": "forwardedFor", "trustedProxies": ["172.16.0.0/12", "10.0.0.0/8"] } }, "addressSets": { "inside": { "cidrs": ["10.2.3.4"] } },
              "routes": { "r": { "path": "/r", "allow": ["{{allow}}", "8.8.8.8"] } } }
            """)),
        StringComparison.Ordinal);

    [Fact]
    public void Addresses_left_over_from_examples_are_told_once_for_the_file() => Assert.Equal(
        ["addressSets.a.cidrs[1]: 203.0.113.7 is an address of examples (RFC 5737, RFC 3849): nobody sends from it; 3 more like it: 2001:db8:1d::/48, "
        + "198.51.100.0/24, 192.0.2.1; write the sender's own addresses"],
        Advise("""
            { "addressSets": { "a": { "cidrs": ["8.8.8.8", "203.0.113.7", "2001:db8:1d::/48"] } },
              "routes": { "r": { "path": "/r", "allow": ["a", "198.51.100.0/24"] }, "s": { "path": "/s", "allow": ["192.0.2.1", "192.0.3.0/24", "2001:d00::/24"] } } }
            """));

    [Fact]
    public void What_the_strict_reader_refuses_is_not_looked_at() =>
        Assert.Empty(Advise("""{ "addressSets": { "a": { "cidrs": ["10.0.0.0/8", "010.0.0.1", "10.1", "10.0.0.1/8", "10.0.0.0/255.0.0.0", "203.0.113.7 ", ""] } } }"""));

    /// <summary>Its parser guesses; a text that got there would be read in a way nobody meant.</summary>
    [Fact]
    public void Every_way_to_give_IPNetwork2_a_text_is_banned()
    {
        var banned = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "BannedSymbols.txt"));
        var methods = typeof(IPNetwork2).GetMethods()
            .Where(static method => method.GetParameters() is [{ ParameterType: var first }, ..] && first == typeof(string) && !method.IsSpecialName).ToList();

        Assert.True(methods.Count > 10, "the package has changed");
        Assert.All(methods, method => Assert.Contains(
            $"M:System.Net.IPNetwork2.{method.Name}({string.Join(',', method.GetParameters().Select(static parameter => Name(parameter.ParameterType)))});",
            banned, StringComparison.Ordinal));

        static string Name(Type type) => type.IsByRef ? Name(type.GetElementType()!) + "@"
            : type.IsGenericType
            ? $"{type.Namespace}.{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}{{{string.Join(',', type.GetGenericArguments().Select(Name))}}}"
            : type.FullName!;
    }

    [Theory]
    [InlineData("", 0, 0, "no address")]
    [InlineData("8.8.8.8", 1, 1, "1 IPv4 address")]
    [InlineData("8.8.8.0/25 8.8.8.128/25 8.8.8.7", 3, 1, "256 IPv4 addresses")]
    [InlineData("10.0.0.0/8 8.8.8.8", 2, 2, "16,777,217 IPv4 addresses")]
    [InlineData("8.8.8.1 8.8.8.2/31 8.8.8.4/30 8.8.8.8", 4, 4, "8 IPv4 addresses")]
    [InlineData("8.8.8.0 8.8.8.1 8.8.8.2/31 8.8.8.4/30", 4, 1, "8 IPv4 addresses")]
    [InlineData("0.0.0.0/1 128.0.0.0/1", 2, 1, "4,294,967,296 IPv4 addresses")]
    [InlineData("::/1 8000::/1", 2, 1, "2^128 IPv6 addresses")]
    [InlineData("2606:4700::/32 8.8.8.8", 2, 2, "1 IPv4 and 2^96 IPv6 addresses")]
    [InlineData("2606:4700::/127 2606:4700::2", 2, 2, "3 IPv6 addresses")]
    public void Networks_before_and_after_merging_and_the_addresses_they_let_in(string networks, int before, int after, string says)
    {
        var set = CidrSet.Create(networks.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(static text => AddressParser.TryParseNetwork(text, out var network, out var fault) ? network : throw new InvalidOperationException(fault)));

        Assert.Equal((before, after, says), (set.PrefixCount, set.MergedCount, AddressCount.Say(set)));
    }

    private static string[] Advise(string routes)
    {
        var file = RoutesFileReader.ReadAndValidate(Encoding.UTF8.GetBytes(routes), out _)
            ?? StrictJson.ReadPastUnknownKeys<RoutesFile>(Encoding.UTF8.GetBytes(routes), [], out _, out _);
        var advice = NetworkAdvice.Of(file!).ToList();
        Assert.All(advice, static problem => Assert.True(problem.IsWarning));
        return [.. advice.Select(static problem => problem.ToString())];
    }
}
