using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebhookEdge.AllowLists;
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

/// <summary>How far compiling goes.</summary>
internal enum CompileMode
{
    /// <summary>Secrets are looked up.</summary>
    WithSecrets,

    /// <summary>On a machine that has no secrets: everything else is compiled.</summary>
    WithoutSecrets,
}

/// <summary>Makes a check once what it holds is there.</summary>
internal delegate IGateCheck CheckRecipe(RouteResources resources);

/// <summary>A route that can be put into force.</summary>
/// <param name="Policy">Its rules without what is kept outside of revisions.</param>
/// <param name="Checks">In stage order.</param>
/// <param name="GivesUp">When the sender gives up; null = not known.</param>
/// <param name="SecretReferences">The active secrets, each once.</param>
/// <param name="Spec">As it was written.</param>
internal sealed record CompiledRoute(RoutePolicy Policy, ImmutableArray<CheckRecipe> Checks, GiveUpRules? GivesUp, ImmutableArray<string> SecretReferences, RouteSpec Spec);

/// <summary>A file that is sound. Nothing outside of it has been touched: <see cref="ResourcePools"/> puts it into force.</summary>
/// <param name="RevisionId">The same on every instance with the same file and the same secrets.</param>
/// <param name="SecretFiles">Files whose change is a reason to read again, with the SHA-256 of what was read.</param>
/// <param name="Routes">YARP's routes but for the fingerprint, in the order of the file.</param>
internal sealed record CompiledRoutes(
    string RevisionId, IReadOnlyList<RouteConfig> Routes, IReadOnlyList<ClusterConfig> Clusters, IReadOnlyDictionary<string, CompiledRoute> Policies, EdgeSettings Settings, IReadOnlyDictionary<string, byte[]> SecretFiles);

/// <summary>
/// Spec → rules and YARP's routes and clusters. Here "not written" ends: presets and defaults are filled in, secrets resolved. Knows no pool, so nothing can change
/// by compiling a file; adds to the problems what only compiling can know, and the caller decides whether the result may be used.
/// </summary>
internal sealed class RouteCompiler(Capacity capacity, ReplayGuard replay, RemoteKeys keys, TimeProvider time)
{
    private const string DefaultAwsUrl = "https://ip-ranges.amazonaws.com/ip-ranges.json";
    private static readonly ByteSize DefaultMaxBody = new(1024 * 1024);

    public async Task<CompiledRoutes> CompileAsync(RoutesFile file, List<ConfigProblem> problems, CompileMode mode, CancellationToken cancellationToken)
    {
        var work = new Work(file, problems, mode);
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
        foreach (var (id, route) in file.Routes ?? [])
        {
            if (CompileRoute(work, id, route, addresses) is not { } compiled)
            {
                continue;
            }

            policies[id] = compiled;
            if (ClusterOf(route, clusters) is { } cluster)
            {
                used[cluster.ClusterId] = cluster;
                routes.Add(new()
                {
                    RouteId = id,
                    ClusterId = cluster.ClusterId,
                    // The hosts stand in the policy: see HostPolicy.
                    Match = new() { Path = route.Path },
                    Transforms = route.Transforms,
                });
            }
        }

        await YarpRules.ValidateAsync(routes, [.. used.Values], static c => $"clusters.{c.ClusterId[..c.ClusterId.IndexOf('~', StringComparison.Ordinal)]}", problems);
        cancellationToken.ThrowIfCancellationRequested();
        var revision = Digest([.. policies.Values.Select(static compiled => compiled.Policy.Fingerprint), .. used.Keys, JsonSerializer.Serialize(file.Edge), .. work.EdgeSecrets]);
        return new(revision[..12], routes, [.. used.Values], policies, settings with { ProxyPeers = addresses.ProxyPeers, Addresses = addresses }, work.SecretFiles);
    }

