namespace WebhookEdge.Verdicts;

/// <summary>Every way a webhook is stopped. One member with its row, the check that says it, one test.</summary>
internal enum RejectReason
{
    /// <summary>No check has spoken. The zero value refuses, so that a forgotten verdict is never a pass.</summary>
    [Rejection(
        500, "not-decided", LogLevel.Error, Stage.Gateway, Outcome.Failed, SenderProof.None,
        meaning: "No check has spoken.",
        advice: "A fault of the gateway: report it with the log.")]
    NotDecided = 0,

    [Rejection(
        404, "route-unknown", LogLevel.Debug, Stage.Routing, Outcome.Refused, SenderProof.None, isFlood: true,
        meaning: "No route has this host and this exact path.",
        advice: "If this is your sender, compare its URL with the route's path letter by letter: case, trailing slash and escapes count.")]
    RouteUnknown,

    /// <summary>
    /// The path leads to a route, but is not written as the route's path must be: another case, a final slash, or, under a prefix, a character that has a
    /// second spelling or a second meaning. Two servers could read it in two ways.
    /// </summary>
    [Rejection(
        404, "path-refused", LogLevel.Information, Stage.Routing, Outcome.Refused, SenderProof.None, isFlood: true,
        meaning: "The path leads to this route, and is not written as the route's path must be.",
        advice: "Compare the sender's URL with the route's path letter by letter: case and a final slash count, and % ; \\ // . .. are never let in.")]
    PathRefused,

    [Rejection(
        400, "request-malformed", LogLevel.Information, Stage.Shape, Outcome.Refused, SenderProof.None,
        meaning: "The request has what no webhook sender needs: an upgrade to another protocol, CONNECT, no valid Host, two framings at once, control bytes.",
        advice: "Nothing, if it is a scanner. A proxy in front that rewrites requests is the other usual cause.")]
    RequestMalformed,

    [Rejection(
        405, "method-refused", LogLevel.Information, Stage.Shape, Outcome.Refused, SenderProof.None, isFlood: true,
        meaning: "The method is not in the route's list.",
        advice: "Add it to the route's methods if the provider uses it; a browser or scanner sends GET.")]
    MethodRefused,

    [Rejection(
        415, "encoding-refused", LogLevel.Information, Stage.Shape, Outcome.Refused, SenderProof.None,
        meaning: "The body is compressed, and is never decoded before it is verified. The detail names the coding.",
        advice: "Switch compression off at the sender or at the proxy in front, or list the coding in the route's encodings if the sender signs the "
            + "compressed bytes and your app reads them.")]
    EncodingRefused,

    [Rejection(
        413, "body-too-large", LogLevel.Information, Stage.Payload, Outcome.Refused, SenderProof.None,
        meaning: "The body is larger than the route's maxBody.",
        advice: "Raise maxBody if the provider sends events of this size.")]
    BodyTooLarge,

    [Rejection(
        408, "body-incomplete", LogLevel.Information, Stage.Payload, Outcome.Refused, SenderProof.None,
        meaning: "The sender hung up before the body was complete, or sent it too slowly.",
        advice: "A retry usually follows. If it goes on, look at timeouts of proxies in front.")]
    BodyIncomplete,

    /// <summary>
    /// The sender left while its request waited: for its copy in flight, for the route's budget, for a signing key. Nothing was wrong with the request.
    /// </summary>
    [Rejection(
        499, "sender-hung-up", LogLevel.Information, Stage.Gateway, Outcome.Failed, SenderProof.ProvedWithKey,
        meaning: "The sender left while its request waited: for its copy in flight, for the route's budget, or for a signing key.",
        advice: "Compare the sender's time-out with the upstream's duration and the route's timeout. Its retry finds the event delivered, or delivers it.")]
    SenderHungUp,

    [Rejection(
        403, "address-unknown", LogLevel.Warning, Stage.Address, Outcome.Refused, SenderProof.None,
        meaning: "No trustworthy client address could be established.",
        advice: "X-Forwarded-For came with something that is no address, or too long: look at what the proxy in front writes.")]
    AddressUnknown,

    [Rejection(
        403, "address-not-allowed", LogLevel.Information, Stage.Address, Outcome.Refused, SenderProof.None,
        meaning: "The client is in none of the route's addresses and lists.",
        advice: "If the sender is real: is a proxy missing in trustedProxies, or has the provider moved? Its own page says from where it sends; allow that.")]
    AddressNotAllowed,

    [Rejection(
        503, "allow-list-unavailable", LogLevel.Error, Stage.Address, Outcome.Failed, SenderProof.None,
        meaning: "A list that might hold the address was never loaded.",
        advice: "See the list's error: outgoing HTTPS to its source must be possible, or stateDirectory must hold a copy.")]
    AllowListUnavailable,

    [Rejection(
        429, "too-many-from-address", LogLevel.Information, Stage.AddressRate, Outcome.Refused, SenderProof.None, isFlood: true,
        meaning: "The client spent its budget of requests.",
        advice: "Raise rateLimit.address if a real sender comes from a single address, such as a proxy's.")]
    TooManyFromAddress,

