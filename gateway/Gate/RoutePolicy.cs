using System.Collections.Immutable;
using WebhookEdge.FailedAttempts;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>
/// A route's compiled, immutable rules. Attached to the route's endpoint, so a request is judged by the rules of the very revision it matched.
/// </summary>
internal sealed record RoutePolicy
{
    /// <summary>Matches nothing and refuses everything; what a delivery holds before and after its request.</summary>
    public static RoutePolicy None { get; } = new() { RouteId = "", Fingerprint = "", Path = "" };

    public required string RouteId { get; init; }

    /// <summary>
    /// Digest of everything compiled: what was written, what every reference to a secret resolved to, and which objects of <see cref="Uses"/> are held. Two
    /// policies with the same fingerprint decide alike.
    /// </summary>
    public required string Fingerprint { get; init; }

    /// <summary>
    /// Budgets, address lists and the replay store that the checks hold; whoever owns them keeps them for as long as an endpoint carries this policy.
    /// </summary>
    public ImmutableArray<object> Uses { get; init; } = [];

    /// <summary>The literal path, or the prefix (ending in <c>/</c>) when <see cref="IsPrefix"/>.</summary>
    public required string Path { get; init; }

    public bool IsPrefix { get; init; }

    /// <summary>The hosts the route answers to; empty = any.</summary>
    public ImmutableArray<HostRule> Hosts { get; init; } = [];

    /// <summary>The preset's name, forwarded as <c>X-Webhook-Provider</c>; null without one.</summary>
    public string? Provider { get; init; }

    /// <summary>Cap on the body in bytes, enforced without Content-Length too.</summary>
    public long BodyLimit { get; init; } = 1024 * 1024;

    /// <summary>From the last body byte to our answer; bounds waiting, holding, forwarding and the replay lease.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(8.5);

    /// <summary>Leave credential headers on the forwarded request.</summary>
    public bool ForwardCredentials { get; init; }

    /// <summary>
    /// Headers that carried a credential, lower case, with hyphens for anything but letters and digits; they and their aliases are removed before forwarding
    /// unless <see cref="ForwardCredentials"/>.
    /// </summary>
    public ImmutableArray<string> CredentialHeaders { get; init; } = [];

    /// <summary>Headers that say who the client or the user is and may pass all the same, normalised as <see cref="CredentialHeaders"/>.</summary>
    public ImmutableArray<string> ForwardHeaders { get; init; } = [];

    /// <summary>Scheme of the URL that senders use (<c>publicUrl</c>); null when it is not written.</summary>
    public string? PublicScheme { get; init; }

    /// <summary>Host, with a port that is not the scheme's own, of the URL that senders use; null when it is not written.</summary>
    public string? PublicHost { get; init; }

    /// <summary>Status to answer instead of the table's, by reason; 0 = the table's.</summary>
    public ImmutableArray<int> StatusOverrides { get; init; } = [];

    public ImmutableArray<IGateCheck> Checks { get; init; } = [];

    /// <summary>A signature of this route covers the delivery's id.</summary>
    public bool SignsId { get; init; }

    /// <summary>
    /// What is in observe mode, in the words of routes.json: <c>verify[0]</c>, <c>allow</c>, <c>replay</c>, <c>rateLimit</c>, or <c>every check</c>. Empty =
    /// nothing.
    /// </summary>
    public ImmutableArray<string> Observing { get; init; } = [];

    /// <summary>Failed attempts of this route's events; null when it is not known when the sender gives up.</summary>
    public RouteAttempts? Attempts { get; init; }

    /// <summary>
    /// Makes the event's key of a delivery for which no check has made one; needs the delivery's body. Null together with <see cref="Attempts"/>.
    /// </summary>
    public Func<Delivery, EventKey>? KeyOf { get; init; }

    /// <summary>Which lines of this route were written in the current second.</summary>
    public RouteLogLines LogLines { get; } = new();

    /// <summary>What the route's requests are counted in, over all revisions; null for policies that serve nobody.</summary>
    public RouteStats? Stats { get; init; }

    /// <summary>The active secrets of the route, to note when each matched.</summary>
    public ImmutableArray<SecretRecord> Secrets { get; init; } = [];

    /// <summary>The status a refusal for <paramref name="reason"/> gets on this route.</summary>
    public int StatusOf(RejectReason reason)
    {
        var overridden = (int)reason < StatusOverrides.Length ? StatusOverrides[(int)reason] : 0;
        return overridden != 0 ? overridden : reason.Describe().Status;
    }

    /// <summary>How this route establishes the client address.</summary>
    public ClientAddressResolver Addresses { get; init; } = ClientAddressResolver.Connection;

    /// <summary>Runs the checks in stage order; the first refusal wins. What a check throws comes out: the caller refuses then.</summary>
    public async ValueTask<Verdict> DecideAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        // A route without checks does not compile; should one come into being all the same, it refuses.
        var verdict = default(Verdict);
        foreach (var check in Checks)
        {
            // In observe mode an unproved request comes this far; budgets, keys and stores stay untouched on its behalf.
            if (check.Stage >= Stage.RouteRate)
            {
                delivery.HasPassed();
                if (delivery.WouldRefuse != RejectReason.NotDecided)
                {
                    return Verdict.Pass;
                }
            }

            var wouldRefuse = delivery.WouldRefuse;
            verdict = await check.CheckAsync(delivery, cancellationToken);
            if (delivery.Trace is { } trace)
            {
                trace.Passed(StageNames.Of(check.Stage), verdict);
                if (delivery.WouldRefuse != wouldRefuse)
                {
                    trace.WouldRefuse(delivery.WouldRefuse);
                }
            }

            if (!verdict.Passed)
            {
                return verdict;
            }
        }

        return verdict;
    }
}
