using System.CommandLine;

namespace WebhookEdge.LoadTests;

/// <summary>The load tools' command line. Every verb exits with 0 when what it was asked to show holds, with 1 otherwise.</summary>
internal static class Tool
{
    public static int Main(string[] args) => CreateCommand().Parse(args).Invoke();

    public static RootCommand CreateCommand() => new("Load tools of WebhookEdge.")
    {
        RoutesCommand.CreateList(),
        RoutesCommand.Create(),
        GenerateCommand.Create(),
        RunCommand.Create(),
        TargetCommand.Create(),
        MemoryCommand.Create(),
        CompareCommand.Create(),
        BareYarp.Create(),
        BenchCommand.Create(),
#if NBOMBER
        NBomberCommand.Create(),
#endif
    };
}
