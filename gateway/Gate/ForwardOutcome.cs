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
}
