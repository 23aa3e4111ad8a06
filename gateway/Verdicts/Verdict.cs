namespace WebhookEdge.Verdicts;

/// <summary>What a check answers: passed, or rejected with a reason. <c>default</c> is a refusal.</summary>
internal readonly record struct Verdict
{
    private Verdict(bool passed, RejectReason reason, string? detail, TimeSpan? retryAfter)
    {
        Passed = passed;
        Reason = reason;
        Detail = detail;
        RetryAfter = retryAfter;
    }

    /// <summary>The check has no objection.</summary>
    public static Verdict Pass { get; } = new(true, RejectReason.NotDecided, null, null);

    public bool Passed { get; }

    /// <summary>Why not; <see cref="RejectReason.NotDecided"/> when passed.</summary>
    public RejectReason Reason { get; }

    /// <summary>For the operator's eyes (log, journal, explain), never for the sender. A constant, so that a refusal allocates nothing; never a secret.</summary>
    public string? Detail { get; }

    /// <summary>When the sender should try again; rounded up to whole seconds on the wire.</summary>
    public TimeSpan? RetryAfter { get; }

    public static Verdict Reject(RejectReason reason, string? detail = null, TimeSpan? retryAfter = null) => new(false, reason, detail, retryAfter);
}
