namespace WebhookEdge.Configuration;

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
    public static RoutesFile? Read(ReadOnlySpan<byte> utf8, RoutesCatalogue catalogue, out IReadOnlyList<ConfigProblem> problems)
    {
        var found = new List<ConfigProblem>();
        problems = found;
        if (StrictJson.Read<RoutesFile>(utf8, found, out var tree) is not { } file)
        {
            return null;
        }

        found.AddRange(RoutesValidator.Validate(file, catalogue));
        problems = InOrder(found, tree);
        return found.Exists(static p => !p.IsWarning) ? null : file;
    }

    /// <summary>The problems with their places, in the order of the file, as its author will go through it.</summary>
    public static IReadOnlyList<ConfigProblem> InOrder(IEnumerable<ConfigProblem> problems, JsonTree? tree) =>
        [.. problems.Select(p => p.At is null && tree is not null ? p with { At = tree.Find(p.Path) } : p).OrderBy(static p => p.At?.Line ?? 0).ThenBy(static p => p.At?.Column ?? 0)];
}
