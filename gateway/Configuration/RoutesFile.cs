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

    [Description("Reference (env:NAME or file:PATH) to a StackExchange.Redis connection string or a redis://, rediss:// or unix:// URL; absent = replay memory in this process.")]
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
    [Description("connection (default), forwardedFor (right to left over trusted proxies) or proxyProtocol (v1 or v2, required of trusted proxies, not read from others).")]
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

    [Description("Delivered events this process remembers at most, about 100 bytes each; default 1000000. The oldest are forgotten beyond it, with a warning, a metric and a number on the page."), Between(10_000, 100_000_000)]
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

/// <summary>How a sender proves itself. The fields and their rules: README, "Signature schemes".</summary>
internal sealed record SchemeSpec
{
    [Description("hmac, digest, token, basic, bearer, or a kind that is code: ed25519, ecdsa-p256, rsa-key, jwt-hs256, twilio, mandrill, plivo-v3, braintree, adyen-items, mailgun, contentful, plaid, aws-sns, paypal.")]
    public string? Kind { get; init; }

    [Description("sha1, sha256 (default) or sha512.")]
    public MacAlgorithm? Algorithm { get; init; }

    [Description("The header, or the headers of which any may match, that carry the signature or the token.")]
    public OneOrMany? Header { get; init; }

    [Description("hex (default), base64 or base64url.")]
    public MacEncoding? Encoding { get; init; }

    [Description("Literal text that must stand before the signature, e.g. sha256=.")]
    public string? Prefix { get; init; }

    [Description("The header is a list of key/value entries, as in t=…,v1=….")]
    public EntriesSpec? Entries { get; init; }

    [Description("What is signed: {body} {timestamp} {id} {method} {url} {secret} {header:NAME}; the rest is literal. Default {body}.")]
    public string? Signed { get; init; }

    [Description("Say true when the signed text really holds no {body}.")]
    public bool? UnsignedBody { get; init; }

    [Description("Accept an empty body; by default it is refused, since a signature over nothing proves little.")]
    public bool? EmptyBody { get; init; }

    [Description("Where the signing time stands and how far it may be from now, both ways.")]
    public TimestampSpec? Timestamp { get; init; }

    [Description("The delivery's id: header:NAME or json:/pointer.")]
    public string? Id { get; init; }

    [Description("How the secret becomes the key.")]
    public KeySpec? Key { get; init; }

    [Description("Headers that must have exactly these values.")]
    public Dictionary<string, string>? Require { get; init; }

    [Description("Kind jwt-hs256: which claims of the token hold what.")]
    public ClaimsSpec? Claims { get; init; }

    [Description("Kind plaid: where the sender's keys are fetched; default https://production.plaid.com.")]
    public string? KeysUrl { get; init; }
}

internal sealed record ClaimsSpec
{
    [Description("The claim with the SHA-256 of the body, written as the scheme's encoding says.")]
    public string? Body { get; init; }

    [Description("Say true when the sender leaves the claim out for an empty body; a body without it is still refused.")]
    public bool? BodyOptional { get; init; }

    [Description("The claim with the SHA-256 of the URL, for senders that have one.")]
    public string? Url { get; init; }

    [Description("The value iss must have.")]
    public string? Issuer { get; init; }

    [Description("The claim with the delivery's id, e.g. jti.")]
    public string? Id { get; init; }

    [Description("Largest age of iat in seconds; absent = only exp and nbf count, where they stand.")]
    public int? MaxAgeSeconds { get; init; }
}

internal sealed record EntriesSpec
{
    [Description("Between entries, e.g. a comma.")]
    public string? Separator { get; init; }

    [Description("Between key and value, e.g. =.")]
    public string? KeySeparator { get; init; }

    [Description("The key of a signature entry, e.g. v1; every such entry is a candidate.")]
    public string? Key { get; init; }

    [Description("Between whole groups of entries, e.g. a space (Persona on rotation).")]
    public string? Group { get; init; }
}

internal sealed record TimestampSpec
{
    [Description("entry:KEY, header:NAME or json:/pointer.")]
    public string? From { get; init; }

    [Description("s (default), ms or iso.")]
    public TimeUnit? Unit { get; init; }

    [Description("Largest distance from now in seconds, past and future alike; default 300; 0 = no age check."), Between(0, 86_400)]
    public int? ToleranceSeconds { get; init; }
}

internal sealed record KeySpec
{
    [Description("Literal text to take off the front of the secret, e.g. whsec_.")]
    public string? Strip { get; init; }

    [Description("utf8 (default), base64 or hex.")]
    public KeyEncoding? Encoding { get; init; }

    [Description("none (default), sha1 (the digest is the key) or sha256hex (its hex text is the key).")]
    public KeyDerivation? Derive { get; init; }
}

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

    [Description("Where requests may come from: IPs, CIDRs, names of address sets or of presets with known sources, aws:REGION or aws:REGION:SERVICE; [\"any\"] says it out loud.")]
    public AllowSpec? Allow { get; init; }

    [Description("How duplicates are recognised, or \"off\".")]
    public ReplaySpec? Replay { get; init; }

    [Description("Refuses signed bodies older than this.")]
    public FreshnessSpec? Freshness { get; init; }

    [Description("Budgets.")]
    public RateLimitSpec? RateLimit { get; init; }

    [Description("Body cap, enforced without Content-Length too.")]
    public ByteSize? MaxBody { get; init; }

    [Description("Content codings of bodies that are let through as they are, e.g. [\"gzip\"]; signatures are checked over the encoded bytes. Absent = an encoded body is refused.")]
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
