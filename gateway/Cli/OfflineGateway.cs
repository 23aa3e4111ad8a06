using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.Gate;
using WebhookEdge.Hosting;
using WebhookEdge.Routes;

namespace WebhookEdge.Cli;

/// <summary>The gateway's services without its listeners, feeds or connections: enough to read and compile a file as serving would.</summary>
internal sealed class OfflineGateway(TimeProvider? time = null) : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection()
        .AddLogging()
        .AddSingleton(time ?? TimeProvider.System)
        .AddSingleton<IConfiguration>(new ConfigurationBuilder().Build())
        .AddObservability()
        .AddGate()
        .AddAllowLists()
        .AddReplay()
        .AddForwarding()
        .AddRoutes("")
        .BuildServiceProvider();

    public RoutesLoader Loader => _services.GetRequiredService<RoutesLoader>();

    public RouteCompiler Compiler => _services.GetRequiredService<RouteCompiler>();

    public ResourcePools Pools => _services.GetRequiredService<ResourcePools>();

    public Capacity Capacity => _services.GetRequiredService<Capacity>();

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}
