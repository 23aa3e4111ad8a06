using System.CommandLine;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using WebhookEdge.Hosting;

namespace WebhookEdge.LoadTests;

/// <summary>
/// <c>target</c>: a gateway with the scenarios' routes and an internal app that answers 200, for a try without setting anything up. Its first line on
/// standard output is the gateway's address. Ends when its standard input does, so that it never outlives the run that started it.
/// </summary>
internal static class TargetCommand
{
    public static Command Create()
    {
        var upstream = new Option<string?>("--upstream") { Description = "Where accepted events go. Without it an app is started in the same process." };
        var command = new Command("target", "Start a gateway with the scenarios' routes and an app behind it, until standard input ends.") { upstream };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, parsed.GetValue(upstream), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, string? upstream, CancellationToken cancellationToken)
    {
        await using var app = upstream is null ? await StartAppAsync(cancellationToken) : null;
        var folder = Directory.CreateTempSubdirectory("webhookedge-load-");
        try
        {
            var routes = Path.Combine(folder.FullName, "routes.json");
            var redis = Environment.GetEnvironmentVariable(LoadRoutes.RedisVariable) is { Length: > 0 };
            await File.WriteAllBytesAsync(routes, LoadRoutes.Write(upstream ?? app!.Urls.First(), redis: redis), cancellationToken);
            await using var gateway = await GatewayHost.StartAsync(
                new() { RoutesPath = routes, Arguments = ["--urls", "http://127.0.0.1:0", "--Admin:Url", "http://127.0.0.1:0"], Logging = static logging => logging.ClearProviders() }, cancellationToken);
            await parsed.InvocationConfiguration.Output.WriteLineAsync(gateway.Addresses[0].ToString().AsMemory(), cancellationToken);
            while (await Console.In.ReadLineAsync(cancellationToken) is not null)
            {
                // Whatever is written there is of no interest; that it ends is.
            }

            return 0;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>An app that reads every body and answers 200.</summary>
    public static async Task<WebApplication> StartAppAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0, static listen => listen.Protocols = HttpProtocols.Http1));
        var app = builder.Build();
        app.Run(static async context =>
        {
            await context.Request.BodyReader.CopyToAsync(Stream.Null, context.RequestAborted);
            context.Response.ContentLength = 2;
            await context.Response.WriteAsync("ok", context.RequestAborted);
        });
        await app.StartAsync(cancellationToken);
        return app;
    }
}
