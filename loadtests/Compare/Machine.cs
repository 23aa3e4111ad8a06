using System.Diagnostics;
using System.Runtime.InteropServices;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.LoadTests;

/// <summary>What figures have to be read with: the machine and the versions.</summary>
internal static class Machine
{
    public static string Describe()
    {
        var model = File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(static line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(": ", 2)[^1] : null;
        var system = File.Exists("/etc/os-release") ? File.ReadLines("/etc/os-release").FirstOrDefault(static line => line.StartsWith("PRETTY_NAME=", StringComparison.Ordinal))?[12..].Trim('"') : null;
        return $"{model ?? RuntimeInformation.ProcessArchitecture.ToString()}, {Environment.ProcessorCount} cores, {system ?? RuntimeInformation.OSDescription}";
    }

    /// <summary>The part of the machine's cores that was busy during one second, 0 to 1.</summary>
    public static async Task<double> BusyAsync(CancellationToken cancellationToken)
    {
        var before = ParseStat(await File.ReadAllTextAsync("/proc/stat", cancellationToken));
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, cancellationToken);
        var after = ParseStat(await File.ReadAllTextAsync("/proc/stat", cancellationToken));
        return after.Total == before.Total ? 0 : 1 - ((double)(after.Idle - before.Idle) / (after.Total - before.Total));
    }

    /// <summary>Ticks of all cores together, from the first line of /proc/stat: user, nice, system, idle, waiting for a disk, interrupts, stolen by the host.</summary>
    internal static (long Idle, long Total) ParseStat(string text)
    {
        var ticks = text.Split('\n')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9].Select(static field => long.Parse(field, System.Globalization.CultureInfo.InvariantCulture)).ToArray();
        return (ticks[3] + ticks[4], ticks.Sum());
    }

    public static async Task<string> VersionsAsync(IEnumerable<string> programs, CancellationToken cancellationToken)
    {
        var versions = new List<string> { $".NET {Environment.Version}", $"YARP {typeof(RouteConfig).Assembly.GetName().Version?.ToString(3)}" };
        if (await FirstLineAsync("git", ["rev-parse", "--short", "HEAD"], cancellationToken) is { Length: > 0 and < 20 } commit)
        {
            versions.Add($"WebhookEdge at {commit}");
        }

        foreach (var program in programs)
        {
            var line = program switch
            {
                "nginx" => (await FirstLineAsync("nginx", ["-v"], cancellationToken))?.Replace("nginx version: ", "", StringComparison.Ordinal),
                "haproxy" => await FirstLineAsync("haproxy", ["-v"], cancellationToken),
                "webhook" => await FirstLineAsync("webhook", ["-version"], cancellationToken),
                "redis-server" => await FirstLineAsync("redis-server", ["--version"], cancellationToken),
                "wrk" => await FirstLineAsync("wrk", ["-v"], cancellationToken),
                _ => null,
            };
            if (line is not null)
            {
                versions.Add(Shorten(line));
            }
        }

        return string.Join(", ", versions);
    }

    // "HAProxy version 2.6.12-1+deb12u1 2023/12/16 - https://haproxy.org/" and "wrk debian/4.1.0-3+b2 [epoll] Copyright …" go on too long.
    private static string Shorten(string line) => string.Join(' ', line.Split(' ').TakeWhile(static word =>
        !word.StartsWith("sha=", StringComparison.Ordinal) && !word.StartsWith('[') && !(char.IsAsciiDigit(word[0]) && word.Contains('/', StringComparison.Ordinal))));

    private static async Task<string?> FirstLineAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true });
            if (process is null)
            {
                return null;
            }

            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            var text = await process.StandardOutput.ReadToEndAsync(cancellationToken) + await error;
            await process.WaitForExitAsync(cancellationToken);
            return text.Split('\n')[0].Trim();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
