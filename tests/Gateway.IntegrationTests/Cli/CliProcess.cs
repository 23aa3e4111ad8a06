using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using WebhookEdge.Hosting;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Cli;

/// <summary><c>webhookedge</c> as a process of its own, in a folder where it finds no settings by accident.</summary>
internal sealed partial class CliProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Lock _lock = new();
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<Match> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private CliProcess(IReadOnlyList<string> arguments, string folder, IReadOnlyDictionary<string, string>? environment, int? files = null)
    {
        var start = new ProcessStartInfo(files is null ? "dotnet" : "sh")
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in files is null ? (string[])[] : ["-c", $"ulimit -n {files} && exec dotnet \"$@\"", "sh"])
        {
            start.ArgumentList.Add(argument);
        }

        start.ArgumentList.Add(typeof(GatewayHost).Assembly.Location);
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        start.Environment["DOTNET_NOLOGO"] = "1";

        // The gateway watches its hot code and compiles it again early, which a process of half a second pays for with twice the processor time and gains
        // nothing by.
        start.Environment["DOTNET_TC_CallCountingDelayMs"] = "100";
        start.Environment["DOTNET_TieredPGO"] = "0";
        _process = new() { StartInfo = start };
        _process.OutputDataReceived += (_, e) => Add(e.Data);
        _process.ErrorDataReceived += (_, e) => Add(e.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Both streams, in the order in which lines came.</summary>
    public string Output
    {
        get
        {
            lock (_lock)
            {
                return _output.ToString();
            }
        }
    }

    public static CliProcess Start(string folder, IReadOnlyDictionary<string, string>? environment, params string[] arguments) =>
        new(arguments, folder, environment);

    /// <param name="files">How many files the process may have open.</param>
    public static CliProcess StartWithFiles(int files, string folder, IReadOnlyDictionary<string, string>? environment, params string[] arguments) =>
        new(arguments, folder, environment, files);

    public static async Task<(int Code, string Output)> RunAsync(string folder, IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        await using var process = Start(folder, environment, arguments);
        return (await process.ExitAsync(), process.Output);
    }

    /// <summary>Public and admin address, once <c>serve</c> says where it listens.</summary>
    public async Task<(Uri Public, Uri Admin)> ListeningAsync()
    {
        var exit = _process.WaitForExitAsync();
        if (await Deadline.WaitAsync(Task.WhenAny(_listening.Task, exit), "the gateway to listen", TimeSpan.FromSeconds(30)) == exit)
        {
            throw new InvalidOperationException($"the gateway ended with {_process.ExitCode}:\n{Output}");
        }

        var match = await _listening.Task;
        return (new(match.Groups[1].Value), new(match.Groups[2].Value));
    }

    public async Task<int> ExitAsync()
    {
        await Deadline.WaitAsync(_process.WaitForExitAsync(), "the process to end", TimeSpan.FromSeconds(45));
        return _process.ExitCode;
    }

    /// <summary>How many files the process has open; Linux only.</summary>
    public int OpenFiles => Directory.GetFileSystemEntries($"/proc/{_process.Id}/fd").Length;

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", ["-" + signal, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    [GeneratedRegex("Listening on (http://[^ ,;]+); admin on (http://[^ ]+)")]
    private static partial Regex Listening();

    private void Add(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_lock)
        {
            _output.Append(line).Append('\n');
        }

        if (Listening().Match(line) is { Success: true } match)
        {
            _listening.TrySetResult(match);
        }
    }
}
