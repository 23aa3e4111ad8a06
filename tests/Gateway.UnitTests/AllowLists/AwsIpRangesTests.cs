using System.Net;
using System.Text;
using WebhookEdge.AllowLists;
using WebhookEdge.Primitives;
using Xunit.Abstractions;

namespace WebhookEdge.UnitTests.AllowLists;

public sealed class AwsIpRangesTests(ITestOutputHelper output)
{
    [Fact]
    public void Cuts_lists_by_region_and_service()
    {
        var ranges = Parse(AwsFixture.Json());

        Assert.Equal(1_787_000_000, ranges.Revision);
        Assert.Equal("2026-08-17-00-00-00", ranges.CreateDate);
        Assert.Equal<string>(["GLOBAL", "eu-west-2", "us-east-1", "us-west-2"], ranges.Regions);
        Assert.Equal<string>(["AMAZON", "CLOUDFRONT", "EC2", "S3"], ranges.Services);
        Assert.Equal(["3.80.0.0/12", "52.0.0.0/15", "52.216.0.0/15", "2600:1f18::/33"], Texts(ranges.Select(["us-east-1"], [])));
        Assert.Equal(["3.80.0.0/12", "52.0.0.0/15", "2600:1f18::/33"], Texts(ranges.Select(["us-east-1"], ["EC2"])));
        Assert.Equal(["3.80.0.0/12", "13.40.0.0/14", "52.0.0.0/15", "52.216.0.0/15", "2600:1f18::/33", "2a05:d01c::/36"],
            Texts(ranges.Select(["us-east-1", "eu-west-2"], ["EC2", "S3"])));
        Assert.Empty(ranges.Select(["us-east-1"], ["CLOUDFRONT"]));
    }

    [Fact]
    public void Says_which_region_or_service_was_probably_meant()
    {
        var ranges = Parse(AwsFixture.Json());

        Assert.Equal(["unknown region 'us-est-1'; did you mean 'us-east-1'?"], ranges.Unknown(["us-est-1", "us-east-1"], ["EC2"]));
        Assert.Equal(["unknown region 'US-EAST-1'; did you mean 'us-east-1'?", "unknown service 'ec2'; did you mean 'EC2'?"],
            ranges.Unknown(["US-EAST-1"], ["ec2"]));
        Assert.Equal(["unknown region 'mars'; AWS publishes GLOBAL, eu-west-2, us-east-1, us-west-2"], ranges.Unknown(["mars"], []));
    }

