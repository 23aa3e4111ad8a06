using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;

namespace WebhookEdge.LoadTests;

/// <summary><c>bench</c>: the parts of the hot path one by one. With <c>--allocations</c> only bytes are counted, in a second, and exit code 1 means too many.</summary>
internal static class BenchCommand
{
    /// <summary>Keys that the memory's cost is measured with, and the bytes each may take.</summary>
    private const int Keys = 1_000_000;
    private const int BytesPerKey = 100;

    public static Command Create()
    {
        var filter = new Option<string[]>("--filter") { Description = "Benchmarks by name, e.g. *WholeGate*.", DefaultValueFactory = _ => ["*"], AllowMultipleArgumentsPerToken = true };
        var allocations = new Option<bool>("--allocations") { Description = "Count the bytes each path allocates, and fail when it is more than its bound." };
        var quick = new Option<bool>("--quick") { Description = "A short job: good enough to see whether something is far off." };
        var artifacts = new Option<DirectoryInfo>("--artifacts") { Description = "Where BenchmarkDotNet writes its reports.", DefaultValueFactory = _ => new("artifacts/bench") };
        var command = new Command("bench", "Measure address lookup, header parsing, HMAC, replay memory and the whole gate with BenchmarkDotNet.") { filter, allocations, quick, artifacts };
        command.SetAction(parsed => parsed.GetValue(allocations)
            ? CountAllocations(parsed.InvocationConfiguration.Output)
            : RunBenchmarks(parsed.GetValue(filter)!, parsed.GetValue(quick), parsed.GetValue(artifacts)!.FullName));
        return command;
    }

    private static int RunBenchmarks(string[] filter, bool quick, string artifacts)
    {
        // In this process: what is measured is internal, and a generated project would need a feed and this repository's build rules.
        var job = (quick ? Job.ShortRun : Job.Default).WithToolchain(InProcessEmitToolchain.Instance);
        var config = DefaultConfig.Instance.AddJob(job).WithArtifactsPath(artifacts);
        var summaries = BenchmarkSwitcher.FromAssembly(typeof(BenchCommand).Assembly).Run(["--filter", .. filter], config);
        return summaries.Any() && summaries.All(static summary => !summary.HasCriticalValidationErrors && summary.Reports.All(static report => report.Success)) ? 0 : 1;
    }

    private static int CountAllocations(TextWriter output)
    {
        if (typeof(EventKey).Assembly.GetCustomAttribute<DebuggableAttribute>() is { IsJITOptimizerDisabled: true })
        {
            output.WriteLine("FAIL this is a Debug build, in which every async method makes an object of its state; use -c Release");
            return 1;
        }

        var rows = AllocationCheck.Run();
        foreach (var row in rows)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(row.Holds ? "ok  " : "FAIL")} {row.Path,-36} {row.Bytes,8:F1} B a request, at most {row.Bound}"));
        }

        var perKey = MeasureKey();
        var keyHolds = perKey <= BytesPerKey;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(keyHolds ? "ok  " : "FAIL")} {"replay memory, 1,000,000 events",-36} {perKey,8:F1} B a key, at most {BytesPerKey}"));
        return keyHolds && rows.All(static row => row.Holds) ? 0 : 1;
    }

    private static double MeasureKey()
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var store = new MemoryReplayStore(TimeProvider.System, Keys);
        Span<byte> digest = stackalloc byte[EventKey.Size];
        for (var i = 0; i < Keys; i++)
        {
            System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(i), digest);
            store.TryCommit(new(digest), 200, TimeSpan.FromHours(72));
        }

        var bytes = GC.GetTotalMemory(forceFullCollection: true) - before;
        return (double)bytes / store.Count;
    }
}
