using System.Collections.Frozen;
using WebhookEdge.Gate;

namespace WebhookEdge.Forwarding;

/// <summary>
/// Which inbound headers go no further. An application behind CGI, WSGI, PHP or nginx reads <c>X_Webhook_Trust</c> and <c>X.Webhook.Trust</c> as
/// <c>X-Webhook-Trust</c>, so names are compared after every character but letters and digits became a hyphen (GHSA-f59h-q822-g45g).
/// </summary>
internal static class ForwardedHeaders
{
    public const string Route = "X-Webhook-Route";
    public const string Provider = "X-Webhook-Provider";
    public const string Trust = "X-Webhook-Trust";
    public const string KeyId = "X-Webhook-Key-Id";
    public const string EventKey = "X-Webhook-Event-Key";
    public const string ReplayStore = "X-Webhook-Replay-Store";
    public const string RequestId = "X-Request-Id";
    public const string IdempotencyKey = "Idempotency-Key";

    private const string TrustPrefix = "X-Webhook-";

    /// <summary>-For, -Host, -Proto, -User, -Client-Cert, …: what a proxy says of a request, and the proxy is us.</summary>
    private const string ForwardedPrefix = "X-Forwarded-";

    /// <summary>Hop by hop (RFC 9110 §7.6.1). Names that a sender lists in Connection are not removed: they could name the headers we set.</summary>
    private static readonly string[] HopByHop =
    [
        "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info", "TE", "Trailer",
        "Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Upgrade-Insecure-Requests", "Alt-Svc",
    ];

    private static readonly FrozenSet<string> DroppedFromAnswers = HopByHop.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string> Dropped = new[]
    {
        // Set anew for the destination. With Expect the HTTP client would count the request as repeatable and silently send it twice.
        "Host", "Content-Length", "X-Content-Length", "Expect",

        // Set by us.
        RequestId,

        // Other spellings of "the client is …", which only we may say.
        "Forwarded", "X-Forwarded", "Forwarded-For", "X-Real-IP", "X-Client-IP", "Client-IP",
        "X-Cluster-Client-IP", "X-Originating-IP", "X-Remote-IP", "X-Remote-Addr", "True-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP", "X-Original-Forwarded-For",
        "X-Original-URL", "Proxy", "Remote-User", "Remote-Addr", "X-Remote-User", "X-Auth-Request-User", "X-Auth-Request-Email", "SSL-Client-Cert", "X-SSL-Client-Cert", "X-Client-Cert", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
    }.Concat(HopByHop).ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>True when a header of the upstream's answer must not reach the sender.</summary>
    public static bool IsDroppedFromAnswer(string name) => DroppedFromAnswers.Contains(name);

    /// <summary>True when the server can send <paramref name="value"/>; it throws at control characters.</summary>
    public static bool IsSendable(string value) => !value.AsSpan().ContainsAny(HeaderText.ControlCharacters);

    /// <summary>True when <paramref name="name"/> must not reach the upstream. <paramref name="delivery"/> decides about its credential headers and its key.</summary>
    public static bool IsDropped(string name, Delivery delivery)
    {
        if (name.Length == 0 || name[0] == ':')
        {
            return true;
        }

        if (IsUnusual(name))
        {
            name = Normalise(name);
        }

        return Dropped.Contains(name) || name.StartsWith(ForwardedPrefix, StringComparison.OrdinalIgnoreCase) || IsReservedName(name, delivery);
    }

    /// <summary>True for names that only the gateway may set and for this route's credentials, whoever put them there.</summary>
    public static bool IsReserved(string name, Delivery delivery) => IsReservedName(IsUnusual(name) ? Normalise(name) : name, delivery);

    /// <summary>The name under which a header and its aliases are compared: every character but letters and digits is a hyphen.</summary>
    public static string Normalise(string name) =>
        string.Create(name.Length, name, static (span, name) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = char.IsAsciiLetterOrDigit(name[i]) ? name[i] : '-';
            }
        });

    private static bool IsReservedName(string name, Delivery delivery)
    {
        if (name.StartsWith(TrustPrefix, StringComparison.OrdinalIgnoreCase)
            || (delivery.EventKey is not null && name.Equals(IdempotencyKey, StringComparison.OrdinalIgnoreCase)))
        {
            return true;
        }

        if (!delivery.Policy.ForwardCredentials)
        {
            foreach (var credential in delivery.Policy.CredentialHeaders)
            {
                if (name.Equals(credential, StringComparison.OrdinalIgnoreCase))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static bool IsUnusual(string name)
    {
        foreach (var c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c != '-')
            {
                return true;
            }
        }

        return false;
    }
}
