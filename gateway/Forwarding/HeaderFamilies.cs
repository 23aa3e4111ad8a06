using System.Collections.Frozen;

namespace WebhookEdge.Forwarding;

/// <summary>Why a header of a sender goes no further.</summary>
internal enum HeaderFamily
{
    None = 0,

    /// <summary>Means this connection only (RFC 9110 §7.6.1).</summary>
    HopByHop,

    /// <summary>Written anew for the destination: host, framing, expectations.</summary>
    WrittenAnew,

    /// <summary>The gateway says it, and nobody else may.</summary>
    Gateway,

    /// <summary>Says who the client is, by which host, scheme or certificate it came.</summary>
    Client,

    /// <summary>Says who the user is, as gateways that authenticate people tell the apps behind them.</summary>
    User,

    /// <summary>Makes an app or a proxy before it take another path, method, file or step.</summary>
    Rewrite,
}

/// <summary>
/// The one table of headers that are removed from a request, by families: whole names, and beginnings of names. Apps and frameworks believe these because a
/// gateway is supposed to have written them, and the gateway is us. Names are compared as <see cref="ForwardedHeaders.Normalise"/> writes them.
/// A route's <c>forwardHeaders</c> lets a named header of the last three families through.
/// </summary>
internal static class HeaderFamilies
{
    private static readonly (HeaderFamily Family, string Source, string[] Names, string[] Beginnings)[] Table =
    [
        (HeaderFamily.HopByHop, "RFC 9110 §7.6.1, RFC 7540 §3.2.1",
            [
                "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info", "TE", "Trailer",
                "Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Upgrade-Insecure-Requests", "Alt-Svc",
            ],
            []),

        // With Expect the HTTP client would count the request as repeatable and silently send it twice.
        (HeaderFamily.WrittenAnew, "RFC 9110 §7.2, §8.6, §10.1.1; Kestrel moves an ambiguous Content-Length to X-Content-Length",
            ["Host", "Content-Length", "X-Content-Length", "Expect"], []),

        (HeaderFamily.Gateway, "README, What the app is told",
            [
                ForwardedHeaders.Route, ForwardedHeaders.Provider, ForwardedHeaders.Trust, ForwardedHeaders.KeyId, ForwardedHeaders.EventKey,
                ForwardedHeaders.ReplayStore,
                ForwardedHeaders.SenderIdempotencyKey, ForwardedHeaders.IdempotencyKey, ForwardedHeaders.RequestId, "X-Forwarded-For", "X-Forwarded-Host",
                "X-Forwarded-Proto",
            ],
            []),

        (HeaderFamily.Client, "RFC 7239 and its forerunners; nginx, HAProxy, Apache httpd, Rails, Django",
            [
                "Forwarded", "X-Forwarded", "Forwarded-For", "X-Real-IP", "X-Real-Port", "Client-IP", "X-Client-IP", "X-ClientIP", "X-Cluster-Client-IP",
                "X-Originating-IP", "X-ProxyUser-IP", "True-Client-IP",
                "Remote-Addr", "X-Host", "X-HTTP-Host-Override", "X-Scheme", "X-URL-Scheme", "Front-End-Https", "X-Client-Cert", "X-Client-Verify",
                "X-Client-DN",
            ],
            ["X-Forwarded-", "Client-Cert", "SSL-Client-", "SSL-Cert", "X-SSL-", "X-TLS-Client-"]),
        (HeaderFamily.Client, "Cloudflare, Fastly, Fly.io, Azure Front Door and App Service, Google App Engine, Envoy, AWS load balancers",
            ["CF-Visitor"],
            ["CF-Connecting-", "CF-Pseudo-", "Fastly-Client", "Fly-Client-", "Fly-Forwarded-",
                "X-Azure-", "X-ARR-", "X-Appengine-", "X-Envoy-", "X-Amzn-Mtls-"]),

        (HeaderFamily.Client, "WebLogic and the lookups copied from it into Java apps, Vercel, Netlify, DigitalOcean, Sucuri, Imperva, Alibaba Cloud, Akamai",
            ["Proxy-Client-IP", "HTTP-Client-IP", "HTTP-Forwarded", "HTTP-Forwarded-For", "X-NF-Client-Connection-IP", "DO-Connecting-IP", "X-Sucuri-ClientIP",
                "X-Sucuri-Country", "Incap-Client-IP", "Ali-CDN-Real-IP", "Akamai-Client-IP", "CDN-Src-IP"],
            ["WL-Proxy-", "HTTP-X-Forwarded-", "X-Vercel-Forwarded-", "X-Vercel-Proxied-", "X-Vercel-IP-"]),

        (HeaderFamily.User, "Apache httpd, oauth2-proxy, Authelia, authentik, Grafana, Gitea, Kubernetes, Tailscale, Pomerium, Vouch",
            [
                "X-User", "X-User-ID", "X-User-Name", "X-User-Email", "X-User-Groups", "X-User-Roles", "X-Username", "X-Userinfo", "X-Grafana-User",
                "X-JWT-Assertion", "X-Endpoint-API-Userinfo", "X-Proxy-User", "Auth-User", "X-Auth-User", "X-Auth-Email", "Logon-User", "Eppn",
            ],
            ["Remote-", "X-Remote-", "X-Auth-Request-", "X-Authenticated-", "X-Authentik-", "X-Authelia-", "X-Webauth-", "Impersonate-", "Tailscale-",
                "X-Pomerium-", "X-Vouch-"]),
        (HeaderFamily.User, "SiteMinder, WebSEAL, mod_auth_openidc, Shibboleth",
            ["IV-User", "IV-User-L", "IV-Groups", "IV-Creds", "IV-Remote-Address", "OIDC-Access-Token", "OIDC-ID-Token"],
            ["SM-User", "SM-Universal", "OIDC-Claim-", "Shib-Session-", "X-Shib-"]),
        (HeaderFamily.User, "Azure App Service, Google IAP, Cloudflare Access, AWS ALB, Kong",
            ["X-Credential-Identifier", "X-Anonymous-Consumer"],
            ["X-MS-Client-Principal", "X-MS-Token-", "X-Goog-Authenticated-", "X-Goog-IAP-", "CF-Access-", "X-Amzn-Oidc-", "X-Consumer-"]),

        (HeaderFamily.Rewrite, "CGI (httpoxy), nginx, lighttpd, Apache httpd, IIS, Symfony, WSGI, Next.js (CVE-2025-29927), Rails, ASP.NET, Express",
            ["Proxy", "X-Script-Name", "X-Sendfile", "X-Override-URL", "X-Proxy-URL", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"],
            ["X-Original-", "X-Rewrite-", "X-Accel-", "X-Middleware-", "X-Invoke-"]),
    ];

    private static readonly FrozenDictionary<string, HeaderFamily> Names =
        Table.SelectMany(static row => row.Names.Select(name => KeyValuePair.Create(name, row.Family))).ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    private const int Rest = 52;

    // By first letter, of those with X- by the letter behind it, so that a name is compared with few of them.
    private static readonly (string Beginning, HeaderFamily Family)[][] Beginnings = ByLetter();

    /// <summary>Every row, for the tests and the documentation.</summary>
    public static IEnumerable<(HeaderFamily Family, string Source, string[] Names, string[] Beginnings)> Rows => Table;

    /// <summary>The family of <paramref name="name"/>, which is normalised.</summary>
    public static HeaderFamily Of(string name)
    {
        if (Names.TryGetValue(name, out var family))
        {
            return family;
        }

        foreach (var (beginning, of) in Beginnings[Row(name)])
        {
            if (name.StartsWith(beginning, StringComparison.OrdinalIgnoreCase))
            {
                return of;
            }
        }

        return HeaderFamily.None;
    }

    /// <summary>True when a route may let a sender's header of <paramref name="family"/> through.</summary>
    public static bool MayBeForwarded(HeaderFamily family) => family is HeaderFamily.None or HeaderFamily.Client or HeaderFamily.User or HeaderFamily.Rewrite;

    /// <summary>The row of <see cref="Beginnings"/> for <paramref name="name"/>; the last one, which is empty, for what no beginning begins with.</summary>
    private static int Row(string name)
    {
        var first = (name[0] | 0x20) - 'a';
        var row = first != 'x' - 'a' ? first : name.Length > 2 && name[1] == '-' ? 26 + (name[2] | 0x20) - 'a' : Rest;
        return (uint)row < Rest ? row : Rest;
    }

    private static (string, HeaderFamily)[][] ByLetter()
    {
        var all = Table.SelectMany(static row => row.Beginnings.Select(beginning => (Beginning: beginning, row.Family))).ToArray();
        return [.. Enumerable.Range(0, Rest + 1).Select(row => all.Where(one => Row(one.Beginning) == row).ToArray())];
    }
}
