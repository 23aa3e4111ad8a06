using System.Diagnostics;
using System.Globalization;

namespace WebhookEdge.LoadTests;

/// <summary>What wrk saw.</summary>
internal sealed record WrkResult(long Requests, TimeSpan Duration, long NotOk, long SocketErrors, long StartedOver)
{
    public double Rate => Requests / Duration.TotalSeconds;
}

/// <summary>Drives a contender with requests that were signed beforehand: 64 connections, one thread, as fast as it goes.</summary>
internal static class Wrk
{
    public const int Connections = 64;

    /// <exception cref="CompareFault">wrk failed, or said something unexpected.</exception>
    public static async Task<WrkResult> RunAsync(string script, string requests, int port, int core, TimeSpan duration, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("taskset") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[]
        {
            "-c", CompareSite.Text(core), "wrk", "-t1", $"-c{Connections}", $"-d{Math.Max(1, (int)duration.TotalSeconds)}s", "--timeout", "10s", "-s", script, $"http://127.0.0.1:{port}", "--", requests, "1",
        })
        {
            start.ArgumentList.Add(argument);
        }

        using var wrk = Process.Start(start) ?? throw new CompareFault("wrk did not start");
        try
        {
            var output = wrk.StandardOutput.ReadToEndAsync(cancellationToken);
            var error = wrk.StandardError.ReadToEndAsync(cancellationToken);
            await wrk.WaitForExitAsync(cancellationToken);
            return wrk.ExitCode == 0 ? Parse(await output) : throw new CompareFault($"wrk ended with {wrk.ExitCode}: {await error}");
        }
        finally
        {
            if (!wrk.HasExited)
            {
                wrk.Kill();
            }
        }
    }

    /// <summary>Reads the lines that presigned.lua prints.</summary>
    internal static WrkResult Parse(string output)
    {
        long Number(string name)
        {
            foreach (var line in output.AsSpan().EnumerateLines())
            {
                if (line.StartsWith(name, StringComparison.Ordinal) && line.Length > name.Length + 1)
                {
                    var value = line[(name.Length + 1)..];
                    var end = value.IndexOf(' ');
                    if (long.TryParse(end < 0 ? value : value[..end], CultureInfo.InvariantCulture, out var number))
                    {
                        return number;
                    }
                }
            }

            throw new CompareFault($"wrk did not say \"{name}\": {output}");
        }

        return new(Number("requests"), TimeSpan.FromMicroseconds(Number("duration")), Number("not 2xx or 3xx"), Number("socket errors"), Number("started over"));
    }
}
