using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace WebhookEdge.LoadTests;

/// <summary>A program and what it is started with.</summary>
internal sealed record PinnedCommand(string FileName, IReadOnlyList<string> Arguments)
{
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

/// <summary>A server bound to one core, with its output in a file. Ends, with everything it has started, when disposed.</summary>
internal sealed class PinnedProcess : IDisposable
{
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly string _log;

    private PinnedProcess(Process process, string log)
    {
        _process = process;
        _log = log;
    }

    public int Id => _process.Id;

    /// <summary>Starts it and waits until it accepts connections on <paramref name="port"/>.</summary>
    /// <exception cref="CompareFault">It did not come up; the message ends with what it said.</exception>
    public static async Task<PinnedProcess> StartAsync(string name, PinnedCommand command, int core, int port, string folder, CancellationToken cancellationToken)
    {
        var log = Path.Combine(folder, name + ".out");
        var start = new ProcessStartInfo("taskset");

        // exec all the way: the process we know by its id is the server itself.
        foreach (var argument in new[] { "-c", $"{core}", "sh", "-c", "log=$1; shift; exec \"$@\" >\"$log\" 2>&1 </dev/null", "sh", log, command.FileName })
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var argument in command.Arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (variable, value) in command.Environment)
        {
            start.Environment[variable] = value;
        }

        var server = new PinnedProcess(Process.Start(start) ?? throw new CompareFault($"{name} did not start"), log);
        try
        {
            await server.WaitForPortAsync(name, port, cancellationToken);
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private async Task WaitForPortAsync(string name, int port, CancellationToken cancellationToken)
    {
        var begin = TimeProvider.System.GetTimestamp();
        while (true)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancellationToken);
                return;
            }
            catch (SocketException e)
            {
                if (_process.HasExited || TimeProvider.System.GetElapsedTime(begin) > StartTime)
                {
                    throw new CompareFault($"{name} did not come up: {LastWords()}", e);
                }
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, cancellationToken);
        }
    }

    private string LastWords() => File.Exists(_log) ? string.Join(Environment.NewLine, File.ReadLines(_log).TakeLast(10)) : "it said nothing";
}
