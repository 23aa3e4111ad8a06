namespace WebhookEdge.Verdicts;

/// <summary>What became of a request, as the page draws it.</summary>
internal enum Outcome
{
    /// <summary>The upstream answered 2xx.</summary>
    Delivered,

    /// <summary>Authentic, or as good as, and not delivered by this attempt: the upstream's other answers, and what the gateway could not do.</summary>
    Failed,

    /// <summary>Stopped by a rule.</summary>
    Refused,

    /// <summary>A copy of a delivered event, answered for the upstream.</summary>
    Duplicate,

    /// <summary>A sender's challenge.</summary>
    Answered,
}
