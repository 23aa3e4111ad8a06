using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using WebhookEdge.Primitives;

namespace WebhookEdge.Configuration;

/// <summary>routes.json as its author wrote it: null means "not written". Keys are camelCase; descriptions end up in the JSON schema.</summary>
internal sealed record RoutesFile
{
    [JsonPropertyName("$schema"), Description("Path or URL of routes.schema.json, for editors.")]
    public string? Schema { get; init; }

    [Description("Settings of the gateway as a whole; all optional.")]
    public EdgeSpec? Edge { get; init; }

    [Description("Named address sets, to be used in a route's allow.")]
    public Dictionary<string, AddressSetSpec>? AddressSets { get; init; }

    [Description("Signature schemes of your own, by name.")]
    public Dictionary<string, SchemeSpec>? Schemes { get; init; }

    [Description("YARP's clusters, exactly as YARP documents them: Destinations, LoadBalancingPolicy, HealthCheck, HttpClient, HttpRequest.")]
    public Dictionary<string, JsonElement>? Clusters { get; init; }

    [Description("The routes, by id.")]
    public Dictionary<string, RouteSpec>? Routes { get; init; }
}

internal sealed record EdgeSpec
{
    [Description("Where a client's address is read from.")]
    public ClientAddressSpec? ClientAddress { get; init; }

    [Description("The URL under which senders reach the gateway, for schemes that sign the URL and for what the app is told of scheme and host.")]
    public string? PublicUrl { get; init; }

    [Description("Reference (env:NAME or file:PATH) to a StackExchange.Redis connection string or a redis://, rediss:// or unix:// URL; absent = replay "
        + "memory in this process.")]
    public string? Redis { get; init; }

    [Description("Where AWS publishes its address ranges.")]
    public AwsRangesSpec? AwsRanges { get; init; }

    [Description("Folder for last-known-good address lists and fetched signing keys; absent = they are not kept over a restart.")]
    public string? StateDirectory { get; init; }

    [Description("Bounds of the gateway as a whole.")]
    public LimitsSpec? Limits { get; init; }
}

internal sealed record ClientAddressSpec
{
    [Description("connection (default), forwardedFor (right to left over trusted proxies) or proxyProtocol (v1 or v2, required of trusted proxies, not read "
        + "from others).")]
    public AddressSource? From { get; init; }

    [Description("Addresses or CIDRs of the proxies in front of the gateway; nobody else is believed.")]
    public IReadOnlyList<string>? TrustedProxies { get; init; }
}

internal sealed record AwsRangesSpec
{
    [Description("https URL or file:/path; default https://ip-ranges.amazonaws.com/ip-ranges.json.")]
    public string? Url { get; init; }

    [Description("How often to look for a newer list; default 1h."), Between("1s", "30d")]
    public Duration? Refresh { get; init; }

    [Description("Age at which the list is reported as stale; default 7d.")]
    public Duration? AlarmAfter { get; init; }
}

internal sealed record LimitsSpec
{
    [Description("Body cap of routes that name none; default 1MiB.")]
    public ByteSize? MaxBody { get; init; }

    [Description("Memory for bodies in flight, all routes together; default 256MiB. Beyond it: 503 + Retry-After.")]
    public ByteSize? BufferedBodies { get; init; }

    [Description("Requests in flight, all routes together; default 4096. Beyond it: 503 + Retry-After."), Between(1, 1_000_000)]
    public int? ConcurrentRequests { get; init; }

    [Description("Delivered events this process remembers at most, about 100 bytes each; default 1000000. The oldest are forgotten beyond it, with a "
        + "warning, a metric and a number on the page."), Between(10_000, 100_000_000)]
    public int? RememberedEvents { get; init; }
}

/// <summary>Exactly one of the three is written.</summary>
internal sealed record AddressSetSpec
{
    [Description("Addresses and CIDRs.")]
    public IReadOnlyList<string>? Cidrs { get; init; }

    [Description("A part of AWS' published ranges.")]
    public AwsSetSpec? Aws { get; init; }

    [Description("A JSON list of CIDRs somewhere else.")]
    public JsonListSpec? Json { get; init; }
}

internal sealed record AwsSetSpec
{
    [Description("Regions as AWS writes them, e.g. us-east-1.")]
    public IReadOnlyList<string>? Regions { get; init; }

    [Description("Services as AWS writes them, e.g. EC2; absent = AMAZON, which covers all.")]
    public IReadOnlyList<string>? Services { get; init; }
}

internal sealed record JsonListSpec
{
    [Description("https URL or file:/path of the list.")]
    public string? Url { get; init; }

    [Description("JSON pointer (RFC 6901) to an array of addresses or CIDRs; * in a segment stands for every element.")]
    public string? Pointer { get; init; }

    [Description("How often to look for a newer list; default 6h."), Between("1s", "30d")]
    public Duration? Refresh { get; init; }
}
