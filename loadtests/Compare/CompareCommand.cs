using System.CommandLine;
using System.Security.Cryptography;

namespace WebhookEdge.LoadTests;

/// <summary><c>compare</c>: what compare.sh calls when everything is installed and built. Exit code 1, and no table, when a contender's answers were wrong.</summary>
internal static class CompareCommand
{
    private static readonly string[] AlwaysNeeded = ["taskset", "wrk", "nginx"];

    public static Command Create()
    {
        var gateway = new Option<FileInfo>("--gateway") { Description = "The published gateway's executable.", Required = true };
        var rounds = new Option<int>("--rounds") { Description = "Rounds; what is quoted has at least 5.", DefaultValueFactory = _ => 5 };
        var seconds = new Option<int>("--seconds") { Description = "Length of a contender's turn in a round.", DefaultValueFactory = _ => 4 };
        var warmup = new Option<int>("--warmup") { Description = "Seconds of load before the rounds for .NET contenders, which are slow until they have compiled; 10 or more for figures that are quoted.", DefaultValueFactory = _ => 12 };
        var sizes = new Option<int[]>("--sizes") { Description = "Body sizes in bytes.", DefaultValueFactory = _ => [600, 12 * 1024], AllowMultipleArgumentsPerToken = true };
        var only = new Option<string[]>("--only") { Description = $"Some contenders only: {string.Join(", ", Contender.All.Select(static contender => contender.Id))}.", AllowMultipleArgumentsPerToken = true };
        var noLatency = new Option<bool>("--no-latency") { Description = "Leave out the latency at half load." };
        var output = new Option<FileInfo?>("--out") { Description = "Write the table there too." };

        Arguments.Within(rounds, 1, 1000);
        Arguments.Within(seconds, 1, 3600);
        Arguments.Within(warmup, 1, 3600);
        only.AcceptOnlyFromAmong([.. Contender.All.Select(static contender => contender.Id)]);
        sizes.Validators.Add(static result =>
        {
            // What is no number the parser reports.
            if (result.Tokens.Any(static token => int.TryParse(token.Value, out var size) && size is < EventBody.MinSize or > 30_000))
            {
                result.AddError($"--sizes must be from {EventBody.MinSize} to 30000");
            }
        });

        var command = new Command("compare", "Measure the gateway against bare YARP, nginx + Lua, HAProxy and webhook. Use loadtests/compare.sh.") { gateway, rounds, seconds, warmup, sizes, only, noLatency, output };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var configuration = parsed.InvocationConfiguration;
            var chosen = parsed.GetValue(only) is { Length: > 0 } ids ? Contender.All.Where(contender => ids.Contains(contender.Id)).ToArray() : [.. Contender.All];
            var programs = AlwaysNeeded.Concat(chosen.SelectMany(static contender => contender.Programs)).Distinct().ToArray();
            var executable = parsed.GetValue(gateway)!;
            if ((Fault(programs, executable) ?? Arguments.WriteFault("--out", parsed.GetValue(output))) is { } fault)
            {
                await configuration.Error.WriteLineAsync($"compare: {fault}");
                return 1;
            }

            var plan = new ComparePlan
            {
                Contenders = chosen,
                Sizes = parsed.GetValue(sizes)!,
                Rounds = parsed.GetValue(rounds),
                Round = TimeSpan.FromSeconds(parsed.GetValue(seconds)),
                WarmUp = TimeSpan.FromSeconds(parsed.GetValue(warmup)),
                Latency = !parsed.GetValue(noLatency),
            };
            var busyBefore = await Machine.BusyAsync(cancellationToken);
            var folder = Directory.CreateTempSubdirectory("webhookedge-compare-");
            try
            {
                var site = new CompareSite
                {
                    Folder = folder.FullName,
                    Setups = Path.Combine(AppContext.BaseDirectory, "Compare", "Setups"),
                    NginxModules = NginxModules,
                    Gateway = executable.FullName,
                    Secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(20)),
                    UpstreamPort = CompareRun.FreePort(),
                    RedisPort = CompareRun.FreePort(),
                };
                using var run = new CompareRun(plan, site, configuration.Error);
                var measured = await run.RunAsync(cancellationToken);
                var table = CompareReport.Markdown(plan, measured, Machine.Describe(), await Machine.VersionsAsync(programs, cancellationToken), TimeProvider.System.GetUtcNow(), busyBefore);
                await configuration.Output.WriteAsync(table);
                if (parsed.GetValue(output) is { } file)
                {
                    file.Directory?.Create();
                    await File.WriteAllTextAsync(file.FullName, table, cancellationToken);
                }

                return 0;
            }
            catch (CompareFault e)
            {
                await configuration.Error.WriteLineAsync($"compare: no table, because {e.Message}");
                return 1;
            }
            finally
            {
                folder.Delete(recursive: true);
            }
        });
        return command;
    }

    /// <summary>Where Debian, and those after it, put nginx' modules.</summary>
    private static string NginxModules => new[] { "/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules" }.FirstOrDefault(Directory.Exists) ?? "modules";

    private static string? Fault(string[] programs, FileInfo gateway)
    {
        if (!OperatingSystem.IsLinux() || Environment.ProcessorCount < 2)
        {
            return "this needs Linux with two cores: one for the contender, one for what drives it";
        }

        if (!gateway.Exists)
        {
            return $"--gateway: {gateway.FullName} does not exist";
        }

        // Debian keeps servers where an ordinary user's PATH does not look.
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "") + ":/usr/sbin:/sbin";
        Environment.SetEnvironmentVariable("PATH", path);
        var missing = programs.Where(program => !path.Split(':').Any(folder => File.Exists(Path.Combine(folder, program)))).ToArray();
        return missing.Length > 0 ? $"{string.Join(", ", missing)} not found; compare.sh installs what is missing" : null;
    }
}
