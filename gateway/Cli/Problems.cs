using WebhookEdge.Configuration;

namespace WebhookEdge.Cli;

/// <summary>How problems of a file look to a person: one line each, errors first, then a count.</summary>
internal static class Problems
{
    public static void Print(string path, IReadOnlyList<ConfigProblem> problems)
    {
        foreach (var problem in problems.OrderBy(static p => p.IsWarning))
        {
            Console.Error.WriteLine($"{(problem.IsWarning ? "warning" : "error")}: {problem}");
        }

        var errors = problems.Count(static p => !p.IsWarning);
        var warnings = problems.Count - errors;
        Console.Error.WriteLine(errors == 0
            ? $"{path}: good{(warnings == 0 ? "" : $", {Counted(warnings, "warning")}")}"
            : $"{path}: {Counted(errors, "error")}{(warnings == 0 ? "" : $", {Counted(warnings, "warning")}")}");
    }

    private static string Counted(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";
}
