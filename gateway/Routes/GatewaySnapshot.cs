using System.Collections.Frozen;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.Routes;

/// <summary>One revision of the configuration: YARP's half and the policies compiled with it, published together.</summary>
#pragma warning disable CA1001 // A source without timer or wait handle holds nothing to dispose.
internal sealed class GatewaySnapshot : IProxyConfig
#pragma warning restore CA1001
{
    private readonly CancellationTokenSource _superseded = new();

    public GatewaySnapshot()
    {
        ChangeToken = new CancellationChangeToken(_superseded.Token);
    }

    /// <summary>Before the first file was read: no routes.</summary>
    public static GatewaySnapshot Empty => new()
    {
        RevisionId = "none",
        Routes = [],
        Clusters = [],
        Policies = FrozenDictionary<string, RoutePolicy>.Empty,
        Summaries = [],
        Settings = new EdgeSettings(),
    };

    public required string RevisionId { get; init; }

    public required IReadOnlyList<RouteConfig> Routes { get; init; }

    public required IReadOnlyList<ClusterConfig> Clusters { get; init; }

    public required FrozenDictionary<string, RoutePolicy> Policies { get; init; }

    /// <summary>The routes in words, in the order of the file.</summary>
    public required IReadOnlyList<RouteSummary> Summaries { get; init; }

    public required EdgeSettings Settings { get; init; }

    /// <summary>What it was made of; null before the first file was read.</summary>
    public CompiledRoutes? Compiled { get; init; }

    /// <summary>The shared store of the file, whether or not a route asks it.</summary>
    public ResilientReplayStore? Replay { get; init; }

    public IChangeToken ChangeToken { get; }

    /// <summary>The same revision with a fresh change token.</summary>
    public GatewaySnapshot Copy() => With(Policies);

    /// <summary>
    /// The same revision with the very policy objects of <paramref name="before"/> wherever the fingerprint is the same. YARP keeps the endpoint of a route
    /// that did not change, and with it the policy the endpoint was made with; so what is on the endpoints and what is said to be in force are the same
    /// objects.
    /// </summary>
    public GatewaySnapshot Keeping(GatewaySnapshot before) => With(Policies.Values.Select(policy =>
        before.Policies.GetValueOrDefault(policy.RouteId) is { } known && known.Fingerprint == policy.Fingerprint ? known : policy)
        .ToFrozenDictionary(static policy => policy.RouteId, StringComparer.Ordinal));

    /// <summary>Every route has the policy object it has in <paramref name="other"/>, and there are no others.</summary>
    public bool HasPoliciesOf(GatewaySnapshot other) =>
        Policies.Count == other.Policies.Count && Policies.All(entry => ReferenceEquals(entry.Value, other.Policies.GetValueOrDefault(entry.Key)));

    private GatewaySnapshot With(FrozenDictionary<string, RoutePolicy> policies) =>
        new() { RevisionId = RevisionId, Routes = Routes, Clusters = Clusters, Policies = policies, Summaries = Summaries, Settings = Settings,
            Compiled = Compiled, Replay = Replay };

    /// <summary>Tells YARP that a newer revision is to be fetched.</summary>
    public void Supersede() => _superseded.Cancel();
}

/// <summary>What <c>edge</c> compiles to, beside what the routes carry themselves.</summary>
internal sealed record EdgeSettings
{
    public long BufferedBodies { get; init; } = 256L * 1024 * 1024;

    public int ConcurrentRequests { get; init; } = 4096;

    /// <summary>Events this process remembers at most.</summary>
    public int RememberedEvents { get; init; } = MemoryReplayStore.DefaultCapacity;

    /// <summary>Connection string of the shared replay store; null = replay memory in this process.</summary>
    public Secret? Redis { get; init; }

    /// <summary>Whose address counts, in words.</summary>
    public string ClientAddress { get; init; } = "the connection";

    public string? StateDirectory { get; init; }

    /// <summary>How the address of a client is established where there is no route to say it.</summary>
    public ClientAddressResolver Addresses { get; init; } = ClientAddressResolver.Connection;

