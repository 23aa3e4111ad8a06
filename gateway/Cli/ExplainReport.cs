using System.Globalization;
using Spectre.Console;
using WebhookEdge.Gate;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Cli;

/// <summary>What <c>explain</c> shows people.</summary>
internal static class ExplainReport
{
    public static void Print(string route, RoutePolicy policy, RecordedRequest recorded, DateTimeOffset now, List<ExplainRow> rows, string? client)
    {
        var console = Terminal.Create();
        var table = new Table().Border(TableBorder.Rounded)
            .Title(Markup.Escape($"{recorded.Method} {PathOf(recorded.Target)}, {recorded.Body.Length} bytes, on route {route}, at "
            + $"{now.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC"));
        foreach (var title in new[] { "Stage", "Check", "Verdict", "Reason", "Detail" })
        {
            table.AddColumn(title);
        }

        foreach (var row in rows)
        {
            var colour = row.Outcome switch { Judgement.Passed or Judgement.Answered => "green", Judgement.Refused => "red bold",
                Judgement.Observed => "yellow", _ => "grey" };
            table.AddRow(new Text(row.Stage), new Text(row.Check), new Markup($"[{colour}]{Describe(row.Outcome)}[/]"), new Text(row.Reason),
                new Text(row.Detail));
        }

        console.Write(table);
        if (client is not null)
        {
            console.WriteLine($"Client: {client}.");
        }

        var first = rows.Find(static row => row.Outcome == Judgement.Refused);
        console.WriteLine(
            first is not null
            ? $"Refused: {first.Reason}{(first.Detail.Length > 0 ? $", {first.Detail}" : "")}. The sender reads {StatusOf(policy, first.Reason)} and no reason."
            : rows.Exists(static row => row.Outcome == Judgement.Answered) ? "Answered: a challenge of the sender."
            : "Accepted: the gateway would forward it.");
    }

    public static void PrintMistakes(IReadOnlyList<string> mistakes, RecordedRequest recorded)
    {
        Console.WriteLine();
        Console.WriteLine(mistakes.Count > 0 ? "What would make it match:"
            : "None of the common mistakes explains it: another secret, or other bytes than were signed.");
        foreach (var mistake in mistakes)
        {
            Console.WriteLine($"  - {mistake}");
        }

        if (mistakes.Count == 0
            && recorded.Headers.FirstOrDefault(static h => h.Key.Equals("Content-Length", StringComparison.OrdinalIgnoreCase)).Value is { } written
            && written != recorded.Body.Length.ToString(CultureInfo.InvariantCulture))
        {
            Console.WriteLine($"  Content-Length says {written}, and the file holds {recorded.Body.Length} bytes of body: it is not the body that was sent.");
        }
    }

    private static int StatusOf(RoutePolicy policy, string slug) => RejectReasons.TryParse(slug, out var reason) ? policy.StatusOf(reason) : 0;

    private static string PathOf(string target) => target.Split('?')[0];

    private static string Describe(Judgement outcome) => outcome switch
    {
        Judgement.Passed => "passed",
        Judgement.Refused => "refused",
        Judgement.Observed => "would refuse",
        Judgement.Answered => "answered",
        Judgement.NotJudged => "not judged",
        _ => "not reached",
    };
}
