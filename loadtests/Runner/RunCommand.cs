using System.CommandLine;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace WebhookEdge.LoadTests;

/// <summary><c>run</c>: scenarios at a constant arrival rate. Exit code 1 when a threshold does not hold.</summary>
internal static class RunCommand
{
    /// <summary>Bodies kept ready at most; every authentic event is a different one.</summary>
    private const long MostBytes = 2L << 30;

    public static Command Create()
    {
        var scenario = new Option<string[]>("--scenario", "-s") { Description = "MIX/BODY as `scenarios` lists them, MIX alone for all bodies, or all.", DefaultValueFactory = _ => ["mixed/github-600"], AllowMultipleArgumentsPerToken = true };
        var rate = new Option<int>("--rate", "-r") { Description = "Requests a second, kept whatever the gateway makes of them.", DefaultValueFactory = _ => 2000 };
        var seconds = new Option<int>("--seconds", "-d") { Description = "Length of each scenario.", DefaultValueFactory = _ => 10 };
        var warmup = new Option<int>("--warmup") { Description = "Seconds before it that do not count.", DefaultValueFactory = _ => 3 };
        var connections = new Option<int>("--connections", "-c") { Description = "Connections.", DefaultValueFactory = _ => 64 };
        var target = new Option<string?>("--target") { Description = "ADDRESS:PORT of a gateway with the routes of `routes`, its secret in " + LoadRoutes.SecretVariable + ". Without it one is started." };
        var seed = new Option<int?>("--seed") { Description = "For the same requests again; default: new ones." };
        var p99 = new Option<double?>("--p99") { Description = "Fail when 99 % take longer than this many milliseconds, instead of the scenario's own threshold." };
        var report = new Option<FileInfo?>("--report") { Description = "Write an HTML report." };
        var json = new Option<FileInfo?>("--json") { Description = "Write the figures for another program." };

        Arguments.Within(rate, 1, 1_000_000);
        Arguments.Within(seconds, 1, 86_400);
        Arguments.Within(warmup, 0, 86_400);
        Arguments.Within(connections, 1, 20_000);
        p99.Validators.Add(static result =>
        {
            if (Arguments.Read<double>(result) is { } given && given is not (> 0 and <= 600_000))
            {
                result.AddError("--p99 must be above 0 and at most 600000 milliseconds");
            }
        });
        var command = new Command("run", "Run scenarios at a constant arrival rate and judge them by their thresholds.") { scenario, rate, seconds, warmup, connections, target, seed, p99, report, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            var chosen = Choose(parsed.GetValue(scenario)!, out var unknown);
            if (unknown is not null)
            {
                await error.WriteLineAsync($"--scenario: there is none called {unknown}, see `scenarios`");
                return 1;
            }

            if ((Arguments.WriteFault("--report", parsed.GetValue(report)) ?? Arguments.WriteFault("--json", parsed.GetValue(json))) is { } fault)
            {
                await error.WriteLineAsync(fault);
                return 1;
            }

            IPEndPoint? address = null;
            if (parsed.GetValue(target) is { } given && (!IPEndPoint.TryParse(given, out address) || address.Port == 0))
            {
                await error.WriteLineAsync("--target: write ADDRESS:PORT, e.g. 127.0.0.1:8080");
                return 1;
            }

            var requests = parsed.GetValue(rate) * (long)Math.Max(parsed.GetValue(seconds), parsed.GetValue(warmup));
            if (chosen.Find(one => RequestBank.SizeOf(one, (int)Math.Min(requests, int.MaxValue)) > MostBytes) is { } tooMuch)
            {
                await error.WriteLineAsync($"{tooMuch.Name}: more than {MostBytes >> 20} MiB of different bodies; take a lower --rate or fewer --seconds");
                return 1;
            }

            // An external gateway shares its secret with us; one of our own gets a new one.
            var secret = Environment.GetEnvironmentVariable(LoadRoutes.SecretVariable) is { Length: > 0 } set ? set
                : address is null ? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))
                : null;
            if (secret is null)
            {
                await error.WriteLineAsync($"set {LoadRoutes.SecretVariable} to the gateway's signing secret");
                return 1;
            }

