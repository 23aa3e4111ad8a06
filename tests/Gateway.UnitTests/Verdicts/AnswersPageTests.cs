using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Verdicts;

public sealed class AnswersPageTests
{
    private static string Committed => Path.Combine(RepositoryRoot.Path, "docs", "answers.md");

    [Fact]
    public void The_committed_page_is_the_generated_one()
    {
        var generated = AnswersPage.Generate();
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
        {
            File.WriteAllText(Committed, generated);
        }

        Assert.True(
            File.Exists(Committed) && File.ReadAllText(Committed) == generated,
            "docs/answers.md is not what the rows say; regenerate it: UPDATE_DOCS=1 dotnet test tests/Gateway.UnitTests --filter AnswersPageTests");
    }

    [Fact]
    public void Every_reason_stands_on_the_page_once()
    {
        var page = AnswersPage.Generate();

        Assert.All(Enum.GetValues<RejectReason>().Where(static reason => reason != RejectReason.NotDecided), reason => Assert.Equal(2, page.Split($"\n| `{reason.Describe().Slug}` |").Length));
    }
}
