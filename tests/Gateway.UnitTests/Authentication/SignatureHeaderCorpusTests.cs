using System.Text;
using Microsoft.Extensions.Primitives;
using WebhookEdge.TestKit;
using WebhookEdge.UnitTests.Fuzz;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Authentication;

/// <summary>Each file of tests/corpus/signature-headers through the checks and through a whole gateway: both must give its reason.</summary>
public sealed class SignatureHeaderCorpusTests
{
    /// <summary>Cases there were when this was last raised: a corpus that vanished passes every test.</summary>
    private const int AtLeast = 150;

    public static TheoryData<string> Cases() => [.. SignatureHeaderCase.Names];

    [Fact]
    public void The_corpus_is_there() => Assert.True(SignatureHeaderCase.Names.Count >= AtLeast, $"{SignatureHeaderCase.Names.Count}");

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_checks_and_the_naive_oracle_say_what_the_case_says(string name)
    {
        var item = SignatureHeaderCase.Load(name);
        var harness = SchemeHarness.CreateAt(SignatureHeaderCase.PublicUrl, item.Path, item.Scheme, item.Secret);
        harness.Clock = DateTimeOffset.FromUnixTimeSeconds(SignatureHeaderCase.Now);

        var lines = item.Headers.GroupBy(header => header.Key, StringComparer.OrdinalIgnoreCase)
            .Select(group => KeyValuePair.Create(group.Key, new StringValues([.. group.Select(header => header.Value)])));
        var verdict = harness.Decide(SchemeHarness.Deliver(lines, new(item.Body), "POST", item.Path));

        Assert.Equal(item.Expect, verdict.Passed ? "ok" : verdict.Reason.Describe().Slug);
        Assert.Equal(verdict.Passed,
            new NaiveOracle(item.Scheme, item.Secret, SignatureHeaderCase.PublicUrl + item.Path)
            .Accepts(new(item.Headers, item.Body, "POST", item.Path, SignatureHeaderCase.Now)));
    }

    [Fact]
    public async Task A_gateway_says_what_the_cases_say()
    {
        var cases = SignatureHeaderCase.Names.Select(SignatureHeaderCase.Load).DistinctBy(item => item.Preset).ToList();
        var routes = cases.Select(item => $$""" "{{item.Preset}}": { "path": "{{item.Path}}", "provider": "{{item.Preset}}", "secrets": ["file:{dir}/{{item.Preset}}"], "allow": ["any"], "replay": "off", "upstream": "{upstream}" }""");
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(
            $$"""{ "edge": { "publicUrl": "{{SignatureHeaderCase.PublicUrl}}" }, "routes": { {{string.Join(",\n", routes)}} } }""",
            upstream.Address,
            cases.ToDictionary(item => item.Preset, item => item.Secret),
            new TestClock());
        var wrong = new List<string>();
        foreach (var name in SignatureHeaderCase.Names)
        {
            var item = SignatureHeaderCase.Load(name);
            var request = RawRequest.Post(item.Path, item.Body);
            foreach (var (header, value) in item.Headers)
            {
                // Header texts go out as UTF-8, which is how the server reads them.
                request = request.WithHeader(header, Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(value)));
            }

            var before = upstream.Requests.Count;
            var response = await gateway.SendAsync(request);
            var said = response.Status == 200 ? "ok" : gateway.Journal.Newest(1) is [var entry, ..] ? entry.Reason.Describe().Slug : "";
            if (said != item.Expect || (said == "ok") != (upstream.Requests.Count == before + 1))
            {
                wrong.Add($"{name}: {said} ({response.Status})");
            }
        }

        Assert.Empty(wrong);
    }
}
