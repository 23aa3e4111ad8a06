using System.Security.Cryptography;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using WebhookEdge.AllowLists;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.Routes;

namespace WebhookEdge.Hosting;

/// <summary>
/// <c>serve --dry-run</c>: everything that serving does but listen. Reads, resolves secrets, compiles, loads certificates, fetches each address list once and
/// asks Redis; what did not work is a problem like those of the file.
/// </summary>
internal static class DryRun
{
    private static readonly TimeSpan ListsWithin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan RedisWithin = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RedisPause = TimeSpan.FromMilliseconds(250);

    /// <summary>Every problem, and whether they went to a log that machines read.</summary>
    public static async Task<(IReadOnlyList<ConfigProblem> Problems, bool Logged)> RunAsync(GatewayHostOptions options, CancellationToken cancellationToken)
    {
        await using var application = GatewayHost.Build(options);
        var services = application.Services;
        var loader = services.GetRequiredService<RoutesLoader>();
        var loaded = await loader.LoadAsync(options.RoutesPath, CompileMode.WithSecrets, cancellationToken);
        var problems = new List<ConfigProblem>(loaded.Problems);
        CheckListeners(application, problems);
        if (loaded.Compiled is { } compiled)
        {
            var pools = services.GetRequiredService<ResourcePools>();
            var snapshot = pools.Acquire(compiled);
            await pools.AppliedAsync(snapshot);
            await LoadListsAsync(services, problems, cancellationToken);
            if (StateDirectory.Fault(snapshot.Settings.StateDirectory) is { } fault)
            {
                problems.Add(fault);
            }

            await AskRedisAsync(snapshot.Replay, snapshot.Settings, services.GetRequiredService<TimeProvider>(), problems, cancellationToken);
            application.Logger.Summarise(snapshot, problems);
            application.Logger.WarnOfObserving(snapshot);
        }

        return (problems, GatewayHost.LogForMachines(application, problems));
    }

    private static void CheckListeners(WebApplication application, List<ConfigProblem> problems)
    {
        var (unusable, untimely) = application.Services.GetRequiredService<TlsCertificates>().Check();
        problems.AddRange(unusable);
        problems.AddRange(untimely);
        try
        {
            application.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.ConfigurationLoader?.Load();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Of a certificate that cannot be used the server says less than was said above.
            if (unusable.Count == 0)
            {
                problems.Add(new("Kestrel", StartupFaults.Message(e),
                    "see Kestrel__Endpoints__… and Kestrel__Certificates__… in the environment or appsettings.json"));
            }
        }

        foreach (var url in (application.Configuration["urls"] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Append(application.Configuration["Admin:Url"] ?? Admin.AdminEndpoints.DefaultUrl))
        {
            try
            {
                var address = BindingAddress.Parse(url);
                if (address.Scheme is not ("http" or "https")
                    || (address.Scheme == "https" && !application.Configuration.GetSection("Kestrel:Certificates:Default").Exists()))
                {
                    problems.Add(new("", $"cannot listen on {url}: {(address.Scheme == "https" ? "no certificate is configured" : "neither http nor https")}",
                        "write http://ADDRESS:PORT, or name Kestrel__Certificates__Default__Path"));
                }
            }
            catch (FormatException e)
            {
                problems.Add(new("", e.Message, "write http://ADDRESS:PORT"));
            }
        }
    }

    private static async Task LoadListsAsync(IServiceProvider services, List<ConfigProblem> problems, CancellationToken cancellationToken)
    {
        var pool = services.GetRequiredService<AddressListPool>();
        using var within = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        within.CancelAfter(ListsWithin);
        await services.GetServices<IHostedService>().OfType<RangeRefresher>().Single().RefreshOnceAsync(within.Token)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        foreach (var list in pool.All)
        {
            if (list.Current is null)
            {
                problems.Add(new("", $"address list {list.Name} could not be loaded from {list.Source}: {list.LastError ?? "no answer in time"}",
                    "its routes answer 503 until it is"));
            }
            else if (list.Note.Length > 0 && list.LastError == list.Note)
            {
                problems.Add(new("", $"address list {list.Name}: {list.Note}",
                    "the list is taken as it is; if that is not what you meant, look at its URL and pointer, or regions and services", IsWarning: true));
            }
            else if (list.LastError is { } fault)
            {
                problems.Add(new("", $"address list {list.Name}: {fault}", "what was known before is in force", IsWarning: true));
            }
        }
    }

    /// <summary>A question about a key that cannot exist: an answer means that connection, credentials and permissions are right.</summary>
    private static async Task AskRedisAsync(ResilientReplayStore? link, EdgeSettings settings, TimeProvider time, List<ConfigProblem> problems,
        CancellationToken cancellationToken)
    {
        if (link is null)
        {
            return;
        }

        var begin = time.GetTimestamp();
        var key = new EventKey(RandomNumberGenerator.GetBytes(EventKey.Size));
        while (true)
        {
            try
            {
                await link.ForgetAsync(key);
                return;
            }
            catch (ReplayStoreException) when (time.GetElapsedTime(begin) < RedisWithin)
            {
                await Task.Delay(RedisPause, time, cancellationToken);
            }
            catch (ReplayStoreException e)
            {
                problems.Add(new("edge.redis", $"Redis does not answer: {e.Message}",
                    $"look at what {settings.Redis} points to, and whether it can be reached from here"));
                return;
            }
        }
    }
}
