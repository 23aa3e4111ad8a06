using System.Buffers;

namespace WebhookEdge.Gate;

/// <summary>
/// One string to match and to forward: the request target as it stood on the wire, compared ordinally. Routing decodes and ignores case,
/// the upstream may do either differently, and every difference is a way around a rule (CVE-2019-9901, CVE-2021-29492).
/// </summary>
internal static class RawTarget
{
    // RFC 3986 §2.3 unreserved, and the separator. Nothing here can be encoded, decoded or normalised into something else.
    private static readonly SearchValues<char> PathCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/");

    /// <summary>True when <paramref name="target"/> (path and query) is exactly what <paramref name="policy"/> configures.</summary>
    public static bool Matches(RoutePolicy policy, ReadOnlySpan<char> target)
    {
        if (target.Contains('#'))
        {
            return false;
        }

        var query = target.IndexOf('?');
        var path = query < 0 ? target : target[..query];
        if (!policy.IsPrefix)
        {
            return path.SequenceEqual(policy.Path);
        }

        return path.StartsWith(policy.Path, StringComparison.Ordinal) && IsPlain(path);
    }

    private static bool IsPlain(ReadOnlySpan<char> path)
    {
        if (path.ContainsAnyExcept(PathCharacters) || path.Contains("//", StringComparison.Ordinal))
        {
            return false;
        }

        foreach (var segment in path.Split('/'))
        {
            if (path[segment] is "." or "..")
            {
                return false;
            }
        }

        return true;
    }
}
