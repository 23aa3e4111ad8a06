using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net;
using System.Text.Json;
using WebhookEdge.Authentication;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.FailedAttempts;
using WebhookEdge.Forwarding;
using WebhookEdge.Gate;
using WebhookEdge.Handshakes;
using WebhookEdge.Ingress;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.RateLimits;
using WebhookEdge.Replay;
using WebhookEdge.Routes.Rules;
using WebhookEdge.Verdicts;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.Routes;

/// <summary>
/// Spec → rules and YARP's routes and clusters. Here "not written" ends: presets and defaults are filled in, secrets resolved. Knows no pool, so nothing can
/// change by compiling a file; adds to the problems what only compiling can know, and the caller decides whether the result may be used.
/// </summary>
internal sealed class RouteCompiler(Capacity capacity, ReplayGuard replay, RemoteKeys keys, TimeProvider time)
{
    private readonly VerifyCompiler _verify = new(keys, time);

    public async Task<CompiledRoutes> CompileAsync(RoutesFile file, List<ConfigProblem> problems, CompileMode mode, CancellationToken cancellationToken)
    {
        var work = new Compilation(file, problems, mode);
        var settings = CompileEdge(work);
        work.EdgeSecrets = [.. work.SecretDigests];
        if (settings.Redis is { } redis && ReplayGuard.AddressFault(redis) is { } fault)
        {
            problems.Add(new("edge.redis", $"what the reference points to: {fault}"));
        }

        var addresses = CompileClientAddress(file.Edge?.ClientAddress, problems);
        var clusters = YarpRules.ReadClusters(file.Clusters ?? [], problems).ToFrozenDictionary(StringComparer.Ordinal);
        var used = new Dictionary<string, ClusterConfig>(StringComparer.Ordinal);
        var routes = new List<RouteConfig>();
        var policies = new Dictionary<string, CompiledRoute>(StringComparer.Ordinal);
        foreach (var (id, written) in file.Routes ?? [])
        {
            var route = ResolvedRoute.Of(file, id, written);
            if (CompileRoute(work, route, addresses) is not { } compiled)
            {
                continue;
            }

            policies[id] = compiled;
            if (ClusterOf(written, clusters) is { } cluster)
            {
                used[cluster.ClusterId] = cluster;
                routes.Add(new()
                {
                    RouteId = id,
                    ClusterId = cluster.ClusterId,
                    // The hosts stand in the policy: see HostPolicy.
                    Match = new() { Path = route.Path },
                    Transforms = written.Transforms,
                });
            }
        }

        await YarpRules.ValidateAsync(routes, [.. used.Values], id => PlaceOf(id, routes, file), problems);
        cancellationToken.ThrowIfCancellationRequested();
        var revision = Compilation.Digest([.. policies.Values.Select(static compiled => compiled.Policy.Fingerprint), .. used.Keys,
            JsonSerializer.Serialize(file.Edge), .. work.EdgeSecrets]);
        return new(revision[..12], routes, [.. used.Values], policies, settings with { ProxyPeers = addresses.ProxyPeers, Addresses = addresses },
            work.SecretFiles);
    }

    /// <summary>Where a cluster of YARP's stands in the file.</summary>
    private static string PlaceOf(string clusterId, List<RouteConfig> routes, RoutesFile file) =>
        routes.Find(route => route.ClusterId == clusterId && file.Routes![route.RouteId].Upstream is not null) is { } route
            ? JsonPath.Key("routes", route.RouteId) + ".upstream" : JsonPath.Key("clusters", YarpRules.WrittenId(clusterId));

    private static EdgeSettings CompileEdge(Compilation work)
    {
        var edge = work.File.Edge;
        return new()
        {
            BufferedBodies = edge?.Limits?.BufferedBodies?.Bytes ?? new EdgeSettings().BufferedBodies,
            ConcurrentRequests = edge?.Limits?.ConcurrentRequests ?? new EdgeSettings().ConcurrentRequests,
            RememberedEvents = edge?.Limits?.RememberedEvents ?? new EdgeSettings().RememberedEvents,
            Redis = edge?.Redis is { } redis && work.Resolve(redis, "edge.redis") is { } value ? new(redis, value) : null,
            ClientAddress = edge?.ClientAddress is { From: { } from and not AddressSource.Connection } client
            ? $"{WrittenWord.Of(from)} past {string.Join(", ", client.TrustedProxies ?? [])}" : new EdgeSettings().ClientAddress,
            StateDirectory = edge?.StateDirectory,
        };
    }

