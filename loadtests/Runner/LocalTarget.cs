using System.Diagnostics;
using System.Net;

namespace WebhookEdge.LoadTests;

/// <summary>A gateway to load: one that runs somewhere already, or a child process (see <see cref="TargetCommand"/>), which ends with this object.</summary>
internal sealed class LocalTarget : IDisposable
{
    private readonly Process? _process;

    private LocalTarget(IPEndPoint address, Process? process)
    {
        Address = address;
        _process = process;
    }

    public IPEndPoint Address { get; }

    /// <summary>The child process; null for a gateway that runs somewhere already.</summary>
    public int? ProcessId => _process?.Id;

    /// <summary>The gateway at <paramref name="address"/>.</summary>
    public static LocalTarget At(IPEndPoint address) => new(address, null);

    /// <summary>Starts one in a process of its own, so that it and the load generator share no thread pool and no garbage collector.</summary>
    /// <param name="upstream">Where it forwards to; null = an app in its own process.</param>
    /// <exception cref="InvalidOperationException">It did not start.</exception>
    public static async Task<LocalTarget> StartAsync(string secret, CancellationToken cancellationToken, string? upstream = null)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(LocalTarget).Assembly.Location);
        }

        start.ArgumentList.Add("target");
        if (upstream is not null)
        {
            start.ArgumentList.Add("--upstream");
            start.ArgumentList.Add(upstream);
        }

        start.Environment[LoadRoutes.SecretVariable] = secret;
        var process = Process.Start(start) ?? throw new InvalidOperationException("the gateway's process did not start");
        try
        {
            var line = await process.StandardOutput.ReadLineAsync(cancellationToken);
            return Uri.TryCreate(line, UriKind.Absolute, out var address)
                ? new(new(IPAddress.Loopback, address.Port), process)
                : throw new InvalidOperationException($"the gateway did not start: {line}");
        }
        catch
        {
            Stop(process);
            throw;
        }
    }

    public void Dispose()
    {
        if (_process is not null)
        {
            Stop(_process);
        }
    }

    private static void Stop(Process process)
    {
        process.StandardInput.Close();
        if (!process.WaitForExit(TimeSpan.FromSeconds(10)))
        {
            process.Kill(entireProcessTree: true);
        }

        process.Dispose();
    }
}
