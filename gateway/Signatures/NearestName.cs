namespace WebhookEdge.Signatures;

/// <summary>"Did you mean": the nearest of a few known words by edit distance.</summary>
internal static class NearestName
{
    /// <summary>A hint such as <c>did you mean "sha256"?</c>, or null when nothing is near.</summary>
    public static string? Hint(string word, IEnumerable<string> known) => Find(word, known) is { } near ? $"did you mean \"{near}\"?" : null;

    /// <summary>The nearest known word, at most a third of its letters away; null when none is.</summary>
    public static string? Find(string word, IEnumerable<string> known)
    {
        string? best = null;
        var least = int.MaxValue;
        foreach (var candidate in known)
        {
            var distance = Distance(word.ToLowerInvariant(), candidate.ToLowerInvariant());
            if (distance < least)
            {
                least = distance;
                best = candidate;
            }
        }

        return best is not null && least <= Math.Max(1, best.Length / 3) ? best : null;
    }

    private static int Distance(string a, string b)
    {
        if (a.Length > 64 || b.Length > 64)
        {
            return int.MaxValue;
        }

        var row = new int[b.Length + 1];
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
                var above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[b.Length];
    }
}
