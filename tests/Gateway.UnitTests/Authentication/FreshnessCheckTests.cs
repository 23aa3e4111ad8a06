using WebhookEdge.Authentication;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;
using static WebhookEdge.UnitTests.Authentication.VerdictAssert;

namespace WebhookEdge.UnitTests.Authentication;

public sealed class FreshnessCheckTests
{
    // Clock: 2023-11-14T22:13:20Z.
    [Theory]
    [InlineData("\"2023-11-14T22:13:20.000Z\"")]
    [InlineData("\"2023-11-13T22:13:20.000Z\"")]
    [InlineData("\"2023-11-14T22:18:20Z\"")]
    [InlineData("\"2023-11-15T00:13:20+02:00\"")]
    [InlineData("1700000000")]
    [InlineData("\"1700000000\"")]
    [InlineData("1700000000000")]
    [InlineData("1699913600")]
    public async Task A_fresh_body_passes(string time) => Assert.True((await Decide($$"""{"created_at":{{time}}}""")).Passed);

    [Theory]
    [InlineData("\"2023-11-13T22:13:19.999Z\"")]
    [InlineData("\"2023-11-14T22:18:20.001Z\"")]
    [InlineData("\"2022-12-09T15:20:35.136Z\"")]
    [InlineData("1699913599")]
    [InlineData("1700000301")]
    [InlineData("0")]
    [InlineData("999999999999999")]
    public async Task A_body_too_old_or_from_the_future_is_refused(string time) =>
        Refused(RejectReason.TimestampOutsideWindow, await Decide($$"""{"created_at":{{time}}}"""));

    [Theory]
    [InlineData("{}")]
    [InlineData("")]
    [InlineData("""{"created_at":null}""")]
    [InlineData("""{"created_at":true}""")]
    [InlineData("""{"created_at":{}}""")]
    [InlineData("""{"created_at":"yesterday"}""")]
    [InlineData("""{"created_at":-1}""")]
    [InlineData("""{"created_at":1.7e9}""")]
    [InlineData("""{"created_at":"2023-11-14"}""")]
    [InlineData("""{"created_at":1700000000,"created_at":1700000000}""")]
    public async Task A_body_without_a_readable_time_is_refused(string body) => Refused(RejectReason.SignatureMalformed, await Decide(body));

    [Theory]
    [InlineData(null, "24h", "f.at")]
    [InlineData("created_at", "24h", "f.at")]
    [InlineData("json:created_at", "24h", "f.at")]
    [InlineData("json:", "24h", "f.at")]
    [InlineData("header:Date", "24h", "f.at")]
    [InlineData("json:/created_at", null, "f.within")]
    public void A_rule_that_cannot_work_does_not_load(string? at, string? within, string place)
    {
        var problems = new List<ConfigProblem>();

        Assert.Null(FreshnessCheck.Compile(new() { At = at, Within = within is null ? null : Duration.Parse(within, null) }, TimeProvider.System, problems, "f"));
        Assert.Equal(place, Assert.Single(problems).Path);
    }

    private static ValueTask<Verdict> Decide(string body)
    {
        var problems = new List<ConfigProblem>();
        var check = FreshnessCheck.Compile(new() { At = "json:/created_at", Within = new Duration(TimeSpan.FromHours(24)) }, new Standstill(), problems, "f")!;
        Assert.Empty(problems);
        Assert.Equal(Stage.Freshness, check.Stage);
        return check.CheckAsync(SchemeHarness.Deliver([], body), CancellationToken.None);
    }

    private sealed class Standstill : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => SchemeHarness.Now;
    }
}
