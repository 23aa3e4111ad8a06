using System.CommandLine;
using System.CommandLine.Parsing;
using WebhookEdge.Hosting;
using WebhookEdge.Primitives;

namespace WebhookEdge.Cli;

/// <summary><c>serve</c>: the gateway. Exit code 1 with every problem listed when routes.json is not good.</summary>
internal static class ServeCommand
{
    private const string Config = "--config";
    private const string DryRunName = "--dry-run";

    /// <summary>Adds the verb to <paramref name="root"/>, and makes it what runs without one.</summary>
    public static void AddTo(RootCommand root)
    {
        // One object for both: an option before the verb is then the verb's too, instead of being dropped.
        var config = ConfigOption();
        var dryRun = new Option<bool>(DryRunName) { Description = "Do everything but listen: read, resolve secrets, load certificates and address lists, "
            + "ask Redis; exit code 1 if anything is wrong." };
        var serve = new Command("serve",
            "Run the gateway (the default). Settings of ASP.NET Core are written --urls http://*:8080, --Section:Key=value, or go after \"--\".");
        foreach (var command in (Command[])[root, serve])
        {
            command.Options.Add(config);
            command.Options.Add(dryRun);
            command.TreatUnmatchedTokensAsErrors = false;
            command.SetAction((parsed, cancellationToken) =>
            {
                var path = parsed.GetValue(config)!;
                var options = new GatewayHostOptions { RoutesPath = path, Arguments = parsed.UnmatchedTokens };
                return SayWhyNotAsync(path, parsed.GetValue(dryRun) ? DryRunAsync(options, cancellationToken) : RunAsync(options, cancellationToken));
            });
        }

        root.Subcommands.Add(serve);
    }

    public static bool IsServe(Command command) => command is RootCommand || command.Name == "serve";

    /// <summary>What of serve's stands before another verb and would be dropped there; null when nothing does.</summary>
    public static string? StrayFault(ParseResult parsed)
    {
        var verb = parsed.CommandResult.Command.Name;
        return parsed.RootCommandResult.Command.Options.Any(option => option.Name is Config or DryRunName && parsed.GetResult(option) is { Implicit: false })
            ? $"options of serve stand before \"{verb}\"; write its own after it, see {verb} --help"
            : null;
    }

    /// <summary>What is wrong with the words that go to the host; null when nothing is.</summary>
    public static string? Fault(ParseResult parsed)
    {
        var words = parsed.UnmatchedTokens;
        var marker = parsed.Tokens.TakeWhile(static token => token.Type != TokenType.DoubleDash).Count();
        var after = Math.Max(0, parsed.Tokens.Count - marker - 1);

        // What goes to the host begins with an option. A word is a mistyped command, and starting the gateway is not what its author meant.
        if (words is [[not '-', ..] word, ..] && after < words.Count)
        {
            if (parsed.CommandResult.Command is not RootCommand)
            {
                return $"serve takes no \"{word}\"; the routes file is named by --config PATH";
            }

            var verbs = parsed.RootCommandResult.Command.Subcommands.Select(static c => c.Name).ToArray();
            return $"there is no command \"{word}\"; {NearestName.Hint(word, verbs) ?? "see --help"}";
        }

        return HostArguments.Fault(words, after, [.. parsed.CommandResult.Command.Options.Select(static o => o.Name)]);
    }

    public static Option<string> ConfigOption() =>
        new(Config) { Description = "The routes file.", DefaultValueFactory = static _ => "config/routes.json" };

    private static async Task<int> RunAsync(GatewayHostOptions options, CancellationToken cancellationToken)
    {
        await using var host = await GatewayHost.StartAsync(options, cancellationToken);
        await host.WaitForShutdownAsync(cancellationToken);
        return 0;
    }

    private static async Task<int> DryRunAsync(GatewayHostOptions options, CancellationToken cancellationToken)
    {
        var (problems, logged) = await DryRun.RunAsync(options, cancellationToken);
        if (!logged)
        {
            Problems.Print(options.RoutesPath, problems);
        }

        return problems.Any(static p => !p.IsWarning) ? 1 : 0;
    }

    /// <summary>Exit code of <paramref name="run"/>; what it throws is one line for a person and 1, never a stack trace.</summary>
    public static async Task<int> SayWhyNotAsync(string path, Task<int> run)
    {
        try
        {
            return await run;
        }
        catch (ConfigurationException e)
        {
            if (!e.Logged)
            {
                Problems.Print(path, e.Problems);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // A port in use is the operator's most likely first error; a stack trace would hide it.
            if (!e.Data.Contains(ConsoleFormat.Logged))
            {
                await Console.Error.WriteLineAsync($"webhookedge: {StartupFaults.Say(e)}");
            }
        }

        return 1;
    }
}
