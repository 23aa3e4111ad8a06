using WebhookEdge.Configuration;
using WebhookEdge.Handshakes;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes;

/// <summary>
/// A route as it is meant: key by key what the route writes, else what its provider's preset says, else what <c>edge</c> or the default says. The three meet
/// here and nowhere else; the rules, the compiler, the summary and the commands all read this. What is missing or wrong is told by the rules and stands here
/// as nothing: an empty path, a scheme that is null.
/// </summary>
internal sealed record ResolvedRoute
{
    private const string Rest = "{**rest}";
    private static readonly ByteSize DefaultMaxBody = new(1024 * 1024);

    public required string Id { get; init; }

    /// <summary>Where it stands in the file: <c>routes.ID</c>.</summary>
    public required string Place { get; init; }

    /// <summary>What the route writes itself, for those who ask whether something was written.</summary>
    public required RouteSpec Written { get; init; }

    /// <summary>Of the route's <c>provider</c>; null without one, and when its name is unknown.</summary>
    public PresetSpec? Preset { get; init; }

    /// <summary>As written, with <c>{**rest}</c> at the end of a prefix; empty when there is none.</summary>
    public required string Path { get; init; }

    /// <summary>Every path below <see cref="LiteralPath"/> is meant.</summary>
    public bool IsPrefix => Path.EndsWith('/' + Rest, StringComparison.Ordinal);

    public string LiteralPath => IsPrefix ? Path[..^Rest.Length] : Path;

    /// <summary>Empty = any.</summary>
    public required IReadOnlyList<string> Hosts { get; init; }

    public required IReadOnlyList<string> Methods { get; init; }

    /// <summary>All of them must pass, unless they observe.</summary>
    public required IReadOnlyList<ResolvedVerify> Verify { get; init; }

    /// <summary>
    /// The schemes of <see cref="Verify"/>. Null when one of them is unknown, or when what is written leaves open which are meant: whoever judges by them has
    /// nothing to go by then.
    /// </summary>
    public IReadOnlyList<SchemeSpec>? Schemes { get; init; }

    /// <summary>Where requests may come from; <c>["any"]</c> = everywhere.</summary>
    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>Where the list of sources stands, or would.</summary>
    public string SourcesPlace => Written.Allow?.Mode is null ? $"{Place}.allow" : $"{Place}.allow.from";

    public bool ComesFromAnywhere => Sources is ["any"];

    public required ResolvedReplay Replay { get; init; }

    /// <summary>The challenge of the sender that the gateway answers; null = none.</summary>
    public HandshakeKind? Handshake { get; init; }

    /// <summary>Statuses to answer instead, by the reason's slug.</summary>
    public required IReadOnlyDictionary<string, int> Refuse { get; init; }

    /// <summary>From the last byte of the body to the answer.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>The largest body.</summary>
    public required ByteSize MaxBody { get; init; }

    /// <summary>Content codings that are let through as they are.</summary>
    public required IReadOnlyList<string> Encodings { get; init; }

    public required IReadOnlyList<string> ForwardHeaders { get; init; }

    public required bool ForwardCredentials { get; init; }

    /// <summary>Every check that can be only looks on.</summary>
    public bool Observes => Written.Mode == CheckMode.Observe;

    public static ResolvedRoute Of(RoutesFile file, string id, RouteSpec written)
    {
        var place = JsonPath.Key("routes", id);
        var preset = written.Provider is { } provider ? Presets.Find(provider) : null;
        var verify = ResolvedVerify.Of(file, place, written);
        return new()
        {
            Id = id,
            Place = place,
            Written = written,
            Preset = preset,
            Path = written.Path ?? "",
            Hosts = written.Hosts ?? [],
            Methods = written.Methods ?? ["POST"],
            Verify = verify,
            Schemes = SchemesOf(written, preset, verify),
            Sources = written.Allow?.From ?? preset?.Allow ?? ["any"],
            Replay = ResolvedReplay.Of(written.Replay, preset),
            Handshake = HandshakeCompiler.KindOf(written.Handshake, preset?.Handshake),
            Refuse = Merged(preset?.Refuse, written.Refuse),
            Timeout = written.Timeout?.Value ?? PresetSpec.DefaultTimeout(preset),
            MaxBody = written.MaxBody ?? file.Edge?.Limits?.MaxBody ?? DefaultMaxBody,
            Encodings = written.Encodings ?? [],
            ForwardHeaders = written.ForwardHeaders ?? [],
            ForwardCredentials = written.ForwardCredentials ?? false,
        };
    }

    private static List<SchemeSpec>? SchemesOf(RouteSpec written, PresetSpec? preset, IReadOnlyList<ResolvedVerify> verify) => written switch
    {
        { Verify: { } entries } => entries.Count > 0 && verify.All(static entry => entry.Scheme is not null) ? [.. verify.Select(static e => e.Scheme!)] : null,
        { Provider: null } => written.Secrets is null ? [] : null,
        _ => preset is null ? null : [preset.Scheme],
    };

    /// <summary>What the sender insists on, and over it what the route says.</summary>
    private static Dictionary<string, int> Merged(Dictionary<string, int>? preset, Dictionary<string, int>? written)
    {
        var merged = new Dictionary<string, int>(preset ?? [], StringComparer.Ordinal);
        foreach (var (slug, status) in written ?? [])
        {
            merged[slug] = status;
        }

        return merged;
    }
}

/// <summary>One check of who sends: an entry of <c>verify</c>, or the provider's scheme with the route's <c>secrets</c>.</summary>
/// <param name="Place">Where it stands in the file.</param>
/// <param name="Reference">What names the scheme; null when an entry has none.</param>
/// <param name="Scheme">Null when the name is unknown.</param>
/// <param name="SchemePlace">Where the scheme is written out, or named.</param>
/// <param name="Secrets">References; null when none are written.</param>
internal sealed record ResolvedVerify(string Place, SchemeRef? Reference, SchemeSpec? Scheme, string SchemePlace, IReadOnlyList<string>? Secrets, bool Observes)
{
    public string SecretsPlace => $"{Place}.secrets";

    /// <summary>A scheme's own name, or in a few words what is written out.</summary>
    public string Name => Reference switch
    {
        { Inline: { } inline } => $"{inline.Kind ?? "hmac"} {string.Join("/", inline.Header?.Values ?? [])}".Trim(),
        { Name: { } name } => name,
        _ => "",
    };

    public static IReadOnlyList<ResolvedVerify> Of(RoutesFile file, string place, RouteSpec written) =>
        written.Verify is { } entries
            ? [.. entries.Select((entry, i) => One(file, JsonPath.Item($"{place}.verify", i), entry.Scheme, entry.Secrets, entry.Mode == CheckMode.Observe))]
            : written.Provider is { } provider ? [One(file, place, new(provider, null), written.Secrets, observes: false)] : [];

    private static ResolvedVerify One(RoutesFile file, string place, SchemeRef? reference, IReadOnlyList<string>? secrets, bool observes) =>
        new(place, reference, SchemeNames.Resolve(file, reference), reference switch
        {
            { Inline: not null } => $"{place}.scheme",
            { Name: { } own } when file.Schemes?.ContainsKey(own) == true => JsonPath.Key("schemes", own),
            _ => place,
        }, secrets, observes);
}
