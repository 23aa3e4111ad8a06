using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Sdk;

/// <summary>One sender's SDK and the presets it can speak for.</summary>
internal sealed record SdkClient(string Name, IReadOnlyList<string> Presets);

/// <summary>A request as the SDK made it, and the secret its receiver is given.</summary>
internal sealed record SdkRequest(Dictionary<string, string> Headers, string Secret, string Body);

/// <summary>tests/sdk-clients/client.mjs in a Node process of its own, with its packages installed outside the repository.</summary>
internal sealed class SdkClients : IAsyncDisposable
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    private static readonly Lazy<(string? Folder, string? Fault)> Installed = new(Install);

    private readonly Process _node;

    private SdkClients(Process node)
    {
        _node = node;
    }

    /// <summary>Why the SDKs cannot be had on this machine; null when they are there. Installs them the first time it is asked.</summary>
    public static string? WhyNot => Installed.Value.Fault;

    private static string Source { get; } = FindSource();

    public static SdkClients Start()
    {
        var folder = Installed.Value.Folder ?? throw new InvalidOperationException(Installed.Value.Fault);

        // The script of the repository beside the packages of its lock file, where Node looks for them.
        File.Copy(Path.Combine(Source, "client.mjs"), Path.Combine(folder, "client.mjs"), overwrite: true);
        return new(Process.Start(Command("node", folder, ["client.mjs"]))!);
    }

    public async Task<IReadOnlyList<SdkClient>> ListAsync()
    {
        using var reply = await AskAsync(new { op = "list" });
        return reply.RootElement.GetProperty("clients").Deserialize<List<SdkClient>>(Options)!;
    }

    public async Task<SdkRequest> SignAsync(string client, string secret, string url, string body, DateTimeOffset now)
    {
        using var reply = await AskAsync(new { op = "sign", client, secret, url, body, now = now.ToUnixTimeSeconds() });
        return reply.RootElement.Deserialize<SdkRequest>(Options)!;
    }

    public async Task<bool> VerifyAsync(string client, string secret, string url, string body, IEnumerable<KeyValuePair<string, string>> headers)
    {
        using var reply = await AskAsync(new { op = "verify", client, secret, url, body, headers = headers.ToDictionary() });
        return reply.RootElement.GetProperty("ok").GetBoolean();
    }

    public async ValueTask DisposeAsync()
    {
        _node.StandardInput.Close();
        await Deadline.WaitAsync(_node.WaitForExitAsync(), "node to end");
        _node.Dispose();
    }

    private async Task<JsonDocument> AskAsync<T>(T question)
    {
        await _node.StandardInput.WriteLineAsync(JsonSerializer.Serialize(question));
        await _node.StandardInput.FlushAsync();
        var line = await Deadline.WaitAsync(_node.StandardOutput.ReadLineAsync(), "an answer of the SDKs", TimeSpan.FromSeconds(60));
        var reply = JsonDocument.Parse(line ?? throw new EndOfStreamException("client.mjs ended"));
        return reply.RootElement.TryGetProperty("error", out var error) ? throw new InvalidOperationException(error.GetString()) : reply;
    }

    private static (string? Folder, string? Fault) Install()
    {
        if (Run("node", Source, ["--version"], TimeSpan.FromSeconds(20)) is not null)
        {
            return (null, "the SDKs need node, which is not installed");
        }

        var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(Source, "package-lock.json"))))[..16];
        var folder = Path.Combine(Path.GetTempPath(), $"webhookedge-sdk-clients-{digest}");
        if (Directory.Exists(folder))
        {
            return (folder, null);
        }

        if (Run("npm", Source, ["ping", "--fetch-retries=0", "--fetch-timeout=5000"], TimeSpan.FromSeconds(30)) is { } unreachable)
        {
            return (null, $"the SDKs need npm and its registry: {unreachable}");
        }

        // Installed elsewhere and moved into place, so that a folder of that name is complete whoever else installs it at the same time.
        var fresh = Directory.CreateTempSubdirectory("webhookedge-sdk-clients-").FullName;
        foreach (var file in new[] { "package.json", "package-lock.json" })
        {
            File.Copy(Path.Combine(Source, file), Path.Combine(fresh, file));
        }

        if (Run("npm", fresh, ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], TimeSpan.FromMinutes(4)) is { } failed)
        {
            Directory.Delete(fresh, recursive: true);
            return (null, $"the SDKs could not be installed: {failed}");
        }

        try
        {
            Directory.Move(fresh, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            Directory.Delete(fresh, recursive: true);
        }

        return (folder, null);
    }

    private static string FindSource()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "WebhookEdge.sln")))
            {
                return Path.Combine(folder.FullName, "tests", "sdk-clients");
            }
        }

        throw new InvalidOperationException("the tests run outside the repository");
    }

    /// <summary>Null when the command ended well; else the last line of what it said.</summary>
    private static string? Run(string command, string folder, IReadOnlyList<string> arguments, TimeSpan within)
    {
        try
        {
            using var process = Process.Start(Command(command, folder, arguments))!;
            process.StandardInput.Close();
            var said = new StringBuilder();
            process.OutputDataReceived += (_, line) => Keep(line.Data);
            process.ErrorDataReceived += (_, line) => Keep(line.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            if (!process.WaitForExit(within))
            {
                process.Kill(entireProcessTree: true);
                return $"{command} {arguments[0]} took longer than {within}";
            }

            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"{command} {arguments[0]}: {said}";

            void Keep(string? line)
            {
                lock (said)
                {
                    said.Append(said.Length < 500 && !string.IsNullOrWhiteSpace(line) ? line.Trim() + " " : "");
                }
            }
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return $"{command} is not installed";
        }
    }

    private static ProcessStartInfo Command(string command, string folder, IReadOnlyList<string> arguments) => new(command, arguments)
    {
        WorkingDirectory = folder,
        UseShellExecute = false,
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = command != "node" || arguments[0] != "client.mjs",
        StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        StandardOutputEncoding = Encoding.UTF8,
    };
}

/// <summary>One process for all tests of a class, started by the first that needs it: loading the SDKs takes most of the time.</summary>
public sealed class SdkProcess : IAsyncLifetime
{
    private SdkClients? _clients;

    internal SdkClients Clients => _clients ??= SdkClients.Start();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_clients is not null)
        {
            await _clients.DisposeAsync();
        }
    }
}

/// <summary>A fact that is skipped, and says why, where the SDKs cannot be had.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SdkFactAttribute : FactAttribute
{
    public SdkFactAttribute() => Skip = SdkClients.WhyNot;
}
