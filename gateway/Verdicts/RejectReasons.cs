namespace WebhookEdge.Verdicts;

/// <summary>What the refusal of a request says about whoever sent it.</summary>
internal enum SenderProof
{
    /// <summary>Nothing: anybody could have been refused so.</summary>
    None = 0,

    /// <summary>There was a proof, and it did not hold. A stranger's probe has none at all, so this may be the sender with a wrong secret.</summary>
    WrongProof,

    /// <summary>The sender had proved itself if the event's key was made by then.</summary>
    ProvedWithKey,

    /// <summary>The sender had proved itself.</summary>
    Proved,
}

/// <summary>All there is to say about one reason. Response, metric, log, journal, page, health, attempts and documentation read this row.</summary>
/// <param name="Status">What the sender is told, unless the route says otherwise.</param>
/// <param name="Slug">How the reason is written in routes.json, metrics, logs and the API.</param>
/// <param name="Level">How loudly it is logged.</param>
/// <param name="Stage">Which stage speaks.</param>
/// <param name="Outcome">What such a request counts as. <see cref="Outcome.Failed"/> where a delivery was hit that would, or well might, have been accepted:
/// then it is the operator's affair.</param>
/// <param name="Proof">What it says about the sender.</param>
/// <param name="IsFlood">A flood from strangers is made of these: they have a ring of their own in the journal, so that they push out nothing else.</param>
/// <param name="Meaning">What it means, for the operator.</param>
/// <param name="Advice">What to do next.</param>
internal sealed record Rejection(
    int Status, string Slug, LogLevel Level, Stage Stage, Outcome Outcome, SenderProof Proof, bool IsFlood, string Meaning, string Advice);

/// <summary>The table of refusals, one row a reason.</summary>
internal static class RejectReasons
{
    private static readonly Rejection[] Table = [.. Enum.GetValues<RejectReason>().Select(Row)];

    /// <summary>How many reasons there are; each is smaller than this as a number.</summary>
    public static int Count => Table.Length;

    /// <summary>The row of <paramref name="reason"/>.</summary>
    public static Rejection Describe(this RejectReason reason) => Table[(int)reason];

    /// <summary>How the reasons are written under <c>refuse</c>.</summary>
    public static IReadOnlyCollection<string> Slugs { get; } = [.. Table.Select(static row => row.Slug)];

    /// <summary>Finds a reason by its slug, as written under <c>refuse</c> in routes.json.</summary>
    public static bool TryParse(string slug, out RejectReason reason)
    {
        var at = Array.FindIndex(Table, row => row.Slug == slug);
        reason = at < 0 ? RejectReason.NotDecided : (RejectReason)at;
        return at >= 0;
    }