            using var gateway = address is null ? await LocalTarget.StartAsync(secret, cancellationToken) : LocalTarget.At(address);
            var runs = new List<(RunResult Result, IReadOnlyList<Finding> Findings)>();
            var nextSeed = parsed.GetValue(seed) ?? RandomNumberGenerator.GetInt32(1 << 30);
            foreach (var one in chosen)
            {
                var thresholds = parsed.GetValue(p99) is { } milliseconds ? one.Thresholds with { P99 = TimeSpan.FromMilliseconds(milliseconds) } : one.Thresholds;
                RunResult result;
                try
                {
                    var plan = new RunPlan(gateway.Address, parsed.GetValue(rate), TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(connections));
                    result = RunOne(one, plan, TimeSpan.FromSeconds(parsed.GetValue(warmup)), Encoding.UTF8.GetBytes(secret), ref nextSeed);
                }
                catch (Exception e) when (e is InvalidDataException or System.Net.Sockets.SocketException)
                {
                    await error.WriteLineAsync($"{one.Name}: {e.Message}");
                    return 1;
                }

                runs.Add((result, Judgement.Of(result, thresholds)));
                await output.WriteAsync(RunReport.Text(result, runs[^1].Findings));
            }

            if (parsed.GetValue(report) is { } html)
            {
                await File.WriteAllTextAsync(html.FullName, RunReport.Html(runs, "WebhookEdge under load"), cancellationToken);
                await output.WriteLineAsync($"report: {html.FullName}");
            }

            if (parsed.GetValue(json) is { } figures)
            {
                await File.WriteAllTextAsync(figures.FullName, JsonSerializer.Serialize(runs.Select(static run => RunFigures.Of(run.Result))), cancellationToken);
            }

            return runs.TrueForAll(static run => run.Findings.All(static finding => finding.Holds)) ? 0 : 1;
        });
        return command;
    }

    private static RunResult RunOne(LoadScenario scenario, RunPlan plan, TimeSpan warmup, byte[] secret, ref int seed)
    {
        if (warmup > TimeSpan.Zero)
        {
            var before = plan with { Duration = warmup };
            var bank = new RequestBank(scenario, secret, before.Requests, seed++);
            OpenModelRunner.Deliver(bank.Prelude, plan.Target);
            OpenModelRunner.Run(scenario, bank, before, TimeProvider.System);
        }

        var requests = new RequestBank(scenario, secret, plan.Requests, seed++);
        OpenModelRunner.Deliver(requests.Prelude, plan.Target);
        return OpenModelRunner.Run(scenario, requests, plan, TimeProvider.System);
    }

    /// <param name="unknown">A name that is no scenario's; null when there is none.</param>
    private static List<LoadScenario> Choose(string[] names, out string? unknown)
    {
        unknown = Array.Find(names, static name => !LoadScenario.All.Any(one => IsMeant(one, name)));
        return [.. LoadScenario.All.Where(one => Array.Exists(names, name => IsMeant(one, name)))];
    }

    private static bool IsMeant(LoadScenario scenario, string name) => name == "all" || name == scenario.Name || name == scenario.Mix;
}

/// <summary>A result's figures as <c>--json</c> writes them; times in milliseconds.</summary>
internal sealed record RunFigures(string Scenario, double Rate, long Requests, long Errors, double P50, double P99, double P999, double Max)
{
    public static RunFigures Of(RunResult result) => new(
        result.Scenario.Name, result.Rate, result.Latency.Count, result.Errors,
        result.Latency.Percentile(50).TotalMilliseconds, result.Latency.Percentile(99).TotalMilliseconds, result.Latency.Percentile(99.9).TotalMilliseconds, result.Latency.Max.TotalMilliseconds);
}
