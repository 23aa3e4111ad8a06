using System.CommandLine;
using WebhookEdge.LoadTests;

namespace WebhookEdge.UnitTests.LoadTests;

public sealed class ArgumentsTests
{
    [Theory]
    [InlineData("run --rate abc", "--rate")]
    [InlineData("run --rate 3000000000", "--rate")]
    [InlineData("run --rate 0", "--rate must be from 1")]
    [InlineData("run --connections 2000000000", "--connections must be from 1 to 20000")]
    [InlineData("run --p99 NaN", "--p99 must be above 0")]
    [InlineData("run --p99 1e300", "--p99 must be above 0")]
    [InlineData("run --p99 soon", "--p99")]
    [InlineData("memory --size 2147483647", "--size must be from 64 to 67108864")]
    [InlineData("generate --count x --secret env:S --out x", "--count")]
    [InlineData("generate --path hooks --secret env:S --out x", "--path must start with a slash")]
    [InlineData("compare --gateway x --sizes 600 abc", "--sizes")]
    [InlineData("compare --gateway x --sizes 600 1", "--sizes must be from")]
    [InlineData("compare --gateway x --rounds 2147483648", "--rounds")]
    public void A_wrong_argument_is_said_and_nothing_is_thrown(string line, string expected)
    {
        var root = new RootCommand { RunCommand.Create(), MemoryCommand.Create(), GenerateCommand.Create(), CompareCommand.Create() };

        Assert.Contains(root.Parse(line).Errors, error => error.Message.Contains(expected, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("run --scenario valid/github-600 nope", "--scenario: there is none called nope")]
    [InlineData("run --target 127.0.0.1", "--target: write ADDRESS:PORT")]
    [InlineData("run --json /proc/none/of/it.json", "--json: ")]
    [InlineData("run --report /proc/none/of/it.html", "--report: ")]
    public async Task What_cannot_work_is_said_before_anything_is_started(string line, string expected)
    {
        var configuration = new InvocationConfiguration { Output = new StringWriter(), Error = new StringWriter() };

        Assert.Equal(1, await new RootCommand { RunCommand.Create() }.Parse(line).InvokeAsync(configuration));
        Assert.StartsWith(expected, configuration.Error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Latency_of_requests_that_nobody_answered_holds_no_threshold()
    {
        var findings = Judgement.Of(new(TimeSpan.FromMilliseconds(50), MaxErrors: 1), wantedRate: 0, rate: 0, p99: TimeSpan.Zero, requests: 10, errors: 10);

        Assert.Equal([true, true, false], findings.Select(static finding => finding.Holds));
    }
}
