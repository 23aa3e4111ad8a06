using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection.Extensions;
using WebhookEdge.Admin;
using WebhookEdge.Configuration;
using WebhookEdge.Forwarding;
using WebhookEdge.Gate;
using WebhookEdge.Ingress;
using WebhookEdge.Observability;
using WebhookEdge.Routes;

namespace WebhookEdge.Hosting;

/// <summary>Kestrel, services and pipeline of one gateway, as a table of contents.</summary>
internal sealed class GatewayHost : IAsyncDisposable
{
    private readonly WebApplication _application;
    private bool _stopped;

    static GatewayHost()
    {
        // A bare LF as line end is one of the ways two servers read one request differently (dotnet/aspnetcore#66724).
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);
    }

    private GatewayHost(WebApplication application) => _application = application;

    public IServiceProvider Services => _application.Services;

    public IReadOnlyList<Uri> Addresses =>
        [.. Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Select(static a =>
            new Uri(a.Replace("//*", "//localhost", StringComparison.Ordinal).Replace("//+", "//localhost", StringComparison.Ordinal)))];

    public Uri Admin => Services.GetRequiredService<AdminListener>().Address ?? throw new InvalidOperationException("the admin listener has not started");

    /// <summary>Reads routes.json and starts listening. Throws <see cref="ConfigurationException"/> with every problem when the file is not good.</summary>
    public static async Task<GatewayHost> StartAsync(GatewayHostOptions options, CancellationToken cancellationToken = default)
    {
        // A host that cannot start throws, and the caller says why in one line; the same as stack traces, once per listener, would bury that line.
        var started = false;
        var application = Build(options,
            builder => builder.Logging.AddFilter(
                "Microsoft.Extensions.Hosting.Internal.Host", level => Volatile.Read(ref started) && level >= LogLevel.Warning));
        try
        {
            var problems = await application.Services.GetRequiredService<RoutesReloader>().StartWithAsync(cancellationToken);
            if (problems.Any(static p => !p.IsWarning))
            {
                throw new ConfigurationException(problems, LogForMachines(application, problems));
            }

            ((BoundedLoggers)application.Services.GetRequiredService<ILoggerFactory>()).BoundBy(application.Services.GetRequiredService<LogThrottle>());
            problems = [.. problems, .. CheckSurroundings(application)];
            MapPipeline(application);
            UnroutedRequests.Watch(application.Services);
            await application.StartAsync(cancellationToken);
            Volatile.Write(ref started, true);
            var host = new GatewayHost(application);
            application.Logger.Listening(string.Join(", ", host.Addresses), host.Admin.ToString());
            application.Logger.Summarise(application.Services.GetRequiredService<SnapshotProvider>().Current, problems);
            return host;
        }
        catch (Exception e) when (e is not (ConfigurationException or OperationCanceledException) && ConsoleFormat.IsJson(application.Configuration))
        {
            application.Logger.NotStarted(StartupFaults.Say(e));
            e.Data[ConsoleFormat.Logged] = true;
            await AbandonAsync(application);
            throw;
        }
        catch
        {
            // Whatever it was: nothing of a host that did not start may stay behind, and the caller says why.
            await AbandonAsync(application);
            throw;
        }
    }

    /// <summary>Services and listeners as for serving, nothing opened yet.</summary>
    internal static WebApplication Build(GatewayHostOptions options, Action<WebApplicationBuilder>? more = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = ["--hostBuilder:reloadConfigOnChange=false", .. options.Arguments] });
        ServerDefaults.AddTo(builder);
        more?.Invoke(builder);
        options.Logging?.Invoke(builder.Logging);
        var admin = builder.Configuration["Admin:Url"] ?? AdminEndpoints.DefaultUrl;
        if (AdminAccess.Fault(admin, builder.Configuration["Admin:Token"]) is { } fault)
        {
            throw new ConfigurationException([fault]);
        }

        builder.WebHost.ConfigureKestrel(static (context, kestrel) => ServerDefaults.Configure(context.Configuration, kestrel));

        // Requests run where their bytes arrive instead of hopping to the thread pool and back: a third of what a request costs. Nothing in the
        // gate blocks; PayloadCheck hands large bodies to the pool before they are hashed.
        builder.WebHost.UseSockets(static sockets => sockets.UnsafePreferInlineScheduling = true);
        builder.Services.Replace(ServiceDescriptor.Singleton<IMemoryPoolFactory<byte>, ReceiveBuffersFactory>());
        builder.Services
            .AddSingleton(options.Time)
            .AddObservability()
            .AddHostedService(static s => s.GetRequiredService<Telemetry>())
            .AddGate()
            .AddIngress()
            .AddAllowLists()
            .AddReplay()
            .AddForwarding()
            .AddRoutes(options.RoutesPath)
            .AddAdmin(admin)
            .AddSingleton<TlsCertificates>();
        options.Services?.Invoke(builder.Services);
        builder.Services.RemoveUnused();
        return builder.Build();
    }

    /// <summary>True when the problems went to a log that machines read; else they are for the caller to print.</summary>
    internal static bool LogForMachines(WebApplication application, IReadOnlyList<ConfigProblem> problems)
    {
        if (!ConsoleFormat.IsJson(application.Configuration))
        {
            return false;
        }

        foreach (var problem in problems.OrderBy(static p => p.IsWarning))
        {
            if (problem.IsWarning)
            {
                application.Logger.RoutesWarning(problem.ToString());
            }
            else
            {
                application.Logger.RoutesError(problem.ToString());
            }
        }

        return true;
    }

    /// <summary>
    /// Ends a host that did not start. What did start of it, such as the watcher of routes.json, is waited for: it would find its services disposed, and tell
    /// so with a stack trace.
    /// </summary>
    private static async Task AbandonAsync(WebApplication application)
    {
        try
        {
            foreach (var running in application.Services.GetServices<IHostedService>().OfType<BackgroundService>())
            {
                await running.StopAsync(CancellationToken.None);
            }
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException or IOException)
        {
            // What kept the gateway from starting keeps its services from being made here too; the first time is what the caller tells.
        }

        await application.DisposeAsync();
    }

    /// <summary>
    /// What serving needs beside routes.json. A certificate that cannot be used stops the start with one line; one that is out of its time, and a state
    /// directory that keeps nothing, are told and served with: a restart must not make an outage of them.
    /// </summary>
    private static List<ConfigProblem> CheckSurroundings(WebApplication application)
    {
        var certificates = application.Services.GetRequiredService<TlsCertificates>();
        var (unusable, untimely) = certificates.Check();
        if (unusable.Count > 0)
        {
            throw new StartupException(string.Join(" | ", unusable));
        }

        application.Services.GetRequiredService<GatewayMetrics>().Certificates.Watch(certificates.Read);
        var told = new List<ConfigProblem>(untimely);
        if (StateDirectory.Fault(application.Services.GetRequiredService<SnapshotProvider>().Current.Settings.StateDirectory) is { } fault)
        {
            told.Add(fault with { IsWarning = true });
        }

        if (application.Services.GetRequiredService<ConnectionLimit>().Allowance.Shortage is { } shortage)
        {
            told.Add(new("", shortage, IsWarning: true));
        }

        foreach (var problem in told)
        {
            if (problem.IsWarning)
            {
                application.Logger.RoutesWarning(problem.ToString());
            }
            else
            {
                application.Logger.RoutesError(problem.ToString());
            }
        }

        return told;
    }

    /// <summary>Until the process is asked to end, and everything has stopped.</summary>
    public async Task WaitForShutdownAsync(CancellationToken cancellationToken = default)
    {
        await _application.WaitForShutdownAsync(cancellationToken);
        _stopped = true;
    }

    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        _stopped = true;
        await _application.StopAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        // What could not be ended once would take its time again.
        if (!_stopped)
        {
            await StopAsync();
        }

        await _application.DisposeAsync();
    }

    private static void MapPipeline(WebApplication application)
    {
        application.UseMiddleware<OutermostStep>();
        application.UseRouting();
        application.MapReverseProxy(static proxy =>
            {
                proxy.UseMiddleware<GateMiddleware>();
                proxy.UseMiddleware<HoldMiddleware>();
                proxy.UseLoadBalancing();
                proxy.UsePassiveHealthChecks();
            })
            .ConfigureEndpoints((endpoint, route) => endpoint.WithMetadata(application.Services.GetRequiredService<SnapshotProvider>().PolicyOf(route)));

        // With the pattern, so that a path that ends in an extension does not slip past.
        // The budget stands before this endpoint alone: routes have their own.
        var writer = application.Services.GetRequiredService<VerdictWriter>();
        var time = application.Services.GetRequiredService<TimeProvider>();
        var unrouted = new CountedRefusal(
            application.Services.GetRequiredService<UnroutedBudget>().Limiter,
            context => writer.RejectAsync(context, null,
                RawTarget.Refuse(context.Request.Method, context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget), time.GetTimestamp()),
            (context, lease) => writer.RejectAsync(context, null, UnroutedBudget.Refuse(lease), time.GetTimestamp()));
        application.MapFallback("{*path}", unrouted.AnswerAsync);

        // YARP makes its endpoints when they are first asked for, which would be the first request's doing; between a reload's publishing and YARP's taking it
        // they would be of one revision and their policies of the next, and that request a 500. From here on each revision's are made as it is applied.
        foreach (var source in ((IEndpointRouteBuilder)application).DataSources)
        {
            _ = source.Endpoints;
        }
    }
}
