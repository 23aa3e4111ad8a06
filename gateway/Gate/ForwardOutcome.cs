using WebhookEdge.Observability;

namespace WebhookEdge.Gate;

/// <summary>What the upstream made of a delivery: the status it answered, 0 when it did not.</summary>
/// <param name="Trace">The delivery's span, for a later copy to link to.</param>
internal readonly record struct ForwardOutcome(int Status, TraceRef Trace = default)
{
    /// <summary>
    /// A 2xx status line is a fact, even when the rest of the answer is lost on the way back: the upstream has taken the event.
    /// </summary>
    public bool Accepted => Status is >= 200 and < 300;

    /// <summary>
    /// Whether an answer of this status goes on to the sender. A redirect would send the event somewhere the configuration does not name, 1xx is no answer, and
    /// above 599 there is no status.
    /// </summary>
    public static bool IsPassedOn(int status) => status is (>= 200 and < 300) or (>= 400 and <= 599);
}
