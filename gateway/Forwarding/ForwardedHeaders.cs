using System.Collections.Immutable;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;

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

    /// <summary>Where a sender's own Idempotency-Key travels on: the name itself says what the gateway knows of the event.</summary>
    public const string SenderIdempotencyKey = "X-Webhook-Sender-Idempotency-Key";

    /// <summary>True when a header of the upstream's answer must not reach the sender.</summary>
    public static bool IsDroppedFromAnswer(string name) => HeaderFamilies.Of(name) == HeaderFamily.HopByHop;

    /// <summary>True when <paramref name="value"/> may be sent, to an app or back to a sender, whose server throws at control characters.</summary>
    public static bool IsSendable(string value) => !value.AsSpan().ContainsAny(HeaderCharacters.ControlCharacters);

    /// <summary>
    /// Whether a route may list <paramref name="name"/> under <c>forwardHeaders</c>: why not, or null; and whether the header is removed without that.
    /// </summary>
    public static (string? Fault, bool IsRemoved) Describe(string name)
    {
        var family = HeaderFamilies.Of(Normalise(name));
        return family switch
        {
            HeaderFamily.HopByHop => ("means one connection only and is never passed on", true),
            HeaderFamily.WrittenAnew => ("is written anew for the app", true),
            HeaderFamily.Gateway => ("is said by the gateway, and by nobody else", true),
            _ => (null, family != HeaderFamily.None),
        };
    }

    /// <summary>
    /// True when <paramref name="name"/> must not reach the upstream. <paramref name="delivery"/> decides about its credential headers and its key.
    /// </summary>
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

        var family = HeaderFamilies.Of(name);
        return (family != HeaderFamily.None && !(HeaderFamilies.MayBeForwarded(family) && IsListed(delivery.Policy.ForwardHeaders, name)))
            || IsCredential(name, delivery);
    }

    /// <summary>True for names that only the gateway may set and for this route's credentials, whoever put them there.</summary>
    public static bool IsReserved(string name, Delivery delivery)
    {
        if (IsUnusual(name))
        {
            name = Normalise(name);
        }

        // A key that a transform sets stands where the gateway knows of none, and so does a Host. Nobody can ask for what means one connection, or frames a
        // body.
        var family = HeaderFamilies.Of(name);
        return family == HeaderFamily.HopByHop
            || (family == HeaderFamily.WrittenAnew && !name.Equals("Host", StringComparison.OrdinalIgnoreCase))
            || (family == HeaderFamily.Gateway && (delivery.EventKey is not null || !name.Equals(IdempotencyKey, StringComparison.OrdinalIgnoreCase)))
            || IsCredential(name, delivery);
    }

    /// <summary>True for a sender's own <c>Idempotency-Key</c>, in whatever spelling.</summary>
    public static bool IsIdempotencyKey(string name) =>
        name.Length == IdempotencyKey.Length && (IsUnusual(name) ? Normalise(name) : name).Equals(IdempotencyKey, StringComparison.OrdinalIgnoreCase);

    /// <summary>The name under which a header and its aliases are compared: every character but letters and digits is a hyphen.</summary>
    public static string Normalise(string name) =>
        string.Create(name.Length, name, static (span, name) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = char.IsAsciiLetterOrDigit(name[i]) ? name[i] : '-';
            }
        });

    private static bool IsCredential(string name, Delivery delivery) =>
        !delivery.Policy.ForwardCredentials && IsListed(delivery.Policy.CredentialHeaders, name);

    private static bool IsListed(ImmutableArray<string> names, string name)
    {
        foreach (var one in names)
        {
            if (name.Equals(one, StringComparison.OrdinalIgnoreCase))
            {
                return true;
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
