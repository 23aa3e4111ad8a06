using System.Net;
using WebhookEdge.LoadTests;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.LoadTests;

public sealed class OpenModelRunnerTests
{
    private static readonly byte[] Secret = "a secret of the load test, 32 by"u8.ToArray();

    [Fact]
    public async Task Every_request_is_sent_once_and_every_wrong_answer_counted()
    {
        await using var upstream = TestUpstream.Start();
        upstream.Respond(request => request.Number % 10 == 0 ? UpstreamAnswer.Status(500) : UpstreamAnswer.Ok);
        var scenario = LoadScenario.All.First(one => one.Name == "valid/github-600");
        var bank = new RequestBank(scenario, Secret, 100, seed: 1);

        var result = await Task.Run(() => OpenModelRunner.Run(scenario, bank, Plan(upstream.EndPoint, rate: 1000, milliseconds: 100), TimeProvider.System));

        Assert.Equal((100, 10), (result.Latency.Count, result.Errors));
        Assert.Equal("Valid: 500 instead of 200", Assert.Single(result.WrongAnswers).Key);
        Assert.Equal(100, upstream.Requests.Select(request => Convert.ToHexString(request.Body)).Distinct().Count());
        Assert.True(result.Elapsed >= TimeSpan.FromMilliseconds(100));
        Assert.InRange(upstream.ConnectionCount, 1, 4);
    }

    [Fact]
    public async Task Requests_that_had_to_wait_for_a_stalled_target_count_their_waiting()
    {
        // One connection, and a first answer that comes after all twenty requests were due: a closed model would see one slow request and 19 fast ones.
        await using var upstream = TestUpstream.Start();
        var stall = TimeSpan.FromMilliseconds(200);
        upstream.Respond(request => request.Number == 1 ? UpstreamAnswer.Ok.HeldUntil(Task.Delay(stall, TimeProvider.System)) : UpstreamAnswer.Ok);
        var scenario = LoadScenario.All.First(one => one.Name == "valid/real-id");
        var bank = new RequestBank(scenario, Secret, 20, seed: 1);

        var result = await Task.Run(() =>
            OpenModelRunner.Run(scenario, bank, Plan(upstream.EndPoint, rate: 1000, milliseconds: 20) with { Connections = 1 }, TimeProvider.System));

        Assert.Equal(0, result.Errors);
        Assert.True(result.Latency.Percentile(50) > TimeSpan.FromMilliseconds(150), $"{result.Latency.Percentile(50)}");
    }

    [Fact]
    public async Task A_target_that_is_not_there_is_errors_and_not_an_exception()
    {
        await using var upstream = TestUpstream.Start();
        upstream.StopListening();
        var scenario = LoadScenario.All.First(one => one.Name == "valid/real-id");
        var bank = new RequestBank(scenario, Secret, 10, seed: 1);

        var result = await Task.Run(() => OpenModelRunner.Run(scenario, bank, Plan(upstream.EndPoint, rate: 1000, milliseconds: 10), TimeProvider.System));

        Assert.Equal((0, 10), (result.Latency.Count, result.Errors));
        Assert.All(Judgement.Of(result, scenario.Thresholds).Take(1), finding => Assert.False(finding.Holds));
    }

    [Fact]
    public async Task Every_kind_gets_from_the_gateway_the_answer_that_the_scenarios_expect()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(
            System.Text.Encoding.UTF8.GetString(LoadRoutes.Write("{upstream}"))
            .Replace("env:" + LoadRoutes.SecretVariable, "file:{dir}/secret", StringComparison.Ordinal),
            upstream.Address,
            new Dictionary<string, string> { ["secret"] = System.Text.Encoding.UTF8.GetString(Secret) });

        foreach (var scenario in LoadScenario.All.Where(scenario => scenario.Mix == "mixed"))
        {
            var bank = new RequestBank(scenario, Secret, 100, seed: 1);
            OpenModelRunner.Deliver(bank.Prelude, gateway.EndPoint);
            var result = await Task.Run(() => OpenModelRunner.Run(scenario, bank, Plan(gateway.EndPoint, rate: 2000, milliseconds: 50), TimeProvider.System));

            Assert.Empty(result.WrongAnswers);
            Assert.Equal(100, result.Latency.Count);
            Assert.Equal([RequestKind.Valid, RequestKind.Forged, RequestKind.WrongAddress, RequestKind.Replayed], result.Answered.Keys.Order());
        }
    }

    [Fact]
    public void Thresholds_are_judged_one_by_one()
    {
        var thresholds = new Thresholds(TimeSpan.FromMilliseconds(5), MinRate: 0.9, MaxErrors: 0.01);

        Assert.All(Judgement.Of(thresholds, wantedRate: 100, rate: 90, TimeSpan.FromMilliseconds(5), requests: 100, errors: 1),
            finding => Assert.True(finding.Holds));
        Assert.Equal([false, true, true], Judgement.Of(thresholds, 100, 90, TimeSpan.FromMilliseconds(5), 100, 2).Select(finding => finding.Holds));
        Assert.Equal([true, false, true], Judgement.Of(thresholds, 100, 89, TimeSpan.FromMilliseconds(5), 100, 1).Select(finding => finding.Holds));
        Assert.Equal([true, true, false], Judgement.Of(thresholds, 100, 90, TimeSpan.FromMilliseconds(6), 100, 1).Select(finding => finding.Holds));
        Assert.False(Judgement.Of(thresholds, 100, 90, TimeSpan.Zero, requests: 0, errors: 0)[0].Holds);
    }

    [Fact]
    public void The_page_names_figures_and_failures_and_lets_no_text_become_markup()
    {
        var scenario = LoadScenario.All[0];
        var latency = new LatencyHistogram();
        latency.Record(TimeSpan.FromMilliseconds(7));
        var result = new RunResult(
            scenario, Plan(new(IPAddress.Loopback, 80), 10, 1000), TimeSpan.FromSeconds(1), latency,
            new Dictionary<RequestKind, long> { [RequestKind.Valid] = 1 },
            new Dictionary<string, long> { ["<script>"] = 3 });
        var findings = Judgement.Of(result, scenario.Thresholds);

        var page = RunReport.Html([(result, findings)], "A & B");
        var text = RunReport.Text(result, findings);

        Assert.Contains("A &amp; B", page, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>", page, StringComparison.Ordinal);
        Assert.Contains("7.000", page, StringComparison.Ordinal);
        Assert.Contains("FAIL wrong or missing answers 3 of 10", text, StringComparison.Ordinal);
    }

    private static RunPlan Plan(IPEndPoint target, int rate, int milliseconds) => new(target, rate, TimeSpan.FromMilliseconds(milliseconds), Connections: 4);
}
