namespace WebhookEdge.Verdicts;

/// <summary>Every way a webhook is stopped. One member, one row in <see cref="RejectReasons"/>, one test, one line in the README.</summary>
internal enum RejectReason
{
    /// <summary>No check has spoken. The zero value refuses, so that a forgotten verdict is never a pass.</summary>
    NotDecided = 0,

    /// <summary>No configured route has this path and host.</summary>
    RouteUnknown,

    /// <summary>
    /// The path leads to a route, but is not written as the route's path must be: another case, a final slash, or, under a prefix, a character that has a second
    /// spelling or a second meaning. Two servers could read it in two ways.
    /// </summary>
    PathRefused,

    /// <summary>The request is not one a webhook sender has a reason to send: another protocol, CONNECT, two framings at once, control bytes.</summary>
    RequestMalformed,

    /// <summary>The method is not in the route's list.</summary>
    MethodRefused,

    /// <summary>The body is encoded (gzip, br, …) and the route does not let that coding through; it is never decoded before it is verified.</summary>
    EncodingRefused,

    /// <summary>The body is larger than the route's cap, declared or counted.</summary>
    BodyTooLarge,

    /// <summary>The body ended before its declared length, or came too slowly.</summary>
    BodyIncomplete,

    /// <summary>The sender left while its request waited: for its copy in flight, for the route's budget, for a signing key. Nothing was wrong with the request.</summary>
    SenderHungUp,

    /// <summary>No trustworthy client address could be established.</summary>
    AddressUnknown,

    /// <summary>The client address is in none of the route's sets.</summary>
    AddressNotAllowed,

    /// <summary>A set that could contain the address was never loaded.</summary>
    AllowListUnavailable,

    /// <summary>The client address spent its budget.</summary>
    TooManyFromAddress,

    /// <summary>The route spent its budget of authentic deliveries.</summary>
    TooManyForRoute,

    /// <summary>The gateway is at its memory or concurrency limit, or is draining.</summary>
    Overloaded,

    /// <summary>A signature, timestamp or id header the scheme needs is absent.</summary>
    SignatureMissing,

    /// <summary>A signature, timestamp or id header breaks the scheme's grammar.</summary>
    SignatureMalformed,

    /// <summary>No active secret makes the signature that came.</summary>
    SignatureMismatch,

    /// <summary>The signed time is too old or lies in the future.</summary>
    TimestampOutsideWindow,

    /// <summary>The key that would check the signature could not be fetched just now.</summary>
    SigningKeyUnavailable,

    /// <summary>A static credential (Basic, Bearer, token header) is absent or wrong.</summary>
    CredentialMismatch,

    /// <summary>The event was delivered before: answered 200, not forwarded.</summary>
    Duplicate,

    /// <summary>The same event is being delivered and did not finish while this copy waited.</summary>
    DuplicateInFlight,

    /// <summary>The replay store is away and the route asks to be closed then.</summary>
    ReplayStoreDown,

    /// <summary>The upstream refused connections until the route's time was up. Nothing was sent to it.</summary>
    UpstreamUnreachable,

    /// <summary>The upstream took the request and did not answer in time.</summary>
    UpstreamTimeout,

    /// <summary>The upstream broke off, or answered with a redirect.</summary>
    UpstreamFailed,

    /// <summary>A check threw. Never a pass.</summary>
    CheckFailed,
}

/// <summary>What a stranger is told (status), what the operator reads (slug), and how loudly.</summary>
internal readonly record struct Rejection(int Status, string Slug, LogLevel Level);

/// <summary>The table of refusals: response, metric, log and journal all read this one row.</summary>
internal static class RejectReasons
{
    private static readonly Rejection[] Table = [.. Enum.GetValues<RejectReason>().Select(Row)];

    /// <summary>How many reasons there are; each is smaller than this as a number.</summary>
    public static int Count => Table.Length;

    /// <summary>The row of <paramref name="reason"/>.</summary>
    public static Rejection Describe(this RejectReason reason) => Table[(int)reason];

    /// <summary>Finds a reason by its slug, as written under <c>refuse</c> in routes.json.</summary>
    public static bool TryParse(string slug, out RejectReason reason)
    {
        for (var i = 0; i < Table.Length; i++)
        {
            if (Table[i].Slug == slug)
            {
                reason = (RejectReason)i;
                return true;
            }
        }

        reason = RejectReason.NotDecided;
        return false;
    }

    private static Rejection Row(RejectReason reason) => reason switch
    {
        RejectReason.NotDecided => new(500, "not-decided", LogLevel.Error),
        RejectReason.RouteUnknown => new(404, "route-unknown", LogLevel.Debug),
        RejectReason.PathRefused => new(404, "path-refused", LogLevel.Information),
        RejectReason.RequestMalformed => new(400, "request-malformed", LogLevel.Information),
        RejectReason.MethodRefused => new(405, "method-refused", LogLevel.Information),
        RejectReason.EncodingRefused => new(415, "encoding-refused", LogLevel.Information),
        RejectReason.BodyTooLarge => new(413, "body-too-large", LogLevel.Information),
        RejectReason.BodyIncomplete => new(408, "body-incomplete", LogLevel.Information),
        RejectReason.SenderHungUp => new(499, "sender-hung-up", LogLevel.Information),
        RejectReason.AddressUnknown => new(403, "address-unknown", LogLevel.Warning),
        RejectReason.AddressNotAllowed => new(403, "address-not-allowed", LogLevel.Information),
        RejectReason.AllowListUnavailable => new(503, "allow-list-unavailable", LogLevel.Error),
        RejectReason.TooManyFromAddress => new(429, "too-many-from-address", LogLevel.Information),
        RejectReason.TooManyForRoute => new(429, "too-many-for-route", LogLevel.Warning),
        RejectReason.Overloaded => new(503, "overloaded", LogLevel.Warning),
        RejectReason.SignatureMissing => new(401, "signature-missing", LogLevel.Information),
        RejectReason.SignatureMalformed => new(401, "signature-malformed", LogLevel.Information),
        RejectReason.SignatureMismatch => new(401, "signature-mismatch", LogLevel.Information),
        RejectReason.TimestampOutsideWindow => new(401, "timestamp-outside-window", LogLevel.Information),
        RejectReason.SigningKeyUnavailable => new(503, "signing-key-unavailable", LogLevel.Warning),
        RejectReason.CredentialMismatch => new(401, "credential-mismatch", LogLevel.Information),
        RejectReason.Duplicate => new(200, "duplicate", LogLevel.Information),
        RejectReason.DuplicateInFlight => new(503, "duplicate-in-flight", LogLevel.Information),
        RejectReason.ReplayStoreDown => new(503, "replay-store-down", LogLevel.Error),
        RejectReason.UpstreamUnreachable => new(503, "upstream-unreachable", LogLevel.Warning),
        RejectReason.UpstreamTimeout => new(504, "upstream-timeout", LogLevel.Warning),
        RejectReason.UpstreamFailed => new(502, "upstream-failed", LogLevel.Warning),
        RejectReason.CheckFailed => new(500, "check-failed", LogLevel.Error),
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "a refusal needs a row here"),
    };
}
