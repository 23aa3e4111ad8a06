using WebhookEdge.Configuration;
using WebhookEdge.Routes.Rules;

namespace WebhookEdge.Routes;

/// <summary>The bytes of routes.json → <see cref="RoutesFile"/>. Structure only; what the words mean is <see cref="RoutesValidator"/>'s.</summary>
internal static class RoutesFileReader
{
    /// <summary>Null when the structure has a fault; then every fault of the structure is in <paramref name="problems"/>. Never throws.</summary>
    public static RoutesFile? Read(ReadOnlySpan<byte> utf8, out IReadOnlyList<ConfigProblem> problems)
    {
        var found = new List<ConfigProblem>();
        problems = found;
        return StrictJson.Read<RoutesFile>(utf8, found, out _);
    }

    /// <summary>Reads and validates; every problem has its place in the file. Null when there is an error; warnings may come with a file.</summary>
    public static RoutesFile? ReadAndValidate(ReadOnlySpan<byte> utf8, out IReadOnlyList<ConfigProblem> problems)
    {
        var found = new List<ConfigProblem>();
        problems = found;
        if (StrictJson.ReadPastUnknownKeys<RoutesFile>(utf8, found, out var tree, out var holders) is not { } file)
        {
            return null;
        }

        found.AddRange(WithoutConsequences(RoutesValidator.Validate(file), tree!, holders));
        problems = InOrder(found, tree);
        return found.Exists(static p => !p.IsWarning) ? null : file;
    }

    /// <summary>
    /// Leaves out what may only be the consequence of a misspelt key: that an object which has one is wrong as a whole, or lacks something. It comes up again
    /// once the key is right. A misspelt key of the file itself may hold what everything else refers to, so then nothing further is said.
    /// </summary>
    public static IEnumerable<ConfigProblem> WithoutConsequences(IEnumerable<ConfigProblem> problems, JsonTree tree, IReadOnlySet<string> holders) =>
        holders.Count == 0 ? problems
        : holders.Contains("") ? []
        : problems.Where(problem => tree.Has(problem.Path) ? !holders.Contains(problem.Path) : !holders.Any(holder => IsUnder(problem.Path, holder)));

    /// <summary>
    /// Leaves out what stands where an error was found before, or around such a place: as a rule it is the same mistake, told in the words of a later step, and
    /// what is another comes up again once the first is mended.
    /// </summary>
    public static IEnumerable<ConfigProblem> WithoutRepetition(IEnumerable<ConfigProblem> problems, IReadOnlyCollection<ConfigProblem> before)
    {
        var faulty = before.Where(static problem => !problem.IsWarning).Select(static problem => problem.Path).ToList();
        return problems.Where(problem => !faulty.Exists(path => IsUnder(path, problem.Path)));
    }

    private static bool IsUnder(string path, string holder) =>
        path.StartsWith(holder, StringComparison.Ordinal) && (path.Length == holder.Length || path[holder.Length] is '.' or '[');

    /// <summary>The problems with their places, in the order of the file, as its author will go through it.</summary>
    public static IReadOnlyList<ConfigProblem> InOrder(IEnumerable<ConfigProblem> problems, JsonTree? tree) =>
        [.. problems.Select(p => p.At is null && tree is not null ? p with { At = tree.Find(p.Path) } : p).OrderBy(static p => p.At?.Line ?? 0)
            .ThenBy(static p => p.At?.Column ?? 0)];
}
