using System.Text;
using FsCheck;
using FsCheck.Fluent;
using WebhookEdge.Configuration;
using WebhookEdge.Providers;
using WebhookEdge.Routes.Rules;
using WebhookEdge.UnitTests.Routes.Rules;

namespace WebhookEdge.UnitTests.Routes;

public class RoutesFileReaderTests
{
    [Fact]
    public void The_example_has_no_problem_of_any_kind()
    {
        var (file, problems) = RoutesSamples.Read(RoutesSamples.Example);

        Assert.Empty(problems);
        Assert.Equal(["real-id", "verisync", "cr3dentials", "idwise"], file!.Routes!.Keys);
    }

    [Fact]
    public void Every_optional_key_is_explained_in_the_example()
    {
        var example = Encoding.UTF8.GetString(RoutesSamples.Example);

        var keys = new[]
            {
                typeof(RoutesFile), typeof(EdgeSpec), typeof(ClientAddressSpec), typeof(AwsRangesSpec), typeof(LimitsSpec), typeof(AddressSetSpec), typeof(AwsSetSpec), typeof(JsonListSpec),
                typeof(SchemeSpec), typeof(EntriesSpec), typeof(TimestampSpec), typeof(KeySpec), typeof(ClaimsSpec), typeof(HandshakeOptions), typeof(RouteSpec), typeof(VerifySpec), typeof(AllowOptions), typeof(ReplayOptions),
                typeof(FreshnessSpec), typeof(RateLimitSpec), typeof(BudgetSpec),
            }
            .SelectMany(t => StrictJson.Options.GetTypeInfo(t).Properties)
            .Select(p => $"\"{p.Name}\"");

        Assert.All(keys, key => Assert.Contains(key, example, StringComparison.Ordinal));
    }

    [Fact]
    public void Values_arrive_as_written()
    {
        var (file, _) = RoutesSamples.Read(RoutesSamples.Example);

        Assert.Equal(TimeSpan.FromSeconds(8.5), file!.Routes!["cr3dentials"].Timeout!.Value.Value);
        Assert.Equal(256 * 1024, file.Routes["verisync"].MaxBody!.Value.Bytes);
        Assert.Equal("token", file.Routes["cr3dentials"].Verify![1].Scheme!.Inline!.Kind);
        Assert.Equal("basic", file.Routes["idwise"].Verify![0].Scheme!.Name);
        Assert.Equal(["idwise", "198.51.100.7"], file.Routes["idwise"].Allow!.From);
        Assert.Equal(404, file.Routes["idwise"].Refuse!["address-not-allowed"]);
    }

    [Fact]
    public void A_byte_order_mark_is_no_problem()
    {
        var (file, problems) = RoutesSamples.Read([0xEF, 0xBB, 0xBF, .. RoutesSamples.Example]);

        Assert.Empty(problems);
        Assert.NotNull(file);
    }

    [Fact]
    public void A_file_in_UTF_16_is_told_what_it_is()
    {
        var (file, problems) = RoutesSamples.Read([.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes("{}")]);

        Assert.Null(file);
        Assert.Equal("the file is UTF-16; save it as UTF-8", Assert.Single(problems).ToString());
    }

    [Fact]
    public void A_file_of_more_than_4_MiB_is_refused_unread()
    {
        var (file, problems) = RoutesSamples.Read(new byte[StrictJson.MaxBytes + 1]);

        Assert.Null(file);
        Assert.Equal("the file is larger than 4MiB", Assert.Single(problems).Message);
    }

    [Fact]
    public void A_problem_names_line_and_column_counted_in_characters()
    {
        var (_, problems) = RoutesSamples.Read("{\n  \"routes\": {\n    \"r\": { /* ü€ */ \"timeout\": 8 }\n  }\n}"u8);

        var problem = Assert.Single(problems);
        Assert.Equal(new FilePosition(3, 32), problem.At);
        Assert.Equal("routes.r.timeout (line 3, column 32): expected a duration such as \"8s\", found a number; a number needs a unit and double quotes", problem.ToString());
    }

