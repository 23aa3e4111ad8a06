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

        var valid = true;
        foreach (var problem in RoutesValidator.Validate(file, catalogue))
        {
            valid &= problem.IsWarning;
            found.Add(problem with { At = tree!.Find(problem.Path) });
        }

        // In the order of the file, as its author will go through it.
        found.Sort((a, b) => (a.At?.Line ?? 0, a.At?.Column ?? 0).CompareTo((b.At?.Line ?? 0, b.At?.Column ?? 0)));
        return valid ? file : null;
    }
}
