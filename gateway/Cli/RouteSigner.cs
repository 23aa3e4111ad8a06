using WebhookEdge.Authentication;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Routes;

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
    public bool SignsTime => _checks.Exists(static c => c.Scheme.Timestamp is not null || c.Scheme.Claims?.MaxAgeSeconds is not null);

    /// <summary>Null with a problem for people when the route or one of its secrets is not there.</summary>
    /// <param name="file">The routes.</param>
    /// <param name="id">The route's id.</param>
    /// <param name="key">A reference to sign with instead of the first secret of the checks: the private key to a scheme's public one.</param>
    /// <param name="problem">What is missing.</param>
    public static RouteSigner? Create(RoutesFile file, string id, string? key, out ConfigProblem? problem)
    {
        problem = null;
        if (key is not null && !SecretReference.TryParse(key, out _))
        {
            problem = new("--key", "not a reference", "write env:NAME or file:PATH");
            return null;
        }

        if (file.Routes?.GetValueOrDefault(id) is not { Path: not null } written)
        {
            problem = new("routes", $"there is no route \"{id}\"", $"known: {string.Join(", ", file.Routes?.Keys.ToArray() ?? [])}");
            return null;
        }

        var route = ResolvedRoute.Of(file, id, written);
        var checks = new List<(SchemeSpec, byte[])>();
        foreach (var check in route.Verify)
        {
            if (check.Scheme is not { } spec || check.Secrets is not { Count: > 0 } secrets
                || !SecretReference.TryParse(IsPublicKey(spec) && key is not null ? key : secrets[0], out var reference))
            {
                problem = new(route.Place, "a check has no scheme or no secret", "run validate");
                return null;
            }

            if (reference.Resolve(out var fault) is not { } secret)
            {
                problem = new(route.Place, fault!);
                return null;
            }

            checks.Add((spec, secret));
        }

        var path = route.Path.Replace("{**rest}", "test", StringComparison.Ordinal);
        return new(written, checks, (file.Edge?.PublicUrl?.TrimEnd('/') ?? "https://localhost") + path);
    }

    public static RouteSigner? Create(RoutesFile file, string id, out ConfigProblem? problem) => Create(file, id, null, out problem);

    /// <summary>Throws <see cref="ArgumentException"/> with a text for people where only the sender can sign.</summary>
    public SignedRequest SignRequest(byte[] body, DateTimeOffset now, string id)
    {
        var whole = new SignedRequest([], body, "", null);
        foreach (var (scheme, secret) in _checks)
        {
            var signed = RequestSigner.SignRequest(scheme, secret, Method, _url + whole.Query, whole.Body, now, id);
            whole = new([.. whole.Headers, .. signed.Headers], signed.Body, whole.Query + signed.Query, signed.ContentType ?? whole.ContentType);
        }

        return whole;
    }

    private static bool IsPublicKey(SchemeSpec scheme) => scheme.Kind is "ed25519" or "ecdsa-p256" or "rsa-key";

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