    /// <summary>Peers whose new connections begin with a PROXY header; null = none do.</summary>
    public CidrSet? ProxyPeers { get; init; }
}

/// <summary>Hands YARP the current revision and swaps it. One revision is on its way at a time.</summary>
internal sealed class SnapshotProvider : IProxyConfigProvider, IConfigChangeListener
{
    /// <summary>
    /// Key of the policy's fingerprint in <c>RouteConfig.Metadata</c>: YARP keeps an endpoint while its RouteConfig is equal, so without it a changed policy
    /// would be ignored.
    /// </summary>
    public const string FingerprintKey = "WebhookEdge.Fingerprint";

    /// <summary>What YARP may take to run a revision; it takes milliseconds.</summary>
    public static readonly TimeSpan AppliedWithin = TimeSpan.FromSeconds(30);

    private GatewaySnapshot _current = GatewaySnapshot.Empty;
    private Publication? _publication;

    public GatewaySnapshot Current => Volatile.Read(ref _current);

    public IProxyConfig GetConfig() => Current;

    /// <summary>
    /// Publishes <paramref name="snapshot"/> and waits until YARP runs it. The fault when YARP refused it; the old revision stays in force then.
    /// </summary>
    /// <param name="time">Measures <see cref="AppliedWithin"/>: without a bound a revision that YARP never speaks of would stop reloading for ever, in
    /// silence.</param>
    public async Task<Exception?> PublishAsync(GatewaySnapshot snapshot, TimeProvider time, CancellationToken cancellationToken)
    {
        var publication = new Publication(snapshot);
        Volatile.Write(ref _publication, publication);
        var previous = Interlocked.Exchange(ref _current, snapshot);
        previous.Supersede();
        Exception? fault;
        try
        {
            fault = await publication.Done.Task.WaitAsync(AppliedWithin, time, cancellationToken);
        }
        catch (TimeoutException e)
        {
            fault = new TimeoutException($"the proxy did not take the revision within {AppliedWithin.TotalSeconds} s", e);
        }

        if (fault is not null)
        {
            // Keeps what is said to be running and what is running the same; YARP re-reads an equal revision without effect.
            Volatile.Write(ref _current, previous.Copy());
            snapshot.Supersede();
        }

        return fault;
    }

    /// <summary>Sets the first revision, before YARP has asked for one.</summary>
    public void Start(GatewaySnapshot snapshot) => Volatile.Write(ref _current, snapshot);

    public RoutePolicy PolicyOf(RouteConfig route)
    {
        var policy = Current.Policies.GetValueOrDefault(route.RouteId);
        return policy is not null && route.Metadata?.GetValueOrDefault(FingerprintKey) == policy.Fingerprint
            ? policy
            : throw new InvalidOperationException($"route {route.RouteId} and its policy are of different revisions");
    }

    void IConfigChangeListener.ConfigurationLoadingFailed(IProxyConfigProvider configProvider, Exception exception) =>
        Volatile.Read(ref _publication)?.Done.TrySetResult(exception);

    void IConfigChangeListener.ConfigurationLoaded(IReadOnlyList<IProxyConfig> proxyConfigs)
    {
    }

    void IConfigChangeListener.ConfigurationApplyingFailed(IReadOnlyList<IProxyConfig> proxyConfigs, Exception exception) => Complete(proxyConfigs, exception);

    void IConfigChangeListener.ConfigurationApplied(IReadOnlyList<IProxyConfig> proxyConfigs) => Complete(proxyConfigs, null);

    // After a refusal YARP reads the old revision once more; its word on that one must not pass for its word on the next.
    private void Complete(IReadOnlyList<IProxyConfig> configs, Exception? fault)
    {
        if (Volatile.Read(ref _publication) is { } publication && configs.Contains(publication.Snapshot))
        {
            publication.Done.TrySetResult(fault);
        }
    }

    private sealed record Publication(GatewaySnapshot Snapshot)
    {
        public TaskCompletionSource<Exception?> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