    [Theory]
    [InlineData("", "no valid JSON")]
    [InlineData("{", "no valid JSON")]
    [InlineData("[]", "no JSON object")]
    [InlineData("null", "no JSON object")]
    [InlineData("{}", "syncToken")]
    [InlineData("""{"syncToken":17,"createDate":"x","prefixes":[],"ipv6_prefixes":[]}""", "syncToken")]
    [InlineData("""{"syncToken":"-1","createDate":"x","prefixes":[],"ipv6_prefixes":[]}""", "syncToken")]
    [InlineData("""{"syncToken":"1","prefixes":[],"ipv6_prefixes":[]}""", "createDate")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":{},"ipv6_prefixes":[]}""", "prefixes is missing")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":[]}""", "ipv6_prefixes is missing")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":[7],"ipv6_prefixes":[]}""", "prefixes[0]")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":[{"ip_prefix":"3.4.12.4/32","service":"EC2"}],"ipv6_prefixes":[]}""", "prefixes[0] lacks")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":[{"ip_prefix":"3.4.12.4/32","region":"us\neast","service":"EC2"}],"ipv6_prefixes":[]}""",
        "prefixes[0] lacks")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":[{"ip_prefix":"0.0.0.0/0","region":"r","service":"EC2"}],"ipv6_prefixes":[]}""",
        "wider than /8")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":[{"ip_prefix":"2.0.0.0/7","region":"r","service":"EC2"}],"ipv6_prefixes":[]}""",
        "wider than /8")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":[{"ip_prefix":"3.4.12.4/24","region":"r","service":"EC2"}],"ipv6_prefixes":[]}""",
        "prefixes[0]: ")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":[{"ip_prefix":"03.4.12.4/32","region":"r","service":"EC2"}],"ipv6_prefixes":[]}""",
        "leading zeros")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":[],"ipv6_prefixes":[{"ipv6_prefix":"2600::/19","region":"r","service":"EC2"}]}""",
        "wider than /20")]
    [InlineData("""{"syncToken":"1","createDate":"x","prefixes":[],"ipv6_prefixes":[{"ipv6_prefix":"::/0","region":"r","service":"EC2"}]}""", "wider than /20")]
    public void Refuses_a_document_with_anything_unsound_in_it(string json, string fault)
    {
        Assert.False(AwsIpRanges.TryParse(Encoding.UTF8.GetBytes(json), out _, out var said));
        Assert.Contains(fault, said, StringComparison.Ordinal);
    }

    [Fact]
    public void One_bad_entry_of_many_is_left_out_of_the_lists_it_belongs_to()
    {
        var ranges = Parse(AwsFixture.Json(with: [.. Enumerable.Range(0, 20).Select(static i => $"44.192.{i}.0/24"), "44.193.0.1/24"]));

        Assert.Equal("prefixes[32]", Assert.Single(ranges.LeftOut).Fault[..12]);
        Assert.True(ranges.TrySelect(new(["us-east-1"], ["AMAZON"], null), out var east, out var fault), fault);
        Assert.Equal((24, 1), (east.Networks.Count, east.LeftOut));
        Assert.StartsWith("1 of 25 entries are no sound networks and were left out; the first: prefixes[32]: '44.193.0.1/24' has bits set", east.Note,
            StringComparison.Ordinal);

        // Where it belongs is known, so that nobody else need worry.
        Assert.True(ranges.TrySelect(new(["eu-west-2"], ["AMAZON"], null), out var london, out _));
        Assert.Equal((2, 0, ""), (london.Networks.Count, london.LeftOut, london.Note));
    }

    [Fact]
    public void More_than_a_tenth_of_one_list_refuses_that_list_and_of_one_family_the_document()
    {
        var many = Enumerable.Range(0, 100).Select(static i => Entry($"3.{i}.0.0/16", "us-east-1")).ToArray();
        var ranges = Parse(Document([.. many, Entry("52.0.0.0/16", "eu-west-2"), Entry("52.1.0.1/16", "eu-west-2")]));

        Assert.True(ranges.TrySelect(new(["us-east-1"], ["AMAZON"], null), out _, out _));
        Assert.False(ranges.TrySelect(new(["eu-west-2"], ["AMAZON"], null), out _, out var fault));
        Assert.StartsWith("1 of 2 entries are no sound networks, more than a tenth; the first: prefixes[101]: ", fault, StringComparison.Ordinal);
        Assert.False(AwsIpRanges.TryParse(Document([.. many, .. Enumerable.Repeat(Entry(" ", "us-east-1"), 12)]), out _, out fault));
        Assert.StartsWith("12 of 112 entries are no sound networks, more than a tenth; the first: prefixes[100]: ", fault, StringComparison.Ordinal);
        Assert.False(AwsIpRanges.TryParse(Document([.. many, Entry("0.0.0.0/0", "us-east-1")]), out _, out fault));
        Assert.Contains("wider than /8", fault, StringComparison.Ordinal);

        static string Entry(string network, string region) => $$"""{ "ip_prefix": "{{network}}", "region": "{{region}}", "service": "AMAZON" }""";
        static byte[] Document(string[] entries) =>
            Encoding.UTF8.GetBytes($$"""{ "syncToken": "1", "createDate": "x", "prefixes": [{{string.Join(',', entries)}}], "ipv6_prefixes": [] }""");
    }

    [Fact]
    public void Known_names_without_a_network_are_a_list_of_nothing_and_unknown_ones_are_none()
    {
        var ranges = Parse(AwsFixture.Json());

        Assert.True(ranges.TrySelect(new(["us-east-1"], ["CLOUDFRONT"], null), out var cut, out var fault), fault);
        Assert.Empty(cut.Networks);
        Assert.Equal("AWS publishes no network for these services in these regions: it lets nobody in", cut.Note);
        Assert.False(ranges.TrySelect(new(["us-est-1"], ["EC2"], null), out _, out fault));
        Assert.Contains("did you mean 'us-east-1'?", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_every_cut_off_document()
    {
        var json = AwsFixture.Json().AsMemory();

        for (var length = 0; length < json.Length - 1; length += 7)
        {
            Assert.False(AwsIpRanges.TryParse(json[..length], out _, out _));
        }
    }

    [Fact]
    public void Reads_the_lists_that_AWS_really_published()
    {
        if (SharedData() is not { } data)
        {
            output.WriteLine("skipped: there is no folder shared/data beside the repository");
            return;
        }

        var file = Assert.Single(Directory.GetFiles(data, "ip-ranges-2026-08-22.json"));
        var ranges = Parse(File.ReadAllBytes(file));
        var region = ranges.Select(["us-east-1"], ranges.Services);
        var set = CidrSet.Create(region);
        var london = CidrSet.Create(ranges.Select(["eu-west-2"], ["EC2"]));
        var verisync = ClientAddress.From(IPAddress.Parse("13.42.70.11"));

        Assert.Equal(1079, region.Count(network => network.BaseAddress.GetAddressBytes().Length == 4));
        Assert.Equal(284, region.Count(network => network.BaseAddress.GetAddressBytes().Length == 16));
        Assert.Equal(1363, set.PrefixCount);
        Assert.Equal(22_956_666UL, set.AddressCountV4);
        Assert.True(london.Contains(verisync));
        Assert.False(set.Contains(verisync));
        // The guards must not stand in the way of real life: from one month, and one year, to the next.
        foreach (var earlier in Directory.GetFiles(data, "ip-ranges-*.json"))
        {
            var before = Parse(File.ReadAllBytes(earlier));
            Assert.False(set.LostMoreThanHalfOf(CidrSet.Create(before.Select(["us-east-1"], []))));
            output.WriteLine($"{Path.GetFileName(earlier)}: {before.Prefixes.Length} entries, revision {before.Revision}");
        }

        // Every network is found at both ends, and what a plain scan says of its neighbours is what the set says.
        var all = CidrSet.Create(ranges.Prefixes.Select(prefix => prefix.Network));
        var scan = ranges.Prefixes.Select(prefix => prefix.Network).Distinct().ToList();
        Assert.All(scan, network => Assert.True(all.Contains(ClientAddress.From(network.BaseAddress))));
        var random = new Random(22);
        for (var i = 0; i < 300; i++)
        {
            var address = ClientAddress.FromIPv4((uint)random.NextInt64(1L << 32));
            Assert.Equal(scan.Any(network => network.Contains(address.ToIPAddress()!)), all.Contains(address));
        }
    }

    private static AwsIpRanges Parse(byte[] json)
    {
        Assert.True(AwsIpRanges.TryParse(json, out var ranges, out var fault), fault);
        return Assert.IsType<AwsIpRanges>(ranges);
    }

    private static IEnumerable<string> Texts(IEnumerable<IPNetwork> networks) => networks.Select(network => network.ToString());

    private static string? SharedData()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var data = Path.Combine(folder.FullName, "shared", "data");
            if (Directory.Exists(data))
            {
                return data;
            }
        }

        return null;
    }
}

