namespace WebhookEdge.Cli;

/// <summary>What one check makes of a recorded request.</summary>
internal enum Judgement
{
    Passed,
    Refused,
    Observed,
    Answered,
    NotJudged,
    NotReached,
}

/// <param name="Reason">The slug of a refusal; empty without one.</param>
internal sealed record ExplainRow(string Stage, string Check, Judgement Outcome, string Reason, string Detail)
{
    public bool IsSignature { get; init; }
}
