using System.Collections.Frozen;
using System.Globalization;
using System.Runtime.CompilerServices;
using WebhookEdge.AllowLists;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.FailedAttempts;
using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.RateLimits;
using WebhookEdge.Replay;

namespace WebhookEdge.Routes;

/// <summary>
/// What outlives revisions: address lists, budgets, the replay store, counts. Compiled routes ask for it here, when all problems of the file are known and
/// there are none; a file that is refused has no way to it. What only an earlier revision used is let go once the new one is in force.
/// </summary>
internal sealed class ResourcePools(Capacity capacity, AddressListPool lists, RateLimiterPool limiters, ReplayGuard replay, AttemptWatch attempts,
    RemoteKeys keys, GatewayMetrics metrics)
{
    private readonly ObjectNumbers _numbers = new();

    /// <summary>
    /// Makes the revision that <paramref name="compiled"/> describes. It is in force once it is published and <see cref="AppliedAsync"/> was called.
    /// </summary>
    public GatewaySnapshot Acquire(CompiledRoutes compiled)
    {
        // Before the first list is asked for: it starts from the last-known-good copy that is kept there.
        lists.StateDirectory = compiled.Settings.StateDirectory;
        var link = compiled.Settings.Redis is { } redis ? replay.Links.Connect(redis) : null;
        var policies = compiled.Policies.ToFrozenDictionary(static route => route.Key, route => PolicyOf(route.Value, link), StringComparer.Ordinal);
        var clusters = compiled.Clusters.ToDictionary(static cluster => cluster.ClusterId, StringComparer.Ordinal);
        return new()
        {
            RevisionId = compiled.RevisionId,
            Routes =
            [
                .. compiled.Routes.Select(route => route with
                {
                    Metadata = new Dictionary<string, string>(StringComparer.Ordinal)
                        { [SnapshotProvider.FingerprintKey] = policies[route.RouteId].Fingerprint },
                }),
            ],
            Clusters = compiled.Clusters,
            Policies = policies,
            Summaries = [.. compiled.Routes.Select(route =>
                RouteSummary.Of(compiled.Policies[route.RouteId].Route, policies[route.RouteId], clusters[route.ClusterId!]))],
            Settings = compiled.Settings,
            Compiled = compiled,
            Replay = link,
        };
    }

    /// <summary>The revision is in force: its limits count, and what only the revision before it used is let go.</summary>
    public async ValueTask AppliedAsync(GatewaySnapshot snapshot)
    {
        capacity.SetLimits(snapshot.Settings.ConcurrentRequests, snapshot.Settings.BufferedBodies,
            snapshot.Policies.Values.Select(static policy => policy.BodyLimit).DefaultIfEmpty().Max());
        keys.KeepIn(snapshot.Settings.StateDirectory);
        replay.Remember(snapshot.Settings.RememberedEvents);
        await RetainAsync(snapshot);
    }

    /// <summary>The proxy refused a revision that was acquired: everything is as <paramref name="inForce"/> asked for it.</summary>
    public async ValueTask RevertAsync(GatewaySnapshot inForce)
    {
        if (inForce.Compiled is { } compiled)
        {
            // Asking again gives the same objects, with the directory and the schedules of before.
            Acquire(compiled);
        }

        await RetainAsync(inForce);
    }

    private async ValueTask RetainAsync(GatewaySnapshot snapshot)
    {
        // What the policies in force hold, whichever compilation made them.
        var held = snapshot.Policies.Values.SelectMany(static policy => policy.Uses).ToList();
        lists.Retain(held.OfType<AddressList>().ToHashSet());
        limiters.Retain(held.Where(static o => o is RouteBudget or AddressBudget).Cast<IDisposable>().ToHashSet());
        attempts.Retain(snapshot.Policies.Values.Select(static policy => policy.Attempts).OfType<RouteAttempts>());
        metrics.Requests.Retain(snapshot.Policies.ToDictionary(static p => p.Key, static p => !p.Value.Observing.IsEmpty));
        metrics.Secrets.Retain(snapshot.Policies.Values.SelectMany(static p => p.Secrets));
        await replay.Links.RetainAsync([.. held.OfType<ResilientReplayStore>().Concat(snapshot.Replay is { } link ? [link] : []).Distinct()]);
    }

    private RoutePolicy PolicyOf(CompiledRoute route, ResilientReplayStore? link)
    {
        var resources = new RouteResources(lists, limiters, link);
        var checks = route.Checks.Select(make => make(resources)).ToList();
        var id = route.Policy.RouteId;
        return route.Policy with
        {
            Fingerprint = $"{route.Policy.Fingerprint}:{string.Join('.', resources.Held.Select(_numbers.Of))}",
            Uses = [.. resources.Held],
            Checks = [.. checks],
            Stats = metrics.Requests.Of(id),
            Secrets = [.. route.SecretReferences.Select(reference => metrics.Secrets.Of(id, reference))],
            Attempts = route.GivesUp is { } rules ? attempts.For(id, rules) : null,
        };
    }

    /// <summary>Numbers objects by identity, from 1, for as long as they live.</summary>
    private sealed class ObjectNumbers
    {
        private readonly ConditionalWeakTable<object, string> _known = [];
        private int _last;

        public string Of(object held) => _known.GetValue(held, _ => Interlocked.Increment(ref _last).ToString(CultureInfo.InvariantCulture));
    }
}

/// <summary>What one route holds of the pools, noted as its checks are made.</summary>
internal sealed class RouteResources(AddressListPool lists, RateLimiterPool limiters, ResilientReplayStore? replay)
{
    private readonly List<object> _held = [];

    public IReadOnlyList<object> Held => _held;

    public AddressList List(AddressListNeed need) => Hold(lists.Get(need));

    public AddressBudget AddressBudget(string routeId, int permits, TimeSpan window) => Hold(limiters.Address(routeId, permits, window));

    public RouteBudget RouteBudget(string routeId, int permits, TimeSpan window, int queue) => Hold(limiters.Route(routeId, permits, window, queue));

    /// <summary>The shared store of the file; null = this process's memory alone.</summary>
    public ResilientReplayStore? SharedStore() => replay is null ? null : Hold(replay);

    private T Hold<T>(T held)
        where T : class
    {
        if (!_held.Contains(held))
        {
            _held.Add(held);
        }

        return held;
    }
}
