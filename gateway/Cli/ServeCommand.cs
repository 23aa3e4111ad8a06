using System.CommandLine;
using WebhookEdge.Configuration;
using WebhookEdge.Hosting;

namespace WebhookEdge.Cli;

/// <summary><c>serve</c>: the gateway. Exit code 1 with every problem listed when routes.json is not good.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var command = new Command("serve", "Run the gateway (the default). Anything further, such as --urls http://*:8080, goes to ASP.NET Core's configuration.");
        MakeDefault(command);
        return command;
    }

    /// <summary>Gives <paramref name="command"/> the options and the action of serve.</summary>
    public static void MakeDefault(Command command)
    {
        var config = ConfigOption();
        var dryRun = new Option<bool>("--dry-run") { Description = "Do everything but listen: read, resolve secrets, load certificates and address lists, ask Redis; exit code 1 if anything is wrong." };
        command.Options.Add(config);
        command.Options.Add(dryRun);
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, cancellationToken) =>
        {
            // What goes to the host begins with an option. A word is a mistyped command, and starting the gateway is not what its author meant.
            if (parsed.UnmatchedTokens is [[not '-', ..] word, ..])
            {
                var verbs = parsed.RootCommandResult.Command.Subcommands.Select(static c => c.Name).ToArray();
                Console.Error.WriteLine($"webhookedge: there is no command \"{word}\"; {NearestName.Hint(word, verbs) ?? "see --help"}");
                return Task.FromResult(1);
            }

            var path = parsed.GetValue(config)!;
            var options = new GatewayHostOptions { RoutesPath = path, Arguments = parsed.UnmatchedTokens };
            return SayWhyNotAsync(path, parsed.GetValue(dryRun) ? DryRunAsync(options, cancellationToken) : RunAsync(options, cancellationToken));
        });
    }

    public static Option<string> ConfigOption() =>
        new("--config") { Description = "The routes file.", DefaultValueFactory = static _ => "config/routes.json" };

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

    private static async Task<int> SayWhyNotAsync(string path, Task<int> run)
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
        catch (Exception e) when (e is IOException or FormatException)
        {
            // A port in use is the operator's most likely first error; a stack trace would hide it.
            if (!e.Data.Contains(ConsoleFormat.Logged))
            {
                await Console.Error.WriteLineAsync($"webhookedge: {e.Message}");
            }
        }

        return 1;
    }
}
