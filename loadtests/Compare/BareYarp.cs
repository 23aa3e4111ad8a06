using System.CommandLine;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.LoadTests;

/// <summary><c>yarp</c>: the yardstick. YARP as its quick start sets it up, one route for everything, no checks, logging off.</summary>
internal static class BareYarp
{
    public static Command Create()
    {
        var url = new Option<string>("--url") { Description = "Where to listen.", DefaultValueFactory = _ => "http://127.0.0.1:8080" };
        var upstream = new Option<string>("--upstream") { Description = "Where everything goes.", Required = true };
        var command = new Command("yarp", "Run YARP without a gateway around it, to measure against.") { url, upstream };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var builder = WebApplication.CreateBuilder();
            builder.Logging.ClearProviders();
            builder.Services.AddReverseProxy().LoadFromMemory(
                [new RouteConfig { RouteId = "all", ClusterId = "app", Match = new() { Path = "{**path}" } }],
                [new ClusterConfig { ClusterId = "app", Destinations = new Dictionary<string, DestinationConfig>(StringComparer.Ordinal) { ["app"] = new() { Address = parsed.GetValue(upstream)! } } }]);
            await using var application = builder.Build();
            application.MapReverseProxy();
            application.Urls.Add(parsed.GetValue(url)!);
            await application.StartAsync(cancellationToken);
            await application.WaitForShutdownAsync(cancellationToken);
            return 0;
        });
        return command;
    }
}