    [Rejection(
        429, "too-many-for-route", LogLevel.Warning, Stage.RouteRate, Outcome.Failed, SenderProof.Proved,
        meaning: "The route spent its budget of authentic deliveries.",
        advice: "Raise rateLimit.route, or give it a queue: the sender retries, and counts the failure.")]
    TooManyForRoute,

    [Rejection(
        503, "overloaded", LogLevel.Warning, Stage.Capacity, Outcome.Failed, SenderProof.None,
        meaning: "The gateway was at its limit of requests or buffered bytes, or the address at its share of it; the detail says which.",
        advice: "Raise edge.limits, add a replica, or find out why the upstream holds requests for so long. If many senders come from one address, let "
            + "edge.clientAddress say who is behind it.")]
    Overloaded,

    [Rejection(
        401, "signature-missing", LogLevel.Information, Stage.Signature, Outcome.Refused, SenderProof.None,
        meaning: "A header that the scheme needs did not come.",
        advice: "Compare the headers below with the scheme's. At a new sender: the webhook was set up without a secret, or another product signs it.")]
    SignatureMissing,

    [Rejection(
        401, "signature-malformed", LogLevel.Information, Stage.Signature, Outcome.Refused, SenderProof.WrongProof,
        meaning: "A header of the scheme does not have the form it must have.",
        advice: "Run explain on a recorded request: it names encoding, prefix and separators that would fit.")]
    SignatureMalformed,

    [Rejection(
        401, "signature-mismatch", LogLevel.Information, Stage.Signature, Outcome.Refused, SenderProof.WrongProof,
        meaning: "No secret of the route makes the signature that came.",
        advice: "Wrong or rotated secret, or a proxy that changed the body. Run explain on a recorded request: it tries the common mistakes.")]
    SignatureMismatch,

    [Rejection(
        401, "timestamp-outside-window", LogLevel.Information, Stage.Timestamp, Outcome.Refused, SenderProof.WrongProof,
        meaning: "The signed time is too old or lies in the future.",
        advice: "Check the clocks. An old time with a good signature is a late retry or a replay.")]
    TimestampOutsideWindow,

    [Rejection(
        503, "signing-key-unavailable", LogLevel.Warning, Stage.Signature, Outcome.Failed, SenderProof.None,
        meaning: "The key that would check the signature could not be fetched.",
        advice: "Outgoing HTTPS to the sender's key address must be possible; see the log, event 4001.")]
    SigningKeyUnavailable,

    [Rejection(
        401, "credential-mismatch", LogLevel.Information, Stage.Credential, Outcome.Refused, SenderProof.WrongProof,
        meaning: "The Basic, Bearer or token credential is absent or wrong.",
        advice: "Compare the secret with what was entered at the sender; for Basic it is user:password.")]
    CredentialMismatch,

    [Rejection(
        200, "duplicate", LogLevel.Information, Stage.Replay, Outcome.Duplicate, SenderProof.Proved,
        meaning: "The event was delivered before; the sender got 200.",
        advice: "Nothing. To deliver a manual resend, forget the event and send it once more.")]
    Duplicate,

    [Rejection(
        503, "duplicate-in-flight", LogLevel.Information, Stage.Replay, Outcome.Failed, SenderProof.Proved,
        meaning: "A copy of the event was being delivered and did not finish in time.",
        advice: "Look at the upstream's duration; the sender's retry finds the event delivered.")]
    DuplicateInFlight,

    [Rejection(
        503, "replay-store-down", LogLevel.Error, Stage.Replay, Outcome.Failed, SenderProof.Proved,
        meaning: "The replay store is away and the route is closed then.",
        advice: "Bring Redis back, or set onStoreError to open if a rare duplicate is better than a refusal.")]
    ReplayStoreDown,

    [Rejection(
        503, "upstream-unreachable", LogLevel.Warning, Stage.Forward, Outcome.Failed, SenderProof.Proved,
        meaning: "The upstream refused connections until the route's time was up; nothing was sent.",
        advice: "Start the app, or correct the upstream's address. The sender retries.")]
    UpstreamUnreachable,

    [Rejection(
        504, "upstream-timeout", LogLevel.Warning, Stage.Forward, Outcome.Failed, SenderProof.Proved,
        meaning: "The upstream took the request and did not answer in time.",
        advice: "Let the app answer first and work later, or raise the route's timeout if the provider waits longer.")]
    UpstreamTimeout,

    [Rejection(
        502, "upstream-failed", LogLevel.Warning, Stage.Forward, Outcome.Failed, SenderProof.Proved,
        meaning: "The upstream broke off, or answered with a redirect.",
        advice: "See the app's log by the request id. A redirect means that the upstream's address is not the final one.")]
    UpstreamFailed,

    /// <summary>A check threw. Never a pass.</summary>
    [Rejection(
        500, "check-failed", LogLevel.Error, Stage.Gateway, Outcome.Failed, SenderProof.ProvedWithKey,
        meaning: "A check failed by itself.",
        advice: "A fault of the gateway: the log has it under the request id, event 1104 or 1117.")]
    CheckFailed,
}
