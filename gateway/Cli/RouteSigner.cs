using WebhookEdge.Configuration;
using WebhookEdge.Routes;
using WebhookEdge.Signatures;

namespace WebhookEdge.Cli;

/// <summary>Makes requests that a route accepts: signs as its provider would, with the first of each check's secrets.</summary>
internal sealed class RouteSigner
{
    private readonly List<(SchemeSpec Scheme, byte[] Secret)> _checks;
    private readonly string _url;

    private RouteSigner(RouteSpec route, List<(SchemeSpec, byte[])> checks, string url)
    {
        Route = route;
        _checks = checks;
        _url = url;
    }

    public RouteSpec Route { get; }

    public string Method => Route.Methods?[0] ?? "POST";

    /// <summary>The route's path, with something in place of <c>{**rest}</c>.</summary>
    public string Path => Route.Path!.Replace("{**rest}", "test", StringComparison.Ordinal);

    /// <summary>True when some check signs a time, so that a stale event can be made.</summary>
    public bool SignsTime => _checks.Exists(static c => c.Scheme.Timestamp is not null);

    /// <summary>Null with a problem for people when the route or one of its secrets is not there.</summary>
    public static RouteSigner? Create(RoutesFile file, string id, out ConfigProblem? problem)
    {
        problem = null;
        if (file.Routes?.GetValueOrDefault(id) is not { Path: not null } route)
        {
            problem = new("routes", $"there is no route \"{id}\"", $"known: {string.Join(", ", file.Routes?.Keys.ToArray() ?? [])}");
            return null;
        }

        var entries = route.Verify?.Select(static v => (v.Scheme, v.Secrets)) ?? (route.Secrets is null ? [] : [(new SchemeRef(route.Provider, null), route.Secrets)]);
        var checks = new List<(SchemeSpec, byte[])>();
        foreach (var (scheme, secrets) in entries)
        {
            if (SchemeNames.Resolve(file, scheme) is not { } spec || secrets is not { Count: > 0 } || !SecretReference.TryParse(secrets[0], out var reference))
            {
                problem = new($"routes.{id}", "a check has no scheme or no secret", "run validate");
                return null;
            }

            if (reference.Resolve(out var fault) is not { } secret)
            {
                problem = new($"routes.{id}", fault!);
                return null;
            }

            checks.Add((spec, secret));
        }

        var path = route.Path!.Replace("{**rest}", "test", StringComparison.Ordinal);
        return new(route, checks, (file.Edge?.PublicUrl?.TrimEnd('/') ?? "https://localhost") + path);
    }

    public IReadOnlyList<KeyValuePair<string, string>> Sign(byte[] body, DateTimeOffset now, string id)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var (scheme, secret) in _checks)
        {
            headers.AddRange(RequestSigner.Sign(scheme, secret, Method, _url, body, now, id));
        }

        return headers;
    }
}
