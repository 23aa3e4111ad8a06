using WebhookEdge.Verdicts;

namespace WebhookEdge.Admin;

/// <summary>What an operator is told about a reason: which check spoke, what it means, what to do next.</summary>
internal readonly record struct Guidance(string Stage, string Meaning, string Advice);

/// <summary>One line per reason; a test asks for each.</summary>
internal static class RefusalGuide
{
    public static Guidance Of(RejectReason reason) => reason switch
    {
        RejectReason.RouteUnknown => new("routing", "No route has this host and this exact path.", "If this is your sender, compare its URL with the route's path letter by letter: case, trailing slash and escapes count."),
        RejectReason.PathRefused => new("routing", "The path leads to this route, and is not written as the route's path must be.", "Compare the sender's URL with the route's path letter by letter: case and a final slash count, and % ; \\ // . .. are never let in."),
        RejectReason.RequestMalformed => new("shape", "The request has what no webhook sender needs: an upgrade to another protocol, CONNECT, no valid Host, two framings at once, control bytes.", "Nothing, if it is a scanner. A proxy in front that rewrites requests is the other usual cause."),
        RejectReason.MethodRefused => new("shape", "The method is not in the route's list.", "Add it to the route's methods if the provider uses it; a browser or scanner sends GET."),
        RejectReason.EncodingRefused => new("shape", "The body is compressed, and is never decoded before it is verified. The detail names the coding.", "Switch compression off at the sender or at the proxy in front, or list the coding in the route's encodings if the sender signs the compressed bytes and your app reads them."),
        RejectReason.BodyTooLarge => new("payload", "The body is larger than the route's maxBody.", "Raise maxBody if the provider sends events of this size."),
        RejectReason.BodyIncomplete => new("payload", "The sender hung up before the body was complete, or sent it too slowly.", "A retry usually follows. If it goes on, look at timeouts of proxies in front."),
        RejectReason.SenderHungUp => new("any", "The sender left while its request waited: for its copy in flight, for the route's budget, or for a signing key.", "Compare the sender's time-out with the upstream's duration and the route's timeout. Its retry finds the event delivered, or delivers it."),
        RejectReason.AddressUnknown => new("address", "No trustworthy client address could be established.", "X-Forwarded-For came with something that is no address, or too long: look at what the proxy in front writes."),
        RejectReason.AddressNotAllowed => new("address", "The client is in none of the route's addresses and lists.", "If the sender is real: is a proxy missing in trustedProxies, or has the provider moved? Its own page says from where it sends; allow that."),
        RejectReason.AllowListUnavailable => new("address", "A list that might hold the address was never loaded.", "See the list's error: outgoing HTTPS to its source must be possible, or stateDirectory must hold a copy."),
        RejectReason.TooManyFromAddress => new("address budget", "The client spent its budget of requests.", "Raise rateLimit.address if a real sender comes from a single address, such as a proxy's."),
        RejectReason.TooManyForRoute => new("route budget", "The route spent its budget of authentic deliveries.", "Raise rateLimit.route, or give it a queue: the sender retries, and counts the failure."),
        RejectReason.Overloaded => new("capacity", "The gateway was at its limit of requests or buffered bytes, or the address at its share of it; the detail says which.", "Raise edge.limits, add a replica, or find out why the upstream holds requests for so long. If many senders come from one address, let edge.clientAddress say who is behind it."),
        RejectReason.SignatureMissing => new("signature", "A header that the scheme needs did not come.", "Compare the headers below with the scheme's. At a new sender: the webhook was set up without a secret, or another product signs it."),
        RejectReason.SignatureMalformed => new("signature", "A header of the scheme does not have the form it must have.", "Run explain on a recorded request: it names encoding, prefix and separators that would fit."),
        RejectReason.SignatureMismatch => new("signature", "No secret of the route makes the signature that came.", "Wrong or rotated secret, or a proxy that changed the body. Run explain on a recorded request: it tries the common mistakes."),
        RejectReason.TimestampOutsideWindow => new("timestamp", "The signed time is too old or lies in the future.", "Check the clocks. An old time with a good signature is a late retry or a replay."),
        RejectReason.SigningKeyUnavailable => new("signature", "The key that would check the signature could not be fetched.", "Outgoing HTTPS to the sender's key address must be possible; see the log, event 4001."),
        RejectReason.CredentialMismatch => new("credential", "The Basic, Bearer or token credential is absent or wrong.", "Compare the secret with what was entered at the sender; for Basic it is user:password."),
        RejectReason.Duplicate => new("replay", "The event was delivered before; the sender got 200.", "Nothing. To deliver a manual resend, forget the event and send it once more."),
        RejectReason.DuplicateInFlight => new("replay", "A copy of the event was being delivered and did not finish in time.", "Look at the upstream's duration; the sender's retry finds the event delivered."),
        RejectReason.ReplayStoreDown => new("replay", "The replay store is away and the route is closed then.", "Bring Redis back, or set onStoreError to open if a rare duplicate is better than a refusal."),
        RejectReason.UpstreamUnreachable => new("forward", "The upstream refused connections until the route's time was up; nothing was sent.", "Start the app, or correct the upstream's address. The sender retries."),
        RejectReason.UpstreamTimeout => new("forward", "The upstream took the request and did not answer in time.", "Let the app answer first and work later, or raise the route's timeout if the provider waits longer."),
        RejectReason.UpstreamFailed => new("forward", "The upstream broke off, or answered with a redirect.", "See the app's log by the request id. A redirect means that the upstream's address is not the final one."),
        RejectReason.CheckFailed => new("gateway", "A check failed by itself.", "A fault of the gateway: the log has it under the request id, event 1104 or 1117."),
        _ => new("gateway", "No check has spoken.", "A fault of the gateway: report it with the log."),
    };
}
