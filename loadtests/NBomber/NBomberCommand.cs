using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using NBomber.Contracts;
using NBomber.Contracts.Stats;
using NBomber.CSharp;

namespace WebhookEdge.LoadTests;

/// <summary>
/// <c>nbomber</c>: the same scenarios, injected by NBomber 4.1.2 at a constant rate (open model), with its HTML report. That release knows no thresholds
/// of its own, so its statistics are held against the scenario's by the same code as ours. Exit code 1 when one does not hold.
/// </summary>
internal static class NBomberCommand
{
    public static Command Create()
    {
        var scenario = new Option<string>("--scenario", "-s") { Description = "MIX/BODY as `scenarios` lists them.", DefaultValueFactory = _ => "mixed/github-600" };
        var rate = new Option<int>("--rate", "-r") { Description = "Requests a second.", DefaultValueFactory = _ => 1000 };
        var seconds = new Option<int>("--seconds", "-d") { Description = "Length.", DefaultValueFactory = _ => 10 };
        var warmup = new Option<int>("--warmup") { Description = "Seconds before it that do not count.", DefaultValueFactory = _ => 3 };
        var target = new Option<string?>("--target") { Description = "ADDRESS:PORT of a gateway with the routes of `routes`, its secret in " + LoadRoutes.SecretVariable + ". Without it one is started." };
        var report = new Option<DirectoryInfo>("--report") { Description = $"Folder in which the HTML report gets a folder of its own, {ReportFolder.Name}. The page loads scripts from CDNs.", DefaultValueFactory = _ => new("artifacts") };

        Arguments.Within(rate, 1);
        Arguments.Within(seconds, 1);
        Arguments.Within(warmup, 0);
        var command = new Command("nbomber", "Run a scenario with NBomber.") { scenario, rate, seconds, warmup, target, report };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            if (LoadScenario.All.FirstOrDefault(one => one.Name == parsed.GetValue(scenario)) is not { } chosen)
            {
                await error.WriteLineAsync("--scenario: there is none of that name, see `scenarios`");
                return 1;
            }

            IPEndPoint? address = null;
            if (parsed.GetValue(target) is { } given && !IPEndPoint.TryParse(given, out address))
            {
                await error.WriteLineAsync("--target: write ADDRESS:PORT, e.g. 127.0.0.1:8080");
                return 1;
            }

            var secret = Environment.GetEnvironmentVariable(LoadRoutes.SecretVariable) is { Length: > 0 } set ? set
                : address is null ? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))
                : null;
            if (secret is null)
            {
                await error.WriteLineAsync($"set {LoadRoutes.SecretVariable} to the gateway's signing secret");
                return 1;
            }

            if (ReportFolder.Prepare(parsed.GetValue(report)!.FullName, out var fault) is not { } folder)
            {
                await error.WriteLineAsync(fault);
                return 1;
            }

            using var gateway = address is null ? await LocalTarget.StartAsync(secret, cancellationToken) : LocalTarget.At(address);
            var stats = Run(chosen, gateway.Address, Encoding.UTF8.GetBytes(secret), parsed.GetValue(rate), TimeSpan.FromSeconds(parsed.GetValue(seconds)), TimeSpan.FromSeconds(parsed.GetValue(warmup)), folder);
            var findings = Judge(chosen, stats, parsed.GetValue(rate));
            foreach (var finding in findings)
            {
                await output.WriteLineAsync($"{(finding.Holds ? "ok  " : "FAIL")} {finding.Text}");
            }

            return findings.All(static finding => finding.Holds) ? 0 : 1;
        });
        return command;
    }

    private static NodeStats Run(LoadScenario scenario, IPEndPoint target, byte[] secret, int rate, TimeSpan duration, TimeSpan warmup, string reportFolder)
    {
        // NBomber may start a few more than it was asked for, and its warm-up takes from the same bank.
        var bank = new RequestBank(scenario, secret, (int)((duration + warmup).TotalSeconds * rate) + (2 * rate), RandomNumberGenerator.GetInt32(1 << 30));
        OpenModelRunner.Deliver(bank.Prelude, target);
        using var handler = new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false };
        using var client = new HttpClient(handler) { BaseAddress = new Uri($"http://{target}") };
        var next = -1;
        var name = scenario.Name.Replace('/', '_');

        var props = Scenario.Create(name, async context =>
        {
            var prepared = bank.Take(Interlocked.Increment(ref next));
            using var message = ToMessage(prepared.Request);
            using var response = await client.SendAsync(message);
            var status = ((int)response.StatusCode).ToString(CultureInfo.InvariantCulture);
            var duplicate = response.Headers.Contains("X-Webhook-Duplicate");
            IResponse answer = (int)response.StatusCode == prepared.Expected.Status && duplicate == prepared.Expected.Duplicate
                ? Response.Ok(statusCode: status)
                : Response.Fail(statusCode: status, message: $"{prepared.Kind}: {prepared.Expected.Status} expected");
            return answer;
        });
        props = warmup > TimeSpan.Zero ? props.WithWarmUpDuration(warmup) : props.WithoutWarmUp();
        props = props.WithLoadSimulations(Simulation.Inject(rate: rate, interval: TimeSpan.FromSeconds(1), during: duration));

        return NBomberRunner
            .RegisterScenarios(props)
            .WithTestSuite("WebhookEdge")
            .WithTestName(name)
            .WithReportFolder(reportFolder)
            .WithReportFileName(name)
            .WithReportFormats(ReportFormat.Html, ReportFormat.Txt)
            .Run();
    }

    private static HttpRequestMessage ToMessage(SignedRequest request)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, request.Path) { Content = new ByteArrayContent(request.Body) };
        message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        message.Headers.TryAddWithoutValidation(request.SignatureHeader, request.Signature);
        return message;
    }

    private static IReadOnlyList<Finding> Judge(LoadScenario scenario, NodeStats stats, int rate)
    {
        var figures = stats.ScenarioStats[0];
        var requests = figures.Ok.Request.Count + figures.Fail.Request.Count;
        return Judgement.Of(
            scenario.Thresholds, rate, figures.Ok.Request.RPS + figures.Fail.Request.RPS, TimeSpan.FromMilliseconds(figures.Ok.Latency.Percent99), requests, figures.Fail.Request.Count);
    }
}