/// <summary>A small document with the shape of AWS' own.</summary>
internal static class AwsFixture
{
    private static readonly (string Network, string Region, string Services)[] Networks =
    [
        ("3.80.0.0/12", "us-east-1", "AMAZON EC2"),
        ("13.40.0.0/14", "eu-west-2", "AMAZON EC2"),
        ("52.0.0.0/15", "us-east-1", "AMAZON EC2"),
        ("52.216.0.0/15", "us-east-1", "AMAZON S3"),
        ("54.148.0.0/15", "us-west-2", "AMAZON EC2"),
        ("13.32.0.0/15", "GLOBAL", "AMAZON CLOUDFRONT"),
        ("2600:1f18::/33", "us-east-1", "AMAZON EC2"),
        ("2a05:d01c::/36", "eu-west-2", "AMAZON EC2"),
        ("2600:9000::/28", "GLOBAL", "AMAZON CLOUDFRONT"),
    ];

    /// <summary>
    /// AWS' document with the fixture's networks, without those in <paramref name="without"/> and with <paramref name="with"/> (us-east-1, AMAZON).
    /// </summary>
    public static byte[] Json(long syncToken = 1_787_000_000, string[]? without = null, string[]? with = null)
    {
        var entries = Networks.Concat((with ?? []).Select(network => (Network: network, Region: "us-east-1", Services: "AMAZON")))
            .Where(entry => without is null || !without.Contains(entry.Network))
            .SelectMany(entry => entry.Services.Split(' ').Select(service => (entry.Network, entry.Region, service)))
            .ToLookup(entry => entry.Network.Contains(':', StringComparison.Ordinal));
        return Encoding.UTF8.GetBytes($$"""
            {
              "syncToken": "{{syncToken}}",
              "createDate": "2026-08-17-00-00-00",
              "prefixes": [{{string.Join(',', entries[false].Select(entry => Entry("ip_prefix", entry)))}}],
              "ipv6_prefixes": [{{string.Join(',', entries[true].Select(entry => Entry("ipv6_prefix", entry)))}}]
            }
            """);
    }

    private static string Entry(string key, (string Network, string Region, string Service) entry) =>
        $$"""{ "{{key}}": "{{entry.Network}}", "region": "{{entry.Region}}", "service": "{{entry.Service}}", "network_border_group": "{{entry.Region}}" }""";
}
