using System.Diagnostics;
using System.Text.Json;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Repository;

/// <summary>What the published folder, and with it the image, is made of: what runs, and nothing beside.</summary>
public sealed class PublishedFilesTests
{
    /// <summary>Our own, the packages', and theirs. A package that comes or goes changes this list, to be looked at in review.</summary>
    private static readonly string[] Published =
    [
        "webhookedge", "webhookedge.dll", "webhookedge.runtimeconfig.json", "config/demo.json",
        "OpenTelemetry.Api.ProviderBuilderExtensions.dll", "OpenTelemetry.Api.dll", "OpenTelemetry.Exporter.OpenTelemetryProtocol.dll", "OpenTelemetry.dll",
        "RESPite.dll", "Spectre.Console.dll", "StackExchange.Redis.dll", "System.CommandLine.dll", "System.IO.Hashing.dll", "System.Net.IPNetwork.dll",
        "Yarp.ReverseProxy.dll",
    ];

    /// <summary>Asked of the build itself, without publishing: the same list that publishing copies. The manifest of dependencies comes on top of it.</summary>
    [Fact]
    public async Task Published_is_what_runs_and_nothing_else()
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, UseShellExecute = false, WorkingDirectory = RepositoryRoot.Path };
        foreach (var word in (string[])["msbuild", "gateway/Gateway.csproj", "-nologo", "-nodeReuse:false", "-t:ComputeResolvedFilesToPublishList",
            "-getItem:ResolvedFileToPublish", "-p:Configuration=Release"])
        {
            start.ArgumentList.Add(word);
        }

        using var build = Process.Start(start)!;
        var output = await Deadline.WaitAsync(build.StandardOutput.ReadToEndAsync(), "the list of files", TimeSpan.FromSeconds(120));
        await build.WaitForExitAsync();
        Assert.True(build.ExitCode == 0, output);
        using var document = JsonDocument.Parse(output);
        var files = document.RootElement.GetProperty("Items").GetProperty("ResolvedFileToPublish").EnumerateArray()
            .Select(static file => file.GetProperty("RelativePath").GetString()!.Replace('\\', '/')).ToArray();

        Assert.Equal(Published.Order(StringComparer.Ordinal), files.Order(StringComparer.Ordinal));
    }
}