    private static ClientAddressResolver CompileClientAddress(ClientAddressSpec? spec, List<ConfigProblem> problems)
    {
        if (spec?.From is not (AddressSource.ForwardedFor or AddressSource.ProxyProtocol))
        {
            return ClientAddressResolver.Connection;
        }

        var proxies = new List<IPNetwork>();
        for (var i = 0; i < (spec.TrustedProxies?.Count ?? 0); i++)
        {
            if (AddressParser.TryParseNetwork(spec.TrustedProxies![i], out var network, out var fault))
            {
                proxies.Add(network);
            }
            else
            {
                problems.Add(new($"edge.clientAddress.trustedProxies[{i}]", fault));
            }
        }

        var trusted = CidrSet.Create(proxies);
        return spec.From == AddressSource.ProxyProtocol ? ClientAddressResolver.ProxyProtocol(trusted) : ClientAddressResolver.ForwardedFor(trusted);
    }

    private CompiledRoute? CompileRoute(Compilation work, ResolvedRoute route, ClientAddressResolver addresses)
    {
        if (route.Path.Length == 0)
        {
            return null;
        }

        var publicUrl = Uri.TryCreate(work.File.Edge?.PublicUrl, UriKind.Absolute, out var url) ? url : null;
        work.BeginRoute();
        var checks = new List<(Stage Stage, CheckRecipe Make)>();

        void AddMade(Stage stage, CheckRecipe make, bool shadow) =>
            checks.Add((stage, shadow || route.Observes ? resources => new ObserveOnlyCheck(make(resources)) : make));

        void Add(IGateCheck check, bool shadow) => AddMade(check.Stage, _ => check, shadow);

        void AddAlways(IGateCheck check) => checks.Add((check.Stage, _ => check));

        AddAlways(new PayloadCheck(capacity, time));
        if (AllowCompiler.Compile(work, route) is { } allow)
        {
            AddMade(Stage.Address, allow, route.Written.Allow?.Mode == CheckMode.Observe);
        }

        var proof = _verify.CompileVerify(work, route, Add);
        var handshake = VerifyCompiler.CompileHandshake(work, route, proof);
        if (handshake is not null)
        {
            AddAlways(handshake);
            if (handshake.Kind.MayHaveSigned is { } mayHaveSigned)
            {
                AddAlways(new OwnSignatureCheck(mayHaveSigned));
            }
        }

        AddAlways(new RequestShapeCheck([.. handshake is { Kind.ByGet: true } ? route.Methods.Append("GET").Distinct() : route.Methods],
            [.. route.Encodings]));
        if (route.Written.Freshness is { } freshness && FreshnessCheck.Compile(freshness, time, work.Problems, $"{route.Place}.freshness") is { } fresh)
        {
            Add(fresh, shadow: false);
        }

        CompileBudgets(route, AddMade);
        var recipe = CompileReplay(work, route, proof.SignsId, AddMade);
        var givesUp = GiveUpOf(route.Preset);

        // Stable, so that checks of one stage keep the order they were written in.
        var ordered = checks.OrderBy(static c => c.Stage).Select(static c => c.Make).ToImmutableArray();

        // All that was written and may matter, and every value that a reference gave while this route and edge were compiled.
        var content = Compilation.Digest([
            route.Id, JsonSerializer.Serialize(route.Written), JsonSerializer.Serialize(route.Preset), JsonSerializer.Serialize(work.File.Edge),
            JsonSerializer.Serialize(work.File.Schemes),
            JsonSerializer.Serialize(work.File.AddressSets), .. work.EdgeSecrets, .. work.SecretDigests,
        ]);
        var policy = new RoutePolicy
        {
            RouteId = route.Id,
            Fingerprint = content,
            Path = route.LiteralPath,
            IsPrefix = route.IsPrefix,
            Hosts = [.. route.Hosts.Select(static host => HostRule.Parse(RoutesSyntax.AsciiHost(host)))],
            Provider = route.Written.Provider,
            Addresses = addresses,
            BodyLimit = route.MaxBody.Bytes,
            Timeout = route.Timeout,
            ForwardCredentials = route.ForwardCredentials,
            ForwardHeaders = [.. route.ForwardHeaders.Select(ForwardedHeaders.Normalise)],
            PublicScheme = publicUrl?.Scheme,
            PublicHost = publicUrl?.Authority,
            CredentialHeaders = [.. proof.CredentialHeaders.Select(ForwardedHeaders.Normalise)],
            StatusOverrides = CompileRefuse(route.Refuse),
            Observing = ObservedParts.Of(route.Written),
            SignsId = proof.SignsId,
            KeyOf = givesUp is null ? null : recipe.KeyOf,
        };
        return new(policy, ordered, givesUp, [.. proof.Secrets.Select(static s => s.Id).Distinct()], route);
    }

