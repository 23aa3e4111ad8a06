using System.Globalization;
using System.Text;

namespace WebhookEdge.Verdicts;

/// <summary>The reasons for reading, docs/answers.md: made from the rows, so that it says what the gateway does.</summary>
internal static class AnswersPage
{
    /// <summary>The text of docs/answers.md.</summary>
    public static string Generate()
    {
        var page = new StringBuilder();
        Line(page, "# Reasons");
        Line(page);
        Line(page, "Every way a webhook is stopped: its slug stands in the log (event 1100), in the metric `webhookedge.requests`, in the journal and under "
            + "`refuse` in routes.json.");
        Line(page, "The sender reads the status and nothing of the reason. The README tells [what happens to a "
            + "request](../README.md#what-happens-to-a-request) in order.");
        Line(page, "This page is generated from `gateway/Verdicts/RejectReasons.cs`; do not edit it.");
        Line(page);
        Line(page, "*Counts as* says how the page and the alerts take it: a *failed* delivery would, or well might, have been accepted, and is your affair; "
            + "a *refused* one was stopped by a rule.");
        Line(page);
        Line(page, "| reason | status | stage | counts as | log level | what it means | what to do |");
        Line(page, "|---|---|---|---|---|---|---|");
        foreach (var row in Enum.GetValues<RejectReason>().Where(static reason => reason != RejectReason.NotDecided).Select(static reason => reason.Describe()))
        {
            Line(page, string.Create(
                CultureInfo.InvariantCulture,
                $"| `{row.Slug}` | {row.Status} | {StageNames.Of(row.Stage)} | {row.Outcome.ToString().ToLowerInvariant()} | {row.Level} | {row.Meaning} | "
                + $"{Cell(row.Advice)} |"));
        }

        return page.ToString();
    }

    private static string Cell(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("|", "\\|", StringComparison.Ordinal);

    private static void Line(StringBuilder page, string text = "") => page.Append(text).Append('\n');
}
