namespace WebhookEdge.Admin;

/// <summary>What <c>/api/state</c> and each event of <c>/api/stream</c> hold; the page draws nothing else but the journal.</summary>
internal sealed record StateView(
    DateTimeOffset At, ProcessView Process, ConfigView Config, StoreView Store,
    IReadOnlyList<RouteView> Routes, UnroutedView Unrouted, IReadOnlyList<AddressView> Addresses, long NewestRefusal);

/// <param name="InFlight">Requests under way.</param>
/// <param name="BufferedBytes">Of bodies held at this moment.</param>
internal sealed record ProcessView(string Version, double UptimeSeconds, bool Draining, long InFlight, int InFlightLimit, long BufferedBytes,
    long BufferedLimit);

/// <param name="InForceSince">When this revision was taken.</param>
/// <param name="NewestFileTaken">False while the newest file is one that was refused; <paramref name="Refused"/> then says why.</param>
/// <param name="Warnings">Of the file in force.</param>
/// <param name="Refused">The newest refused file since the process started.</param>
internal sealed record ConfigView(string Revision, DateTimeOffset InForceSince, DateTimeOffset LastReadAt, bool NewestFileTaken, int Routes,
    IReadOnlyList<ProblemView> Warnings, RefusedConfigView? Refused);

/// <param name="IsCurrent">The newest file is this one.</param>
internal sealed record RefusedConfigView(DateTimeOffset At, bool IsCurrent, IReadOnlyList<ProblemView> Problems);

/// <param name="Line">From 1; null when the problem has no place in the file.</param>
internal sealed record ProblemView(string Path, string Message, string? Hint, int? Line, int? Column, bool IsWarning);

/// <param name="Kind"><c>memory</c> or <c>redis</c>.</param>
/// <param name="State"><c>up</c>, <c>probing</c> or <c>away</c>; null without a shared store.</param>
/// <param name="ForgottenEarly">Events of this process that made room for newer ones before their time, since the start.</param>
internal sealed record StoreView(string Kind, string? State, int MemoryKeys, int MemoryLimit, long ForgottenEarly, int WriteBackQueued, int WriteBackLimit);

/// <summary>Numbers "lately" are of the last five minutes, <c>Series</c> of the last sixty whole seconds, oldest first.</summary>
internal sealed record RouteView
{
    public required string Id { get; init; }

    public required string Path { get; init; }

    public string? Provider { get; init; }

    public required HealthView Health { get; init; }

    /// <summary>Stages in observe mode; empty = all enforced.</summary>
    public required IReadOnlyList<string> Observed { get; init; }

    public required IReadOnlyList<string> Checks { get; init; }

    /// <summary>Requests a second, of the last ten.</summary>
    public required double Rate { get; init; }

    public required CountsView Lately { get; init; }

    public required CountsView Total { get; init; }

    /// <summary>Delivered (and duplicates) of what was authentic, lately; null when there was nothing.</summary>
    public double? Success { get; init; }

    public double? P50Ms { get; init; }

    public double? P99Ms { get; init; }

    /// <summary>Forwarded requests lately, in doublings from 64 µs.</summary>
    public required IReadOnlyList<int> Latency { get; init; }

    public double? DeliveredSecondsAgo { get; init; }

    public FailureView? LastFailure { get; init; }

    public required IReadOnlyList<ReasonView> Reasons { get; init; }

    public required IReadOnlyList<ReasonView> WouldRefuse { get; init; }

    /// <summary>Answers of the upstream lately by first digit, 1 to 5.</summary>
    public required IReadOnlyList<int> Statuses { get; init; }

    /// <summary>Null when nothing happened in that time.</summary>
    public SeriesView? Series { get; init; }

    public required IReadOnlyList<DestinationView> Upstream { get; init; }

    /// <summary>Names of address lists; and <c>N written</c> for addresses in the file.</summary>
    public required IReadOnlyList<string> Allow { get; init; }

    public IReadOnlyList<SecretView> Secrets { get; init; } = [];

    /// <summary>Null when it is not documented when the sender gives up.</summary>
    public AttemptsView? Attempts { get; init; }
}

