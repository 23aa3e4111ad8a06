using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;

namespace WebhookEdge.Cli;

/// <summary>The internal app of the demo: takes whatever reaches it, counts it, and says yes.</summary>
internal sealed class DemoApp : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ConcurrentQueue<(string Route, string Trust, long Bytes)> _received = new();

    private DemoApp()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        _application = builder.Build();
        _application.Run(async context =>
        {
            var bytes = 0L;
            while (true)
            {
                var read = await context.Request.BodyReader.ReadAsync();
                bytes += read.Buffer.Length;
                context.Request.BodyReader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    break;
                }
            }

            _received.Enqueue((context.Request.Headers["X-Webhook-Route"].ToString(), context.Request.Headers["X-Webhook-Trust"].ToString(), bytes));
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync("""{"received":true}""");
        });
    }

    public Uri Address => new(_application.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());

    /// <summary>What reached the app, oldest first.</summary>
    public IReadOnlyCollection<(string Route, string Trust, long Bytes)> Received => _received;

    public static async Task<DemoApp> StartAsync(CancellationToken cancellationToken)
    {
        var app = new DemoApp();
        await app._application.StartAsync(cancellationToken);
        return app;
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();
}
