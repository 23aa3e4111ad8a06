using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Verdicts;

public sealed class VerdictTests
{
    [Fact]
    public void A_verdict_that_nobody_gave_is_a_refusal()
    {
        var forgotten = default(Verdict);

        Assert.False(forgotten.Passed);
        Assert.Equal(RejectReason.NotDecided, forgotten.Reason);
        Assert.Equal(500, forgotten.Reason.Describe().Status);
    }

    [Fact]
    public void A_refusal_keeps_what_the_operator_needs()
    {
        var verdict = Verdict.Reject(RejectReason.TooManyForRoute, "route budget", TimeSpan.FromSeconds(2));

        Assert.False(verdict.Passed);
        Assert.Equal((RejectReason.TooManyForRoute, "route budget", TimeSpan.FromSeconds(2)), (verdict.Reason, verdict.Detail, verdict.RetryAfter!.Value));
        Assert.True(Verdict.Pass.Passed);
    }
}
