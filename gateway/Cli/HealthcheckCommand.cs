using System.CommandLine;
using WebhookEdge.Admin;
using WebhookEdge.Configuration;

namespace WebhookEdge.Cli;

/// <summary><c>healthcheck</c>: asks the admin listener, for containers that have no shell and no curl. Exit code 0 when alive.</summary>
internal static class HealthcheckCommand
{
    public static Command Create()
    {
        var url = new Option<string>("--url") { Description = "The admin listener.", DefaultValueFactory = static _ => Default() };
        var ready = new Option<bool>("--ready") { Description = "Ask /readyz instead of /healthz." };
        var command = new Command("healthcheck", "Ask a running gateway whether it is alive; for HEALTHCHECK in containers.") { url, ready };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (!Verbs.TryReadGateway(parsed.GetValue(url), out var gateway))
            {
                await Console.Error.WriteLineAsync($"webhookedge: --url or Admin__Url: {Quoted.Name(parsed.GetValue(url)!)} is no http or https URL; "
                    + $"write for example {AdminEndpoints.DefaultUrl}");
                return 1;
            }

            using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(3) };
            try
            {
                using var answer = await client.GetAsync(new Uri(gateway, parsed.GetValue(ready) ? "/readyz" : "/healthz"),
                    cancellationToken);
                Console.WriteLine((await answer.Content.ReadAsStringAsync(cancellationToken)).TrimEnd());
                return answer.IsSuccessStatusCode ? 0 : 1;
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                await Console.Error.WriteLineAsync($"webhookedge: no answer from {parsed.GetValue(url)}: {e.Message}");
                return 1;
            }
        });
        return command;
    }

    /// <summary>Where the gateway of this container was told to listen, asked from inside.</summary>
    private static string Default()
    {
        var configured = Environment.GetEnvironmentVariable("Admin__Url")?.Split(';')[0] ?? AdminEndpoints.DefaultUrl;
        foreach (var any in (string[])["//*", "//+", "//0.0.0.0", "//[::]"])
        {
            configured = configured.Replace(any, "//127.0.0.1", StringComparison.Ordinal);
        }

        return configured;
    }
}
