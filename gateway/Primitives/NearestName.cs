namespace WebhookEdge.Primitives;

/// <summary>What somebody probably meant: the known name with the fewest edits (Levenshtein, ignoring case) from the one written.</summary>
internal static class NearestName
{
    private const int LongestName = 64;
    private const int LongestList = 12;

    /// <summary>
    /// The nearest of <paramref name="known"/>, or null when none is near: at most one edit in three letters, or one name beginning with the other.
    /// </summary>
    public static string? Of(string written, IEnumerable<string> known)
    {
        if (written.Length is 0 or > LongestName)
        {
            return null;
        }

        string? best = null;
        var fewest = int.MaxValue;
        foreach (var name in known)
        {
            if (name.Length is 0 or > LongestName)
            {
                continue;
            }

            var edits = Distance(written, name);
            var near = edits <= Math.Max(1, Math.Min(written.Length, name.Length) / 3);
            var begins = written.Length >= 3 && name.Length >= 3
                && (written.StartsWith(name, StringComparison.OrdinalIgnoreCase) || name.StartsWith(written, StringComparison.OrdinalIgnoreCase));
            if ((near || begins) && edits < fewest)
            {
                (best, fewest) = (name, edits);
            }
        }

        return best;
    }

    /// <summary>A way out for people: <c>did you mean "x"?</c>, else the known names when they are few, else null.</summary>
    public static string? Hint(string written, IReadOnlyCollection<string> known)
    {
        if (Of(written, known) is { } name)
        {
            return $"did you mean \"{name}\"?";
        }

        return known.Count is > 0 and <= LongestList ? "known: " + string.Join(", ", known) : null;
    }

    private static int Distance(string a, string b)
    {
        Span<int> row = stackalloc int[LongestName + 1];
        for (var j = 0; j <= b.Length; j++)
        {
            row[j] = j;
        }

        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var substituted = diagonal + (char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substituted, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
