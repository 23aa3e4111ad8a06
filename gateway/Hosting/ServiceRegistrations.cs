using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using WebhookEdge.Admin;
using WebhookEdge.AllowLists;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.FailedAttempts;
using WebhookEdge.Forwarding;
using WebhookEdge.Gate;
using WebhookEdge.Ingress;
using WebhookEdge.Observability;
using WebhookEdge.RateLimits;
using WebhookEdge.Replay;
using WebhookEdge.Routes;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace WebhookEdge.Hosting;

/// <summary>The gateway's singletons, by concern. What outlives a reload is registered here; what belongs to one revision is built by the compiler.</summary>
internal static class ServiceRegistrations
{
    public static IServiceCollection AddObservability(this IServiceCollection services) =>
        services.AddMetrics().AddSingleton<GatewayMetrics>().AddSingleton(static s => s.GetRequiredService<GatewayMetrics>().Secrets).AddSingleton<Telemetry>()
        .AddSingleton<LogThrottle>()
            .Replace(ServiceDescriptor.Singleton<ILoggerFactory>(static s => new BoundedLoggers(new LoggerFactory(
                s.GetServices<ILoggerProvider>(), s.GetRequiredService<IOptionsMonitor<LoggerFilterOptions>>(), s.GetService<IOptions<LoggerFactoryOptions>>(),
                s.GetService<IExternalScopeProvider>()))));

    public static IServiceCollection AddGate(this IServiceCollection services) =>
        services.AddSingleton(CreateCapacity).AddSingleton(new RejectJournal()).AddSingleton<OutcomeRecorder>().AddSingleton<VerdictWriter>()
        .AddSingleton<LastResort>().AddSingleton<MatcherPolicy, HostPolicy>().AddSingleton<RateLimiterPool>().AddSingleton(static s =>
        {
            var snapshots = s.GetRequiredService<SnapshotProvider>();
            return new UnroutedBudget(() => snapshots.Current.Settings.Addresses);
        }).AddSingleton<AttemptWatch>();

    public static IServiceCollection AddIngress(this IServiceCollection services) =>
        services.AddSingleton(static s =>
        {
            var snapshots = s.GetRequiredService<SnapshotProvider>();
            return new ProxyProtocolMiddleware(
                () => snapshots.Current.Settings.ProxyPeers, s.GetRequiredService<GatewayMetrics>().Connections, s.GetRequiredService<TimeProvider>(),
                s.GetRequiredService<ILogger<ProxyProtocolMiddleware>>());
        }).AddSingleton(static s =>
        {
            var limit = new ConnectionLimit(ConnectionAllowance.From(s.GetRequiredService<IConfiguration>()), s.GetRequiredService<TimeProvider>(),
                s.GetRequiredService<ILogger<ConnectionLimit>>());
            s.GetRequiredService<GatewayMetrics>().Connections.Watch(() => new(limit.Open, limit.Allowance.Most, limit.Refused));
            return limit;
        }).AddSingleton<ConnectionDrain>().AddSingleton<SocketTransportFactory>().AddSingleton<IConnectionListenerFactory, CountedListeners>();

    public static IServiceCollection AddAllowLists(this IServiceCollection services) =>
        services
            .AddSingleton(static s => new AddressListPool(
                RangeFetcher.CreateClient(),
                s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<AddressListPool>>(), s.GetRequiredService<GatewayMetrics>().Addresses))
            .AddHostedService<RangeRefresher>();

    public static IServiceCollection AddReplay(this IServiceCollection services) =>
        services
            .AddSingleton(static s => new MemoryReplayStore(s.GetRequiredService<TimeProvider>()))
            .AddSingleton(static s => new ReplayGuard(
                s.GetRequiredService<MemoryReplayStore>(), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<GatewayMetrics>().Replay,
                s.GetRequiredService<ILogger<ReplayGuard>>()));

    public static IServiceCollection AddForwarding(this IServiceCollection services)
    {
        services.AddReverseProxy().AddTransforms<ForwardTransforms>();
        services.Replace(ServiceDescriptor.Singleton<IForwarderHttpClientFactory, UpstreamClientFactory>());

        // YARP's own class is not public; what it registered says which it is.
        var yarp = services.Last(static service => service.ServiceType == typeof(IHttpForwarder)).ImplementationType!;
        services.Replace(ServiceDescriptor.Singleton<IHttpForwarder>(s => new WebhookForwarder((IHttpForwarder)ActivatorUtilities.CreateInstance(s, yarp))));
        return services;
    }

    public static IServiceCollection AddRoutes(this IServiceCollection services, string path) =>
        services
            .AddSingleton<SnapshotProvider>()
            .AddSingleton<IProxyConfigProvider>(static s => s.GetRequiredService<SnapshotProvider>())
            .AddSingleton<IConfigChangeListener>(static s => s.GetRequiredService<SnapshotProvider>())
            .AddSingleton(static s =>
                new RemoteKeys(KeyFetcher.CreateClient(), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<RemoteKeys>>()))
            .AddHostedService<KeyRefresher>()
            .AddSingleton<RouteCompiler>()
            .AddSingleton<RoutesLoader>()
            .AddSingleton<ResourcePools>()
            .AddSingleton<PublishedEndpoints>()
            .AddSingleton<ForwardPipeline>()
            .AddSingleton(s => ActivatorUtilities.CreateInstance<RoutesReloader>(s, path))
            .AddHostedService(static s => s.GetRequiredService<RoutesReloader>());

    public static IServiceCollection AddAdmin(this IServiceCollection services, string url) =>
        services
            .AddSingleton<UpstreamStates>()
            .AddSingleton<AdminAccess>()
            .AddSingleton<AdminState>()
            .AddSingleton<Refusals>()
            .AddSingleton<LiveStream>()
            .AddSingleton<AdminEndpoints>()
            .AddSingleton(s => ActivatorUtilities.CreateInstance<AdminListener>(s, url))
            .AddHostedService(static s => s.GetRequiredService<AdminListener>());

    private static Capacity CreateCapacity(IServiceProvider services)
    {
        var capacity = new Capacity(services.GetRequiredService<TimeProvider>());
        services.GetRequiredService<GatewayMetrics>().Requests.WatchCapacity(() =>
            new(capacity.Requests, capacity.MaxRequests, capacity.BufferedBytes, capacity.MaxBufferedBytes, capacity.Bodies.Shed));
        return capacity;
    }
}
