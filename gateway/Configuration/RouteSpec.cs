using System.ComponentModel;
using WebhookEdge.Primitives;

namespace WebhookEdge.Configuration;

internal sealed record RouteSpec
{
    [Description("A literal path, or a prefix ending in /{**rest}.")]
    public string? Path { get; init; }

    [Description("Host names the route answers to; absent = any.")]
    public IReadOnlyList<string>? Hosts { get; init; }

    [Description("Methods, default POST.")]
    public IReadOnlyList<string>? Methods { get; init; }

    [Description("Name of a cluster. Either this or upstream.")]
    public string? Cluster { get; init; }

    [Description("One upstream address, as shorthand for a cluster. Either this or cluster.")]
    public string? Upstream { get; init; }

    [Description("A preset: scheme, addresses and replay key of a known sender.")]
    public string? Provider { get; init; }

    [Description("References env:NAME or file:PATH for the provider's scheme; several = rotation, any may match.")]
    public IReadOnlyList<string>? Secrets { get; init; }

    [Description("Checks of signatures and credentials; all must pass.")]
    public IReadOnlyList<VerifySpec>? Verify { get; init; }

    [Description("Where requests may come from: IPs, CIDRs, names of address sets or of presets with known sources, aws:REGION or aws:REGION:SERVICE; "
        + "[\"any\"] says it out loud.")]
    public AllowSpec? Allow { get; init; }

    [Description("How duplicates are recognised, or \"off\".")]
    public ReplaySpec? Replay { get; init; }

    [Description("Refuses signed bodies older than this.")]
    public FreshnessSpec? Freshness { get; init; }

    [Description("Budgets.")]
    public RateLimitSpec? RateLimit { get; init; }

    [Description("Body cap, enforced without Content-Length too.")]
    public ByteSize? MaxBody { get; init; }

    [Description("Content codings of bodies that are let through as they are, e.g. [\"gzip\"]; signatures are checked over the encoded bytes. Absent = an "
        + "encoded body is refused.")]
    public IReadOnlyList<string>? Encodings { get; init; }

    [Description("From the last body byte to the answer; default 8.5s, or 85 % of the time the provider waits where that is less."), Between("100ms", "5m")]
    public Duration? Timeout { get; init; }

    [Description("enforce (default) or observe: records what would be refused, forwards it.")]
    public CheckMode? Mode { get; init; }

    [Description("YARP transforms, as YARP documents them.")]
    public IReadOnlyList<IReadOnlyDictionary<string, string>>? Transforms { get; init; }

    [Description("Leave Basic, Bearer and token headers on the forwarded request; default false.")]
    public bool? ForwardCredentials { get; init; }

    [Description("Headers of the sender that say who the client or the user is, or which path or method is meant, and that are to reach the app all the same.")]
    public IReadOnlyList<string>? ForwardHeaders { get; init; }

    [Description("Status to answer instead, by reason slug.")]
    public Dictionary<string, int>? Refuse { get; init; }

    [Description("The challenge of the sender that the gateway answers itself: a name, an object, or \"off\".")]
    public HandshakeSpec? Handshake { get; init; }
}

internal sealed record VerifySpec
{
    [Description("A preset's name, the name of a scheme of your own, or a scheme written out.")]
    public SchemeRef? Scheme { get; init; }

    [Description("References env:NAME or file:PATH; several = rotation, any may match. Basic: user:password.")]
    public IReadOnlyList<string>? Secrets { get; init; }

    [Description("enforce (default) or observe.")]
    public CheckMode? Mode { get; init; }
}

internal sealed record FreshnessSpec
{
    [Description("json:/pointer to an ISO 8601 time or a Unix time in the body.")]
    public string? At { get; init; }

    [Description("Largest age."), Between("1s", "365d")]
    public Duration? Within { get; init; }
}

internal sealed record RateLimitSpec
{
    [Description("Budget of the route, counted after authentication.")]
    public BudgetSpec? Route { get; init; }

    [Description("Budget of each client address, counted before authentication.")]
    public BudgetSpec? Address { get; init; }

    [Description("enforce (default) or observe.")]
    public CheckMode? Mode { get; init; }
}

internal sealed record BudgetSpec
{
    [Description("Requests per window."), Between(1, 1_000_000)]
    public int? Permits { get; init; }

    [Description("Length of the window, e.g. 1s or 1m."), Between("10ms", "1d")]
    public Duration? Window { get; init; }

    [Description("How many wait for the next window instead of being refused; route budget only, default 0."), Between(0, 100_000)]
    public int? Queue { get; init; }
}
