namespace WebhookEdge.Verdicts;

/// <summary>What a check answers: passed, rejected with a reason, or answered on the spot (a handshake). <c>default</c> is a refusal.</summary>
internal readonly record struct Verdict
{
    private Verdict(bool passed, RejectReason reason, string? detail, TimeSpan? retryAfter, PreparedAnswer? answer = null)
    {
        Answer = answer;
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

    /// <summary>
    /// For the operator's eyes (log, journal, explain), never for the sender. A constant, or a short token out of the request, so that a refusal allocates
    /// nothing; never a secret.
    /// </summary>
    public string? Detail { get; }

    /// <summary>When the sender should try again; rounded up to whole seconds on the wire.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>What to say to the sender instead of forwarding; then <see cref="Passed"/> is false, and nothing further is asked or forwarded.</summary>
    public PreparedAnswer? Answer { get; }

    public static Verdict Answered(PreparedAnswer answer) => new(false, RejectReason.NotDecided, null, null, answer);

    public static Verdict Reject(RejectReason reason, string? detail = null, TimeSpan? retryAfter = null) => new(false, reason, detail, retryAfter);
}

/// <summary>
/// A whole response of the gateway's own to a sender's challenge. Never holds anything but what the sender itself sent and proofs of a secret.
/// </summary>
/// <param name="ContentType">Null for an answer without a body.</param>
/// <param name="HeaderName">A header to give back, or null.</param>
internal sealed record PreparedAnswer(int Status, string? ContentType, ReadOnlyMemory<byte> Body, string? HeaderName = null, string? HeaderValue = null);