    [Fact]
    public void A_problem_of_meaning_has_its_place_too_and_a_missing_key_the_place_of_its_container()
    {
        var (_, problems) = RoutesSamples.Read("{\n  \"routes\": {\n    \"r\": {\n      \"secrets\": [\"x\"] } } }"u8);

        Assert.Equal(new FilePosition(3, 5), problems.Single(p => p.Path == "routes.r.path").At);
        Assert.Equal(new FilePosition(4, 19), problems.Single(p => p.Path == "routes.r.secrets[0]").At);
    }

    [Fact]
    public void Problems_come_in_the_order_of_the_file()
    {
        var (_, problems) = RoutesSamples.Read("{ \"routes\": { \"r\": { \"path\": \"x\" } },\n \"edge\": { \"publicUrl\": \"x\" } }"u8);

        Assert.Equal(problems.OrderBy(p => p.At!.Value.Line).ThenBy(p => p.At!.Value.Column).Select(p => p.Path), problems.Select(p => p.Path));
        Assert.Equal("edge.publicUrl", problems[^1].Path);
    }

    [Fact]
    public void A_file_full_of_faults_is_cut_short()
    {
        var (_, problems) = RoutesSamples.Read(Encoding.UTF8.GetBytes($"{{ \"routes\": {{ \"r\": {{ \"secrets\": [{string.Join(',', Enumerable.Repeat("1", 5_000))}] }} }} }}"));

        Assert.Equal(101, problems.Count);
        Assert.Contains("the rest is not shown", problems[^1].Message, StringComparison.Ordinal);
    }