    private static Rejection Row(RejectReason reason) => reason switch
    {
        RejectReason.NotDecided => new(
            500, "not-decided", LogLevel.Error, Stage.Gateway, Outcome.Failed, SenderProof.None, IsFlood: false,
            Meaning: "No check has spoken.",
            Advice: "A fault of the gateway: report it with the log."),
        RejectReason.RouteUnknown => new(
            404, "route-unknown", LogLevel.Debug, Stage.Routing, Outcome.Refused, SenderProof.None, IsFlood: true,
            Meaning: "No route has this host and this exact path.",
            Advice: "If this is your sender, compare its URL with the route's path letter by letter: case, trailing slash and escapes "
                + "count."),
        RejectReason.PathRefused => new(
            404, "path-refused", LogLevel.Information, Stage.Routing, Outcome.Refused, SenderProof.None, IsFlood: true,
            Meaning: "The path leads to this route, and is not written as the route's path must be.",
            Advice: "Compare the sender's URL with the route's path letter by letter: case and a final slash count, and % ; \\ // . .. "
                + "are never let in."),
        RejectReason.RequestMalformed => new(
            400, "request-malformed", LogLevel.Information, Stage.Shape, Outcome.Refused, SenderProof.None, IsFlood: false,
            Meaning: "The request has what no webhook sender needs: an upgrade to another protocol, CONNECT, no valid Host, two framings "
                + "at once, control bytes.",
            Advice: "Nothing, if it is a scanner. A proxy in front that rewrites requests is the other usual cause."),
        RejectReason.MethodRefused => new(
            405, "method-refused", LogLevel.Information, Stage.Shape, Outcome.Refused, SenderProof.None, IsFlood: true,
            Meaning: "The method is not in the route's list.",
            Advice: "Add it to the route's methods if the provider uses it; a browser or scanner sends GET."),
        RejectReason.EncodingRefused => new(
            415, "encoding-refused", LogLevel.Information, Stage.Shape, Outcome.Refused, SenderProof.None, IsFlood: false,
            Meaning: "The body is compressed, and is never decoded before it is verified. The detail names the coding.",
            Advice: "Switch compression off at the sender or at the proxy in front, or list the coding in the route's encodings if the "
                + "sender signs the compressed bytes and your app reads them."),
        RejectReason.BodyTooLarge => new(
            413, "body-too-large", LogLevel.Information, Stage.Payload, Outcome.Refused, SenderProof.None, IsFlood: false,
            Meaning: "The body is larger than the route's maxBody.",
            Advice: "Raise maxBody if the provider sends events of this size."),
        RejectReason.BodyIncomplete => new(
            408, "body-incomplete", LogLevel.Information, Stage.Payload, Outcome.Refused, SenderProof.None, IsFlood: false,
            Meaning: "The sender hung up before the body was complete, or sent it too slowly.",
            Advice: "A retry usually follows. If it goes on, look at timeouts of proxies in front."),
        RejectReason.SenderHungUp => new(
            499, "sender-hung-up", LogLevel.Information, Stage.Gateway, Outcome.Failed, SenderProof.ProvedWithKey, IsFlood: false,
            Meaning: "The sender left while its request waited: for its copy in flight, for the route's budget, or for a signing key.",
            Advice: "Compare the sender's time-out with the upstream's duration and the route's timeout. Its retry finds the event "
                + "delivered, or delivers it."),
        RejectReason.AddressUnknown => new(
            403, "address-unknown", LogLevel.Warning, Stage.Address, Outcome.Refused, SenderProof.None, IsFlood: false,
            Meaning: "No trustworthy client address could be established.",
            Advice: "X-Forwarded-For came with something that is no address, or too long: look at what the proxy in front writes."),
        RejectReason.AddressNotAllowed => new(
            403, "address-not-allowed", LogLevel.Information, Stage.Address, Outcome.Refused, SenderProof.None, IsFlood: false,
            Meaning: "The client is in none of the route's addresses and lists.",
            Advice: "If the sender is real: is a proxy missing in trustedProxies, or has the provider moved? Its own page says from "
                + "where it sends; allow that."),
        RejectReason.AllowListUnavailable => new(
            503, "allow-list-unavailable", LogLevel.Error, Stage.Address, Outcome.Failed, SenderProof.None, IsFlood: false,
            Meaning: "A list that might hold the address was never loaded.",
            Advice: "See the list's error: outgoing HTTPS to its source must be possible, or stateDirectory must hold a copy."),
        RejectReason.TooManyFromAddress => new(
            429, "too-many-from-address", LogLevel.Information, Stage.AddressRate, Outcome.Refused, SenderProof.None, IsFlood: true,
            Meaning: "The client spent its budget of requests.",
            Advice: "Raise rateLimit.address if a real sender comes from a single address, such as a proxy's."),
        RejectReason.TooManyForRoute => new(
            429, "too-many-for-route", LogLevel.Warning, Stage.RouteRate, Outcome.Failed, SenderProof.Proved, IsFlood: false,
            Meaning: "The route spent its budget of authentic deliveries.",
            Advice: "Raise rateLimit.route, or give it a queue: the sender retries, and counts the failure."),
        RejectReason.Overloaded => new(
            503, "overloaded", LogLevel.Warning, Stage.Capacity, Outcome.Failed, SenderProof.None, IsFlood: false,
            Meaning: "The gateway was at its limit of requests or buffered bytes, or the address at its share of it; the detail says "
                + "which.",
            Advice: "Raise edge.limits, add a replica, or find out why the upstream holds requests for so long. If many senders come "
                + "from one address, let edge.clientAddress say who is behind it."),
        RejectReason.SignatureMissing => new(
            401, "signature-missing", LogLevel.Information, Stage.Signature, Outcome.Refused, SenderProof.None, IsFlood: false,
            Meaning: "A header that the scheme needs did not come.",
            Advice: "Compare the headers below with the scheme's. At a new sender: the webhook was set up without a secret, or another "
                + "product signs it."),
        RejectReason.SignatureMalformed => new(
            401, "signature-malformed", LogLevel.Information, Stage.Signature, Outcome.Refused, SenderProof.WrongProof, IsFlood: false,
            Meaning: "A header of the scheme does not have the form it must have.",
            Advice: "Run explain on a recorded request: it names encoding, prefix and separators that would fit."),
        RejectReason.SignatureMismatch => new(
            401, "signature-mismatch", LogLevel.Information, Stage.Signature, Outcome.Refused, SenderProof.WrongProof, IsFlood: false,
            Meaning: "No secret of the route makes the signature that came.",
            Advice: "Wrong or rotated secret, or a proxy that changed the body. Run explain on a recorded request: it tries the common "
                + "mistakes."),
        RejectReason.TimestampOutsideWindow => new(
            401, "timestamp-outside-window", LogLevel.Information, Stage.Timestamp, Outcome.Refused, SenderProof.WrongProof, IsFlood: false,
            Meaning: "The signed time is too old or lies in the future.",
            Advice: "Check the clocks. An old time with a good signature is a late retry or a replay."),
        RejectReason.SigningKeyUnavailable => new(
            503, "signing-key-unavailable", LogLevel.Warning, Stage.Signature, Outcome.Failed, SenderProof.None, IsFlood: false,
            Meaning: "The key that would check the signature could not be fetched.",
            Advice: "Outgoing HTTPS to the sender's key address must be possible; see the log, event 4001."),
        RejectReason.CredentialMismatch => new(
            401, "credential-mismatch", LogLevel.Information, Stage.Credential, Outcome.Refused, SenderProof.WrongProof, IsFlood: false,
            Meaning: "The Basic, Bearer or token credential is absent or wrong.",
            Advice: "Compare the secret with what was entered at the sender; for Basic it is user:password."),
        RejectReason.Duplicate => new(
            200, "duplicate", LogLevel.Information, Stage.Replay, Outcome.Duplicate, SenderProof.Proved, IsFlood: false,
            Meaning: "The event was delivered before; the sender got 200.",
            Advice: "Nothing. To deliver a manual resend, forget the event and send it once more."),
        RejectReason.DuplicateInFlight => new(
            503, "duplicate-in-flight", LogLevel.Information, Stage.Replay, Outcome.Failed, SenderProof.Proved, IsFlood: false,
            Meaning: "A copy of the event was being delivered and did not finish in time.",
            Advice: "Look at the upstream's duration; the sender's retry finds the event delivered."),
        RejectReason.ReplayStoreDown => new(
            503, "replay-store-down", LogLevel.Error, Stage.Replay, Outcome.Failed, SenderProof.Proved, IsFlood: false,
            Meaning: "The replay store is away and the route is closed then.",
            Advice: "Bring Redis back, or set onStoreError to open if a rare duplicate is better than a refusal."),
        RejectReason.UpstreamUnreachable => new(
            503, "upstream-unreachable", LogLevel.Warning, Stage.Forward, Outcome.Failed, SenderProof.Proved, IsFlood: false,
            Meaning: "The upstream refused connections until the route's time was up; nothing was sent.",
            Advice: "Start the app, or correct the upstream's address. The sender retries."),
        RejectReason.UpstreamTimeout => new(
            504, "upstream-timeout", LogLevel.Warning, Stage.Forward, Outcome.Failed, SenderProof.Proved, IsFlood: false,
            Meaning: "The upstream took the request and did not answer in time.",
            Advice: "Let the app answer first and work later, or raise the route's timeout if the provider waits longer."),
        RejectReason.UpstreamFailed => new(
            502, "upstream-failed", LogLevel.Warning, Stage.Forward, Outcome.Failed, SenderProof.Proved, IsFlood: false,
            Meaning: "The upstream broke off, or answered with a redirect.",
            Advice: "See the app's log by the request id. A redirect means that the upstream's address is not the final one."),
        RejectReason.CheckFailed => new(
            500, "check-failed", LogLevel.Error, Stage.Gateway, Outcome.Failed, SenderProof.ProvedWithKey, IsFlood: false,
            Meaning: "A check failed by itself.",
            Advice: "A fault of the gateway: the log has it under the request id, event 1104 or 1117."),
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "a refusal needs a row here"),
    };
}
