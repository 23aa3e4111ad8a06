namespace WebhookEdge.Verdicts;

/// <summary>Every way a webhook is stopped. One member, one row in <see cref="RejectReasons"/>, the check that says it, one test.</summary>
internal enum RejectReason
{
    /// <summary>No check has spoken. The zero value refuses, so that a forgotten verdict is never a pass.</summary>
    NotDecided = 0,

    /// <summary>No configured route has this path and host.</summary>
    RouteUnknown,

    /// <summary>
    /// The path leads to a route, but is not written as the route's path must be: another case, a final slash, or, under a prefix, a character that has a
    /// second spelling or a second meaning. Two servers could read it in two ways.
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

    /// <summary>
    /// The sender left while its request waited: for its copy in flight, for the route's budget, for a signing key. Nothing was wrong with the request.
    /// </summary>
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
