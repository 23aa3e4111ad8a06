using System.CommandLine;
using WebhookEdge.Routes;

namespace WebhookEdge.Cli;

/// <summary><c>validate FILE</c>: every problem of a file at once, by the very steps that serving takes. Exit code 1 if there is an error.</summary>
internal static class ValidateCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "The routes file.", DefaultValueFactory = static _ => "config/routes.json" };
        var skipSecrets = new Option<bool>("--skip-secrets") { Description = "Do not look secrets up; for machines that have none, such as a build server." };
        var command = new Command("validate", "List every problem of a routes file; exit code 1 if there is an error.") { file, skipSecrets };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var path = parsed.GetValue(file)!;
            await using var tools = new OfflineGateway();
            var loaded = await tools.Loader.LoadAsync(path, parsed.GetValue(skipSecrets) ? CompileMode.WithoutSecrets : CompileMode.WithSecrets,
                cancellationToken);
            Problems.Print(path, loaded.Problems);
            return loaded.Problems.Any(static p => !p.IsWarning) ? 1 : 0;
        });
        return command;
    }
}