/// <param name="Limit">Attempts the sender makes of one event.</param>
/// <param name="Failing">Events that failed and will come again.</param>
/// <param name="NearLimit">Events of which one attempt is left.</param>
/// <param name="GivenUp">Events of which none was left, since the start.</param>
/// <param name="WorstEvent">Key of the event with the most failed attempts.</param>
/// <param name="WorstAttempts">How many those are.</param>
/// <param name="InARow">Deliveries that failed since the last that did not.</param>
/// <param name="SwitchesOffAfter">So many in a row and the sender switches the webhook off.</param>
internal sealed record AttemptsView(int Limit, int Failing, int NearLimit, long GivenUp, string? WorstEvent, int WorstAttempts, int InARow,
    int? SwitchesOffAfter);

/// <param name="Colour"><c>green</c>, <c>yellow</c>, <c>red</c>, <c>grey</c>.</param>
internal sealed record HealthView(string Colour, IReadOnlyList<string> Why);

internal sealed record CountsView(long Delivered, long Failed, long Refused, long Duplicates, long Challenges);

internal sealed record FailureView(double SecondsAgo, int? Status, string? Reason, int InRow);

internal sealed record ReasonView(string Reason, long Lately, long Total);

internal sealed record SeriesView(IReadOnlyList<int> Delivered, IReadOnlyList<int> Failed, IReadOnlyList<int> Refused, IReadOnlyList<int> Duplicates);

internal sealed record DestinationView(string Id, string Address, string State, int InFlight);

/// <param name="Id">The reference as written in routes.json; never the value.</param>
/// <param name="Removable">Another secret of the route is in use, and this one was not for 24 hours.</param>
internal sealed record SecretView(string Id, DateTimeOffset? LastMatchedAt, bool Removable);

internal sealed record UnroutedView(long Lately, long Total, SeriesView? Series);

/// <param name="Networks">As published, each once.</param>
/// <param name="Merged">The fewest networks that hold the same addresses.</param>
/// <param name="Addresses">IPv4 addresses in it.</param>
/// <param name="LetsIn">IPv4 and IPv6 addresses, in words.</param>
/// <param name="LeftOut">Entries that are no sound network.</param>
/// <param name="UsedBy">Routes that ask it.</param>
internal sealed record AddressView(
    string Name, string Source, bool Loaded, int Networks, int Merged, ulong Addresses, string LetsIn, int LeftOut, double? AgeSeconds,
    double AlarmAfterSeconds, DateTimeOffset? LoadedAt, DateTimeOffset? CheckedAt, DateTimeOffset? ChangedAt,
    bool Stale, string? LastError, IReadOnlyList<string> UsedBy);

/// <summary>A line of the journal.</summary>
/// <param name="Path">Without the query, and at most 256 characters.</param>
internal sealed record RefusalView(long Number, DateTimeOffset At, string Route, string Reason, int Status, bool Observed, string Client, string Method,
    string Path, long BodyBytes, string? Detail);

/// <param name="Next">Number to give as <c>before</c> for older ones; null at the end.</param>
/// <param name="Routes">Entries kept, by route; of all, whatever the filter.</param>
internal sealed record RefusalsView(IReadOnlyList<RefusalView> Refusals, int Matching, long? Next, long Newest, IReadOnlyDictionary<string, int> Routes,
    IReadOnlyDictionary<string, int> Reasons);

/// <param name="Stage">The check that spoke.</param>
/// <param name="Meaning">What the reason says.</param>
/// <param name="Advice">What to do next.</param>
/// <param name="Headers">Names of the headers that came; values are never kept.</param>
/// <param name="BodyHash">Of the body: the event key where one was made; refusals are not hashed for the journal's sake.</param>
internal sealed record RefusalDetailView(
    RefusalView Refusal, string Stage, string Meaning, string Advice, AddressesSeenView Addresses, IReadOnlyList<string> Headers, long? DeclaredBytes,
    string BodyHash, string RequestId, string? EventKey);

/// <param name="Forwarded">Hops of <c>X-Forwarded-For</c> from left to right, at most 16; written by whoever sent them.</param>
/// <param name="Rule">How the client was chosen.</param>
/// <param name="Allow">What the route allows now.</param>
/// <param name="AllowedNow">Whether the client would pass the address rule now; null without such a rule.</param>
/// <param name="Hint">An address further along the chain that the rule would let in: a proxy may be missing from trustedProxies.</param>
internal sealed record AddressesSeenView(string Peer,
    IReadOnlyList<string> Forwarded, bool ForwardedCut, string Chosen, string Rule, IReadOnlyList<string> Allow, bool? AllowedNow, string? Hint);