    private static EdgeSettings CompileEdge(Work work)
    {
        var edge = work.File.Edge;
        return new()
        {
            BufferedBodies = edge?.Limits?.BufferedBodies?.Bytes ?? new EdgeSettings().BufferedBodies,
            ConcurrentRequests = edge?.Limits?.ConcurrentRequests ?? new EdgeSettings().ConcurrentRequests,
            RememberedEvents = edge?.Limits?.RememberedEvents ?? new EdgeSettings().RememberedEvents,
            Redis = edge?.Redis is { } redis && work.Resolve(redis, "edge.redis") is { } value ? new(redis, value) : null,
            ClientAddress = edge?.ClientAddress is { From: { } from and not AddressSource.Connection } client ? $"{WrittenWord.Of(from)} past {string.Join(", ", client.TrustedProxies ?? [])}" : new EdgeSettings().ClientAddress,
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

    private CompiledRoute? CompileRoute(Work work, string id, RouteSpec route, ClientAddressResolver addresses)
    {
        if (route.Path is not { } path)
        {
            return null;
        }

        var place = $"routes.{id}";
        var publicUrl = Uri.TryCreate(work.File.Edge?.PublicUrl, UriKind.Absolute, out var url) ? url : null;
        work.BeginRoute();
        var preset = route.Provider is { } name ? Presets.Find(name) : null;
        var timeout = route.Timeout?.Value ?? PresetSpec.DefaultTimeout(preset);
        var observe = route.Mode == CheckMode.Observe;
        var isPrefix = path.EndsWith("/{**rest}", StringComparison.Ordinal);
        var literal = isPrefix ? path[..^"{**rest}".Length] : path;
        var methods = route.Methods ?? ["POST"];
        var checks = new List<(Stage Stage, CheckRecipe Make)>();

        void AddMade(Stage stage, CheckRecipe make, bool shadow) => checks.Add((stage, shadow || observe ? resources => new ObserveOnlyCheck(make(resources)) : make));

        void Add(IGateCheck check, bool shadow) => AddMade(check.Stage, _ => check, shadow);

        void AddAlways(IGateCheck check) => checks.Add((check.Stage, _ => check));

        AddAlways(new PayloadCheck(capacity, time));
        if (CompileAllow(work, place, route, preset) is { } allow)
        {
            AddMade(Stage.Address, allow, route.Allow?.Mode == CheckMode.Observe);
        }

        var proof = CompileVerify(work, place, route, preset, literal, Add);
        var handshake = CompileHandshake(work, place, route, preset, literal, proof);
        if (handshake is not null)
        {
            AddAlways(handshake);
        }

        AddAlways(new RequestShapeCheck([.. handshake is { TakesGet: true } ? methods.Append("GET").Distinct() : methods], [.. route.Encodings ?? []]));
        if (route.Freshness is { } freshness && FreshnessCheck.Compile(freshness, time, work.Problems, $"{place}.freshness") is { } fresh)
        {
            Add(fresh, shadow: false);
        }

        CompileBudgets(id, route, timeout, AddMade);
        var recipe = CompileReplay(work, place, id, route, preset, timeout, proof.SignsId, AddMade);
        var givesUp = GiveUpOf(preset);

        // Stable, so that checks of one stage keep the order they were written in.
        var ordered = checks.OrderBy(static c => c.Stage).Select(static c => c.Make).ToImmutableArray();

        // All that was written and may matter, and every value that a reference gave while this route and edge were compiled.
        var content = Digest([
            id, JsonSerializer.Serialize(route), JsonSerializer.Serialize(preset), JsonSerializer.Serialize(work.File.Edge), JsonSerializer.Serialize(work.File.Schemes),
            JsonSerializer.Serialize(work.File.AddressSets), .. work.EdgeSecrets, .. work.SecretDigests,
        ]);
        var policy = new RoutePolicy
        {
            RouteId = id,
            Fingerprint = content,
            Path = literal,
            IsPrefix = isPrefix,
            Hosts = [.. (route.Hosts ?? []).Select(static host => HostRule.Parse(Grammar.AsciiHost(host)))],
            Provider = route.Provider,
            Addresses = addresses,
            BodyLimit = (route.MaxBody ?? work.File.Edge?.Limits?.MaxBody ?? DefaultMaxBody).Bytes,
            Timeout = timeout,
            ForwardCredentials = route.ForwardCredentials ?? false,
            ForwardHeaders = [.. (route.ForwardHeaders ?? []).Select(ForwardedHeaders.Normalise)],
            PublicScheme = publicUrl?.Scheme,
            PublicHost = publicUrl?.Authority,
            CredentialHeaders = [.. proof.CredentialHeaders.Select(ForwardedHeaders.Normalise)],
            StatusOverrides = CompileRefuse(preset?.Refuse, route.Refuse),
            Observing = ObservedBy(route),
            SignsId = proof.SignsId,
            KeyOf = givesUp is null ? null : recipe.KeyOf,
        };
        return new(policy, ordered, givesUp, [.. proof.Secrets.Select(static s => s.Id).Distinct()], route);
    }

    private static CheckRecipe? CompileAllow(Work work, string place, RouteSpec route, PresetSpec? preset)
    {
        var from = route.Allow?.From ?? preset?.Allow ?? ["any"];
        if (from is ["any"])
        {
            return null;
        }

        var networks = new List<IPNetwork>();
        var lists = new List<AddressListNeed>();
        for (var i = 0; i < from.Count; i++)
        {
            var entry = from[i];
            if (entry.StartsWith("aws:", StringComparison.Ordinal))
            {
                var parts = entry.Split(':');
                AddFeed(work, "edge.awsRanges", lists, () => Aws(work, [parts[1]], parts.Length > 2 ? [parts[2]] : null));
            }
            else if (work.File.AddressSets?.GetValueOrDefault(entry) is { } set)
            {
                CompileSet(work, $"addressSets.{entry}", set, networks, lists);
            }
            else if (Presets.Find(entry)?.Sources is { } published)
            {
                CompileSet(work, $"{place}.allow[{i}]", published, networks, lists);
            }
            else if (AddressParser.TryParseNetwork(entry, out var network, out _))
            {
                networks.Add(network);
            }
        }

        var written = CidrSet.Create(networks);
        return resources => new AllowListCheck(written, [.. lists.Select(resources.List).Distinct()]);
    }

    private static void CompileSet(Work work, string place, AddressSetSpec set, List<IPNetwork> networks, List<AddressListNeed> lists)
    {
        foreach (var (text, i) in (set.Cidrs ?? []).Select(static (t, i) => (t, i)))
        {
            if (AddressParser.TryParseNetwork(text, out var network, out var fault))
            {
                networks.Add(network);
            }
            else
            {
                work.Problems.Add(new($"{place}.cidrs[{i}]", fault));
            }
        }

        if (set.Aws is { Regions: { } regions } aws)
        {
            AddFeed(work, $"{place}.aws", lists, () => Aws(work, regions, aws.Services));
        }

        if (set.Json is { Url: { } url, Pointer: { } pointer } json)
        {
            AddFeed(work, $"{place}.json", lists, () => AddressListNeed.Json(url, pointer, json.Refresh?.Value ?? TimeSpan.FromHours(6)));
        }
    }

    /// <summary>What the validator has refused already is not asked for again; what it could not know (a feed's own objection) becomes a problem here.</summary>
    private static void AddFeed(Work work, string place, List<AddressListNeed> lists, Func<AddressListNeed> ask)
    {
        try
        {
            lists.Add(ask());
        }
        catch (ArgumentException e)
        {
            if (!work.Problems.Exists(p => !p.IsWarning && p.Path.StartsWith(place, StringComparison.Ordinal)))
            {
                work.Problems.Add(new(place, e.Message));
            }
        }
    }

    private static AddressListNeed Aws(Work work, IReadOnlyList<string> regions, IReadOnlyList<string>? services)
    {
        var ranges = work.File.Edge?.AwsRanges;
        return AddressListNeed.Aws(ranges?.Url ?? DefaultAwsUrl, ranges?.Refresh?.Value ?? TimeSpan.FromHours(1), ranges?.AlarmAfter?.Value ?? TimeSpan.FromDays(7), regions, services ?? ["AMAZON"]);
    }

    private CompiledProof CompileVerify(Work work, string place, RouteSpec route, PresetSpec? preset, string path, Action<IGateCheck, bool> add)
    {
        var proof = new CompiledProof();
        var entries = route.Verify?.Select((v, i) => (Place: $"{place}.verify[{i}]", v.Scheme, v.Secrets, v.Mode))
            ?? (route.Secrets is null ? [] : [(Place: place, Scheme: new SchemeRef(route.Provider, null), route.Secrets, Mode: (CheckMode?)null)]);
        var context = new SchemeContext(work.File.Edge?.PublicUrl, path, time, keys);
        foreach (var entry in entries)
        {
            if (SchemeNames.Resolve(work.File, entry.Scheme) is not { } spec)
            {
                continue;
            }

            var secrets = new List<Secret>();
            for (var i = 0; i < (entry.Secrets?.Count ?? 0); i++)
            {
                var reference = entry.Secrets![i];
                if (work.Resolve(reference, $"{entry.Place}.secrets[{i}]") is { } value)
                {
                    secrets.Add(new(reference, value));
                    proof.Secrets.Add(secrets[^1]);
                }
            }

            var schemePlace = entry.Scheme?.Inline is not null ? $"{entry.Place}.scheme" : entry.Scheme?.Name is { } own && work.File.Schemes?.ContainsKey(own) == true ? $"schemes.{own}" : entry.Place;
            if (work.Mode == CompileMode.WithoutSecrets || (secrets.Count == 0 && entry.Secrets?.Count > 0))
            {
                // No secret to be had here: whatever the reason, it was said; the scheme itself can still be judged.
                work.Problems.AddRange(SchemeCompiler.Validate(spec, context, schemePlace));
                continue;
            }

            if (SchemeCompiler.Compile(spec, secrets, context, work.Problems, schemePlace, $"{entry.Place}.secrets") is { } compiled)
            {
                foreach (var check in compiled.Checks)
                {
                    add(check, entry.Mode == CheckMode.Observe);
                }

                proof.CredentialHeaders.UnionWith(compiled.CredentialHeaders);
                proof.SignsId |= compiled.SignsId;
                proof.SignsBody |= compiled.SignsBody && entry.Mode != CheckMode.Observe;
            }
        }

        return proof;
    }

    /// <summary>Never shadowed: an answer is given to what a challenge proves, or not at all.</summary>
    private static HandshakeCheck? CompileHandshake(Work work, string place, RouteSpec route, PresetSpec? preset, string path, CompiledProof proof)
    {
        if (HandshakeCompiler.KindOf(route.Handshake, preset?.Handshake) is not { } kind)
        {
            return null;
        }

        byte[]? token = null;
        if (route.Handshake?.VerifyToken is { } reference)
        {
            token = work.Resolve(reference, $"{place}.handshake.verifyToken");
            if (token is null)
            {
                return null;
            }
        }

        if (work.Mode == CompileMode.WithoutSecrets || (kind.NeedsToken && token is null))
        {
            return null;
        }

        var setup = new HandshakeSetup([.. proof.Secrets.Select(static s => new HandshakeSecret(s.Id, s.Value.ToArray()))], token, work.File.Edge?.PublicUrl is { } url ? url.TrimEnd('/') + path : null);
        return HandshakeCompiler.Compile(kind, setup, proof.SignsBody, (route.Methods ?? []).Contains("GET"), route.Handshake is not null, work.Problems, $"{place}.handshake");
    }

    private void CompileBudgets(string id, RouteSpec route, TimeSpan timeout, Action<Stage, CheckRecipe, bool> add)
    {
        var shadow = route.RateLimit?.Mode == CheckMode.Observe;
        if (route.RateLimit?.Address is { Permits: { } permits and > 0, Window: { } window })
        {
            add(Stage.AddressRate, resources => new AddressBudgetCheck(resources.AddressBudget(id, permits, window)), shadow);
        }

        if (route.RateLimit?.Route is { Permits: { } routePermits and > 0, Window: { } routeWindow, Queue: null or >= 0 } budget)
        {
            // Who only looks on makes nobody wait.
            var queue = shadow || route.Mode == CheckMode.Observe ? 0 : budget.Queue ?? 0;
            add(Stage.RouteRate, resources => new RouteBudgetCheck(resources.RouteBudget(id, routePermits, routeWindow, queue), timeout, time), shadow);
        }
    }

    /// <summary>The words of routes.json for what the route lets through. What a preset only observes cannot be enforced and is no roll-out.</summary>
    private static ImmutableArray<string> ObservedBy(RouteSpec route)
    {
        if (route.Mode == CheckMode.Observe)
        {
            return ["every check"];
        }

        var observing = ImmutableArray.CreateBuilder<string>();
        for (var i = 0; i < (route.Verify?.Count ?? 0); i++)
        {
            if (route.Verify![i].Mode == CheckMode.Observe)
            {
                observing.Add($"verify[{i}]");
            }
        }

        if (route.Allow?.Mode == CheckMode.Observe)
        {
            observing.Add("allow");
        }

        if (route.Replay?.Options?.Mode == CheckMode.Observe)
        {
            observing.Add("replay");
        }

        if (route.RateLimit?.Mode == CheckMode.Observe)
        {
            observing.Add("rateLimit");
        }

        return observing.ToImmutable();
    }

    /// <summary>Numbers without a source are hearsay.</summary>
    private static GiveUpRules? GiveUpOf(PresetSpec? preset) =>
        preset is { Retries: { Attempts: { } limit, Source: not null } retries } ? new(preset.Name, limit, retries.SwitchesOffAfter) : null;

    /// <summary>The recipe of the route's event keys, also where no check asks for one.</summary>
    private EventKeyRecipe CompileReplay(Work work, string place, string id, RouteSpec route, PresetSpec? preset, TimeSpan timeout, bool signsId, Action<Stage, CheckRecipe, bool> add)
    {
        var rules = ResolvedReplay.Of(route.Replay, preset);
        if (rules.IsOff)
        {
            return EventKeyRecipe.Compile(id, null, place, work.Problems);
        }

        var recipe = EventKeyRecipe.Compile(id, rules.KeyOf(signsId), $"{place}.replay.key", work.Problems);
        var waits = !rules.Observes && route.Mode != CheckMode.Observe;
        var replayRules = new ReplayRules(rules.Ttl.Value, timeout, rules.Closed) { Waits = waits };
        add(Stage.Replay, resources => new ReplayCheck(recipe, replayRules, replay, resources.SharedStore()), rules.Observes);
        return recipe;
    }

    /// <summary>What the sender insists on, and over it what the route says.</summary>
    private static ImmutableArray<int> CompileRefuse(Dictionary<string, int>? preset, Dictionary<string, int>? route)
    {
        if (preset is null && route is null)
        {
            return [];
        }

        var statuses = new int[Enum.GetValues<RejectReason>().Length];
        foreach (var (slug, status) in (preset ?? []).Concat(route ?? []))
        {
            if (RejectReasons.TryParse(slug, out var reason))
            {
                statuses[(int)reason] = status;
            }
        }

        return [.. statuses];
    }

    /// <summary>
    /// The cluster under a name that holds a digest of its content: YARP updates clusters in place before routes, and old rules must not reach new destinations.
    /// </summary>
    private static ClusterConfig? ClusterOf(RouteSpec route, FrozenDictionary<string, ClusterConfig> clusters)
    {
        if (route.Upstream is { } upstream)
        {
            return new() { ClusterId = $"upstream~{Digest([upstream])[..12]}", Destinations = new Dictionary<string, DestinationConfig>(StringComparer.Ordinal) { ["upstream"] = new() { Address = upstream } } };
        }

        return route.Cluster is { } name && clusters.GetValueOrDefault(name) is { } cluster
            ? cluster with { ClusterId = $"{name}~{Digest([JsonSerializer.Serialize(cluster)])[..12]}" }
            : null;
    }

    private static string Digest(IReadOnlyList<string> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts)
        {
            hash.AppendData(BitConverter.GetBytes(part.Length));
            hash.AppendData(Encoding.UTF8.GetBytes(part));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private sealed record CompiledProof
    {
        public HashSet<string> CredentialHeaders { get; } = [];

        public List<Secret> Secrets { get; } = [];

        public bool SignsId { get; set; }

        public bool SignsBody { get; set; }
    }

    /// <summary>One compilation: the file, the problems so far, and what it uses.</summary>
    private sealed record Work(RoutesFile File, List<ConfigProblem> Problems, CompileMode Mode)
    {
        /// <summary>The files of secrets, each with the digest of what was read.</summary>
        public Dictionary<string, byte[]> SecretFiles { get; } = new(StringComparer.Ordinal);

        /// <summary>What the references of <c>edge</c> resolved to, by digest; every route depends on it.</summary>
        public IReadOnlyList<string> EdgeSecrets { get; set; } = [];

        /// <summary>What the references resolved so far for the route being compiled gave, by digest, each with the reference.</summary>
        public List<string> SecretDigests { get; } = [];

        public void BeginRoute() => SecretDigests.Clear();

        public byte[]? Resolve(string text, string place)
        {
            // What is no reference was refused by the validator, and may be the secret itself.
            if (!Grammar.IsSecretReference(text) || !SecretReference.TryParse(text, out var reference))
            {
                return null;
            }

            if (Mode == CompileMode.WithoutSecrets)
            {
                return null;
            }

            // Here and nowhere else secrets are looked up, so none can be left out of a fingerprint.
            var value = reference.Resolve(out var fault, out var digest);
            if (digest is not null)
            {
                // The first reading: when a file changes between two, the watcher sees another one and reads everything again.
                SecretFiles.TryAdd(reference.Target, digest);
            }

            SecretDigests.Add($"{text}={(value is null ? "" : Convert.ToHexString(SHA256.HashData(value)))}");
            if (value is null)
            {
                Problems.Add(new(place, fault!, reference.Remedy));
            }

            return value;
        }
    }
}
