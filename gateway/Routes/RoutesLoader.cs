using WebhookEdge.AllowLists;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.FailedAttempts;
using WebhookEdge.Forwarding;
using WebhookEdge.Gate;
using WebhookEdge.Handshakes;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.RateLimits;
using WebhookEdge.Replay;
using WebhookEdge.Routes.Rules;
using WebhookEdge.Verdicts;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.Routes;

/// <summary>What reading a file came to: a snapshot, or the problems that stand in its way.</summary>
internal sealed record LoadedRoutes
{
    public GatewaySnapshot? Snapshot { get; init; }

    public required IReadOnlyList<ConfigProblem> Problems { get; init; }

    /// <summary>Files whose change is a reason to read again.</summary>
    public IReadOnlyList<string> SecretFiles { get; init; } = [];

    /// <summary>What the revision uses beside its policies; the rest can go once it is in force.</summary>
    public CompiledResources Resources { get; init; } = new();
}

/// <summary>Bytes → spec → problems or policies: the one way from a file to a revision, for serving, reloading and <c>validate</c> alike.</summary>
internal sealed class RoutesLoader(RouteCompiler compiler, Capacity capacity, AddressListPool lists, RateLimiterPool limiters, ReplayGuard replay, AttemptWatch attempts, RemoteKeys keys, GatewayMetrics metrics)
{
    /// <summary>What the validator must know of the other folders.</summary>
    public static RoutesCatalogue Catalogue { get; } = new()
    {
        Presets = Presets.All,
        ReasonSlugs = [.. Enum.GetValues<RejectReason>().Select(static r => r.Describe().Slug)],
        AddressFault = static text => StrictCidr.TryParse(text, out _, out var fault) ? null : fault,
        ForwardHeader = ForwardedHeaders.Describe,
        ClusterType = typeof(ClusterConfig),
        CodeVerifiers = CodeVerifiers.Facts,
        Handshakes = HandshakeKinds.All.ToDictionary(static kind => kind.Key, static kind => kind.Value.NeedsToken, StringComparer.Ordinal),
    };

    public async Task<LoadedRoutes> LoadAsync(string path, CompileMode mode, CancellationToken cancellationToken)
    {
        byte[] text;
        try
        {
            text = await File.ReadAllBytesAsync(path, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var fault = e is FileNotFoundException or DirectoryNotFoundException ? "the file does not exist" : $"the file cannot be read: {FileFault.Of(path, e)}";
            return new() { Problems = [new("", $"{path}: {fault}", "name another with --config PATH")] };
        }

        return await LoadAsync(text, mode, cancellationToken);
    }

    public async Task<LoadedRoutes> LoadAsync(byte[] text, CompileMode mode, CancellationToken cancellationToken)
    {
        var problems = new List<ConfigProblem>();
        if (StrictJson.ReadPastUnknownKeys<RoutesFile>(text, problems, out var tree, out var holders) is not { } file)
        {
            return new() { Problems = RoutesFileReader.InOrder(problems, tree) };
        }

        var unknown = problems.Count;
        problems.AddRange(RoutesValidator.Validate(file, Catalogue));
        problems.AddRange(NetworkAdvice.Of(file));

        // Everything is compiled even when something is wrong already, so that one reading shows every problem.
        var compiled = await compiler.CompileAsync(file, problems, mode, cancellationToken);
        var told = problems.Take(unknown).Concat(RoutesFileReader.WithoutConsequences(problems.Skip(unknown), tree!, holders));
        return new()
        {
            Snapshot = problems.Exists(static p => !p.IsWarning) ? null : compiled.Snapshot,
            Problems = RoutesFileReader.InOrder(told.DistinctBy(static p => (p.Path, p.Message)), tree),
            SecretFiles = compiled.SecretFiles,
            Resources = compiled.Resources,
        };
    }

    /// <summary>The revision is in force: its limits count, and what only the revision before it used is let go.</summary>
    public async ValueTask AppliedAsync(LoadedRoutes loaded)
    {
        if (loaded.Snapshot is { } snapshot)
        {
            // What the policies in force hold, whichever compilation made them.
            var held = snapshot.Policies.Values.SelectMany(static policy => policy.Uses).ToList();
            capacity.SetLimits(snapshot.Settings.ConcurrentRequests, snapshot.Settings.BufferedBodies, snapshot.Policies.Values.Select(static policy => policy.BodyLimit).DefaultIfEmpty().Max());
            keys.KeepIn(snapshot.Settings.StateDirectory);
            replay.Remember(snapshot.Settings.RememberedEvents);
            lists.Retain(held.OfType<AddressList>().ToHashSet());
            limiters.Retain(held.Where(static o => o is RouteBudget or AddressBudget).Cast<IDisposable>().ToHashSet());
            attempts.Retain(snapshot.Policies.Values.Select(static policy => policy.Attempts).OfType<RouteAttempts>());
            metrics.Requests.Retain(snapshot.Policies.ToDictionary(static p => p.Key, static p => !p.Value.Observing.IsEmpty));
            metrics.Secrets.Retain(snapshot.Policies.Values.SelectMany(static p => p.Secrets));
            await replay.RetainAsync([.. held.OfType<ReplayLink>().Concat(loaded.Resources.Replay is { } link ? [link] : []).Distinct()]);
        }
    }
}
