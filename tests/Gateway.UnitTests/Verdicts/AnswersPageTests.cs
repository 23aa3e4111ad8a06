using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Verdicts;

public sealed class AnswersPageTests
{
    [Fact]
    public void The_committed_page_is_the_generated_one() =>
        GeneratedFile.AssertCurrent("docs/answers.md", AnswersPage.Generate(), "rows", "UPDATE_DOCS", nameof(AnswersPageTests));

    [Fact]
    public void Every_reason_stands_on_the_page_once()
    {
        var page = AnswersPage.Generate();

        Assert.All(Enum.GetValues<RejectReason>().Where(static reason => reason != RejectReason.NotDecided),
            reason => Assert.Equal(2, page.Split($"\n| `{reason.Describe().Slug}` |").Length));
    }
}
