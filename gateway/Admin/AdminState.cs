using System.Collections.Immutable;
using System.Reflection;
using WebhookEdge.AllowLists;
using WebhookEdge.Configuration;
using WebhookEdge.Forwarding;
using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.Routes;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Admin;

/// <summary>Collects what the gateway knows of itself into views. Reads only; asked once a second at most while somebody looks.</summary>
internal sealed class AdminState(
    SnapshotProvider snapshots, RoutesReloader reloader, AddressListPool lists, ReplayGuard replay, Capacity capacity, GatewayMetrics metrics,
    UpstreamStates upstreams, RejectJournal journal, SecretUse secretUse, TimeProvider time)
{
    private const int Shown = 60;
    private static readonly TimeSpan UnusedFor = TimeSpan.FromHours(24);
    private static readonly RejectReason[] Reasons = [.. Enum.GetValues<RejectReason>().Where(static r => r != RejectReason.NotDecided)];
    private static readonly string Version =
        typeof(AdminState).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    private readonly long _startedAt = time.GetTimestamp();
    private volatile bool _draining;

    /// <summary>Set once, when the process stops taking new work.</summary>
    public bool Draining
    {
        get => _draining;
        set => _draining = value;
    }

    /// <summary>Where to read when secrets last matched.</summary>
    public Func<IReadOnlyList<SecretLastUse>> SecretUses { get; set; } = secretUse.All;

    public StateView Read()
    {
        var store = Store();
        return new(time.GetUtcNow(), Process(), Config(), store, Routes(store), Unrouted(), Addresses(), journal.LastNumber);
    }

    public ProcessView Process()
    {
        var settings = snapshots.Current.Settings;
        return new(Version, Math.Floor(time.GetElapsedTime(_startedAt).TotalSeconds), Draining, capacity.Requests, settings.ConcurrentRequests,
            capacity.BufferedBytes, settings.BufferedBodies);
    }

    public ConfigView Config()
    {
        var (status, takenAt, refusal) = reloader.History;
        return new(
            snapshots.Current.RevisionId, takenAt, status.At, status.Successful, snapshots.Current.Routes.Count,
            status.Successful ? [.. status.Problems.Where(static p => p.IsWarning).Select(View)] : [],
            refusal is null ? null : new(refusal.At, !status.Successful, [.. refusal.Problems.Select(View)]));
    }

    public StoreView Store()
    {
        var state = replay.State;
        return new(
            state.Stores > 0 ? "redis" : "memory",
            state.Stores == 0 ? null : state.Breaker switch { 0 => "up", 1 => "probing", _ => "away" },
            state.MemoryKeys, state.MemoryLimit, state.Forgotten, state.Queued, ResilientReplayStore.WriteBackLimit);
    }

    public IReadOnlyList<AddressView> Addresses()
    {
        var usedBy = snapshots.Current.Policies.Values
            .SelectMany(static policy => ListsOf(policy).Select(list => (list, policy.RouteId)))
            .ToLookup(static pair => pair.list, static pair => pair.RouteId);
        return
        [
            .. lists.All.OrderBy(static list => list.Name, StringComparer.Ordinal).Select(list => new AddressView(
                list.Name, list.Source, list.Current is not null, list.PrefixCount, list.Current?.MergedCount ?? 0, list.Current?.AddressCountV4 ?? 0,
                AddressCount.Say(list.Current ?? CidrSet.Empty), list.LeftOut, Rounded(list.Age), list.AlarmAfter.TotalSeconds,
                list.LoadedAt, list.CheckedAt, list.ChangedAt, list.IsStale, list.LastError, [.. usedBy[list].Order(StringComparer.Ordinal)])),
        ];
    }

    public IReadOnlyList<RouteView> Routes() => Routes(Store());

    /// <summary>The address rule of a route, observed or enforced; null when it takes requests from anywhere.</summary>
    public static AllowListCheck? AllowOf(RoutePolicy policy)
    {
        foreach (var check in policy.Checks)
        {
            if ((check is ObserveOnlyCheck shadow ? shadow.Inner : check) is AllowListCheck allow)
            {
                return allow;
            }
        }

        return null;
    }

    /// <summary>What the rule is made of, for people.</summary>
    public static IReadOnlyList<string> Describe(AllowListCheck? allow)
    {
        if (allow is null)
        {
            return ["any"];
        }

        var lists = allow.Lists.Select(static list => list.Name);
        var literal = allow.Literal;
        return literal.IsEmpty ? [.. lists]
            : [.. lists, $"{(literal.PrefixCount == 1 ? "1 network" : $"{literal.PrefixCount} networks")} written in the file, {AddressCount.Say(literal)}"];
    }

    private IReadOnlyList<RouteView> Routes(StoreView store)
    {
        var secrets = SecretUses().ToLookup(static use => use.Route, StringComparer.Ordinal);
        return [.. snapshots.Current.Policies.Values.OrderBy(static p => p.RouteId, StringComparer.Ordinal).Select(policy => Route(policy, store, secrets))];
    }

    private RouteView Route(RoutePolicy policy, StoreView store, ILookup<string, SecretLastUse> secrets)
    {
        var activity = policy.Stats ?? metrics.Requests.Of(policy.RouteId);
        var upstream = upstreams.Of(policy.RouteId);
        var lately = new CountsView(activity.Lately(Outcome.Delivered), activity.Lately(Outcome.Failed), activity.Lately(Outcome.Refused),
            activity.Lately(Outcome.Duplicate), activity.Lately(Outcome.Answered));
        var observed = policy.Checks.OfType<ObserveOnlyCheck>().Select(static check => StageNames.Of(check.Stage)).Distinct().ToArray();
        var accepted = lately.Delivered + lately.Duplicates;
        var latencies = activity.Latencies();
        var series = Series(activity);
        var attempts = policy.Attempts?.Read();
        var health = RouteHealth.Judge(new()
        {
            Accepted = accepted,
            Failed = lately.Failed,
            Lookalikes = Reasons.Where(static reason => reason.Describe().Proof == SenderProof.WrongProof).Sum(activity.Lately),
            FromElsewhere = activity.Lately(RejectReason.AddressNotAllowed),
            Observes = observed.Length > 0,
            Destinations = upstream.Count,
            DestinationsDown = upstream.Count(static d => !d.Available),
            ListsNeverLoaded = [.. ListsOf(policy).Where(static list => list.Current is null).Select(static list => list.Name)],
            ListsStale = [.. ListsOf(policy).Where(static list => list.IsStale).Select(static list => list.Name)],
            Attempts = attempts,
            StoreAway = store.State is "away" && policy.Checks.Any(static check => check.Stage == Stage.Replay),
        });
        return new()
        {
            Id = policy.RouteId,
            Path = policy.IsPrefix ? policy.Path + "*" : policy.Path,
            Provider = policy.Provider,
            Health = health,
            Observed = observed,
            Checks = [.. policy.Checks.Select(static check => StageNames.Of(check.Stage)).Distinct()],
            Rate = Rate(series),
            Lately = lately,
            Total = new(activity.Total(Outcome.Delivered), activity.Total(Outcome.Failed), activity.Total(Outcome.Refused), activity.Total(Outcome.Duplicate),
                activity.Total(Outcome.Answered)),
            Success = accepted + lately.Failed == 0 ? null : (double)accepted / (accepted + lately.Failed),
            P50Ms = Rounded(LatencyBuckets.Quantile(latencies, 0.5)),
            P99Ms = Rounded(LatencyBuckets.Quantile(latencies, 0.99)),
            Latency = LatencyBuckets.ByDoubling(latencies),
            DeliveredSecondsAgo = Rounded(activity.SinceDelivered),
            LastFailure = Failure(activity),
            Reasons = ReasonsOf(activity.Lately, activity.Total),
            WouldRefuse = ReasonsOf(activity.WouldRefuseLately, activity.WouldRefuseTotal),
            Statuses = [.. Enumerable.Range(1, 5).Select(activity.StatusesLately)],
            Series = series,
            Upstream = [.. upstream.Select(static d =>
                new DestinationView(d.Id, d.Address,
                !d.Available || d.Active == "unhealthy" || d.Passive == "unhealthy" ? "down" : d.Active == "healthy" || d.Passive == "healthy" ? "up"
                : "unknown", d.InFlight))],
            Allow = Describe(AllowOf(policy)),
            Secrets = SecretsOf([.. secrets[policy.RouteId]]),
            Attempts = attempts is { } a ? new(a.Limit, a.Failing, a.NearLimit, a.GivenUp, a.WorstEvent, a.Attempts, a.InARow, a.SwitchesOffAfter) : null,
        };
    }

    private UnroutedView Unrouted() =>
        new(metrics.Requests.Unrouted.Lately(RejectReason.RouteUnknown), metrics.Requests.Unrouted.Total(RejectReason.RouteUnknown),
            Series(metrics.Requests.Unrouted));

    private IReadOnlyList<SecretView> SecretsOf(SecretLastUse[] uses)
    {
        var now = time.GetUtcNow();
        return
        [
            .. uses.Select(use => new SecretView(
                use.SecretId, use.LastMatched,
                Removable: now - (use.LastMatched ?? use.WatchedSince) >= UnusedFor && uses.Any(other => other != use && now - other.LastMatched < UnusedFor))),
        ];
    }

    private static ImmutableArray<AddressList> ListsOf(RoutePolicy policy) => AllowOf(policy) is { } allow ? allow.Lists : [];

    private static IReadOnlyList<ReasonView> ReasonsOf(Func<RejectReason, int> lately, Func<RejectReason, long> total) =>
        [.. Reasons.Select(reason => new ReasonView(reason.Describe().Slug, lately(reason), total(reason))).Where(static view => view.Total > 0)
            .OrderByDescending(static view => view.Lately).ThenByDescending(static view => view.Total)];

    private static FailureView? Failure(RouteStats activity)
    {
        if (activity.SinceFailed is not { } since)
        {
            return null;
        }

        var (status, reason) = activity.LastFailure;
        return new(Math.Floor(since.TotalSeconds), status == 0 ? null : status, status == 0 ? reason.Describe().Slug : null, activity.FailuresInRow);
    }

    private static SeriesView? Series(RouteStats activity)
    {
        var series = new SeriesView(activity.Seconds(Outcome.Delivered, Shown), activity.Seconds(Outcome.Failed, Shown),
            activity.Seconds(Outcome.Refused, Shown), activity.Seconds(Outcome.Duplicate, Shown));
        return series.Delivered.Concat(series.Failed).Concat(series.Refused).Concat(series.Duplicates).Any(static n => n > 0) ? series : null;
    }

    private static double Rate(SeriesView? series) =>
        series is null ? 0
        : new[] { series.Delivered, series.Failed, series.Refused, series.Duplicates }.Sum(static counts => counts.TakeLast(10).Sum()) / 10.0;

    private static ProblemView View(ConfigProblem problem) =>
        new(problem.Path, problem.Message, problem.Hint, problem.At?.Line, problem.At?.Column, problem.IsWarning);

    private static double? Rounded(TimeSpan? span) => span is { } value ? Math.Floor(value.TotalSeconds) : null;

    private static double? Rounded(double? milliseconds) => milliseconds is { } value ? Math.Round(value, value < 10 ? 2 : value < 100 ? 1 : 0) : null;
}