    /// <summary>A secret written in every place where a confused hand might put it is in no message.</summary>
    [Theory]
    [InlineData("{ 'routes': SECRET }")]
    [InlineData("{ \"routes\": { \"r\": { \"secrets\": [SECRET] } } }")]
    [InlineData("{ \"routes\": { \"r\": { \"secrets\": [tSECRET] } } }")]
    [InlineData("{ \"routes\": { \"r\": { \"secrets\": [\"SECRET\\q\"] } } }")]
    [InlineData("{ \"routes\": { \"r\": { \"secrets\": \"SECRET\" } } }")]
    [InlineData("{ \"routes\": { \"r\": { \"secrets\": [\"SECRET\"] } } }")]
    [InlineData("{ \"routes\": { \"r\": { \"provider\": \"verisync\", \"secrets\": [\"env:SECRET!\"] } } }")]
    [InlineData("{ \"routes\": { \"r\": { \"verify\": [ { \"scheme\": \"basic\", \"secrets\": [\"user:SECRET\"] } ] } } }")]
    [InlineData("{ \"routes\": { \"r\": { \"upstream\": \"http://user:SECRET@host/\" } } }")]
    [InlineData("{ \"routes\": { \"r\": { \"timeout\": \"SECRET\" } } }")]
    [InlineData("{ \"edge\": { \"redis\": \"host,password=SECRET\" } }")]
    [InlineData("{ \"edge\": { \"publicUrl\": \"https://user:SECRET@host\" } }")]
    [InlineData("{ \"clusters\": { \"c\": { \"Destinations\": { \"a\": { \"Address\": \"http://user:SECRET@host/\" } } } } }")]
    public void No_message_repeats_what_may_be_a_secret(string text)
    {
        var (_, problems) = RoutesSamples.Read(Encoding.UTF8.GetBytes(text.Replace("SECRET", "hunter2", StringComparison.Ordinal)));

        Assert.NotEmpty(problems);
        Assert.All(problems, p => Assert.DoesNotContain("hunter2", p.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public void No_message_carries_control_characters_from_the_file()
    {
        var (_, problems) = RoutesSamples.Read("{ \"routes\": { \"\\u001b[2J\": { \"provider\": \"\\u001b[31m\", \"\\u0007\": 1 } } }"u8);
        var (_, meant) = RoutesSamples.Read("{ \"routes\": { \"\\u001b[2J\": { \"provider\": \"\\u001b[31m\", \"path\": \"/x\\u0007\", \"cluster\": \"\\u0007\" } } }"u8);

        Assert.NotEmpty(problems);
        Assert.NotEmpty(meant);
        Assert.All(problems.Concat(meant), p => Assert.DoesNotContain(p.ToString(), char.IsControl));
    }

    [Fact]
    public void A_file_with_required_keys_reports_those_that_are_missing()
    {
        var problems = new List<ConfigProblem>();

        var preset = StrictJson.Read<PresetSpec>("{ \"name\": \"x\", \"title\": \"X\", \"scheme\": {} }"u8, problems, out _);

        Assert.Null(preset);
        Assert.Equal(["docs", "status"], problems.Select(p => p.Path).Order());
    }

    [Fact]
    public void A_file_cut_anywhere_is_a_problem_and_never_a_throw()
    {
        var example = RoutesSamples.Example;
        var end = Array.LastIndexOf(example, (byte)'}');

        for (var length = 0; length < end; length += 7)
        {
            var (file, problems) = RoutesSamples.Read(example.AsSpan(0, length));

            Assert.Null(file);
            Assert.NotEmpty(problems);
        }
    }

    [Fact]
    public void Nothing_makes_the_reader_throw()
    {
        var example = RoutesSamples.Example;
        var fragments = "{ } [ ] , : \" \\ null true 1e9 -1 \"x\" \"\\uD800\" \"$schema\" \"\" /* // any aws: 0.0.0.0/0 [ ::1 http://[ http://\u0130 \u0000 {**rest}"
            .Split(' ').Select(Encoding.UTF8.GetBytes).Append([0xFF]).Append([0xC3]).ToArray();
        var edit = Gen.Choose(0, example.Length - 1).SelectMany(at => Gen.Choose(0, 40).SelectMany(cut => Gen.Elements(fragments).Select(put => (at, cut, put))));

        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(1_500),
            Prop.ForAll(
                edit.ListOf().Select(l => l.Take(4).ToList()).ToArbitrary(),
                edits =>
                {
                    var bytes = example.ToList();
                    foreach (var (at, cut, put) in edits)
                    {
                        var start = Math.Min(at, bytes.Count);
                        bytes.RemoveRange(start, Math.Min(cut, bytes.Count - start));
                        bytes.InsertRange(start, put);
                    }

                    var (file, problems) = RoutesSamples.Read([.. bytes]);
                    return file is not null == problems.All(p => p.IsWarning);
                }));
    }

    /// <summary>Strings of all kinds in every place that takes one: the rules themselves must not throw either.</summary>
    [Fact]
    public void No_text_makes_a_rule_throw()
    {
        var strange = Gen.Elements(
            "", " ", "\0", "any", "aws:", "aws::", "header:", "json:", "json:/~2", "env:", "file:", "http://", "http://[", "http://[::1%25eth0]/", "file:///", "::", "::/0", "1/", "/", "//", "/{**rest}", "{**rest}",
            "*", "*.", "xn--", new string('9', 400), new string('a', 100_000), "0x", "1.2.3.4/33", "::ffff:0:0/96", "fe80::1%1", "\uFFFF", "İ");

        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(500),
            Prop.ForAll(
                strange.ArrayOf(12).ToArbitrary(),
                s =>
                {
                    var file = new RoutesFile
                    {
                        Edge = new() { PublicUrl = s[0], Redis = s[1], StateDirectory = s[2], ClientAddress = new() { From = AddressSource.ForwardedFor, TrustedProxies = [s[3]] }, AwsRanges = new() { Url = s[4] } },
                        AddressSets = new() { [s[5]] = new() { Cidrs = [s[6]] }, ["j"] = new() { Json = new() { Url = s[7], Pointer = s[8] } } },
                        Schemes = new() { [s[9]] = new() { Kind = s[10], Header = new([s[11]]), Timestamp = new() { From = s[0] }, Id = s[1], Signed = s[2] } },
                        Routes = new()
                        {
                            [s[3]] = new()
                            {
                                Path = s[4], Hosts = [s[5]], Methods = [s[6]], Cluster = s[7], Upstream = s[8], Provider = s[9], Verify = [new() { Scheme = new(s[10], null), Secrets = [s[11]] }],
                                Allow = new([s[0], s[5]], CheckMode.Observe), Replay = new(null, new() { Key = [s[2], s[3]] }), Freshness = new() { At = s[4] }, Mode = CheckMode.Enforce, Refuse = new() { [s[6]] = 1 },
                            },
                            ["r"] = new() { Path = s[4], Hosts = [s[5]], Replay = new(s[7], null) },
                        },
                    };

                    return RoutesValidator.Validate(file).Any(p => !p.IsWarning);
                }));
    }
}