    private void CompileBudgets(ResolvedRoute route, Action<Stage, CheckRecipe, bool> add)
    {
        var written = route.Written.RateLimit;
        var shadow = written?.Mode == CheckMode.Observe;
        if (written?.Address is { Permits: { } permits and > 0, Window: { } window })
        {
            add(Stage.AddressRate, resources => new AddressBudgetCheck(resources.AddressBudget(route.Id, permits, window)), shadow);
        }

        if (written?.Route is { Permits: { } routePermits and > 0, Window: { } routeWindow, Queue: null or >= 0 } budget)
        {
            // Who only looks on makes nobody wait.
            var queue = shadow || route.Observes ? 0 : budget.Queue ?? 0;
            add(Stage.RouteRate, resources => new RouteBudgetCheck(resources.RouteBudget(route.Id, routePermits, routeWindow, queue), route.Timeout, time),
                shadow);
        }
    }

    /// <summary>Numbers without a source are hearsay.</summary>
    private static GiveUpRules? GiveUpOf(PresetSpec? preset) =>
        preset is { Retries: { Attempts: { } limit, Source: not null } retries } ? new(preset.Name, limit, retries.SwitchesOffAfter) : null;

    /// <summary>The recipe of the route's event keys, also where no check asks for one.</summary>
    private EventKeyRecipe CompileReplay(Compilation work, ResolvedRoute route, bool signsId, Action<Stage, CheckRecipe, bool> add)
    {
        var rules = route.Replay;
        if (rules.IsOff)
        {
            return EventKeyRecipe.Compile(route.Id, null, route.Place, work.Problems);
        }

        var recipe = EventKeyRecipe.Compile(route.Id, rules.KeyOf(signsId), $"{route.Place}.replay.key", work.Problems);
        var waits = !rules.Observes && !route.Observes;
        var replayRules = new ReplayRules(rules.Ttl.Value, route.Timeout, rules.Closed) { Waits = waits };
        add(Stage.Replay, resources => new ReplayCheck(recipe, replayRules, replay, resources.SharedStore()), rules.Observes);
        return recipe;
    }

    private static ImmutableArray<int> CompileRefuse(IReadOnlyDictionary<string, int> refuse)
    {
        if (refuse.Count == 0)
        {
            return [];
        }

        var statuses = new int[Enum.GetValues<RejectReason>().Length];
        foreach (var (slug, status) in refuse)
        {
            if (RejectReasons.TryParse(slug, out var reason))
            {
                statuses[(int)reason] = status;
            }
        }

        return [.. statuses];
    }

    /// <summary>
    /// The cluster under a name that holds a digest of its content: YARP updates clusters in place before routes, and old rules must not reach new
    /// destinations.
    /// </summary>
    private static ClusterConfig? ClusterOf(RouteSpec route, FrozenDictionary<string, ClusterConfig> clusters)
    {
        if (route.Upstream is { } upstream)
        {
            return new() { ClusterId = $"upstream~{Compilation.Digest([upstream])[..12]}",
                Destinations = new Dictionary<string, DestinationConfig>(StringComparer.Ordinal) { ["upstream"] = new() { Address = upstream } } };
        }

        return route.Cluster is { } name && clusters.GetValueOrDefault(name) is { } cluster
            ? cluster with { ClusterId = $"{name}~{Compilation.Digest([JsonSerializer.Serialize(cluster)])[..12]}" }
            : null;
    }
}
