using System.Collections.Immutable;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Configuration;

namespace WebhookEdge.Ingress;

/// <summary>
/// Content-Encoding (RFC 9110 §8.4): a list of codings in the order they were applied, names without regard to case. Nothing is decompressed before it is
/// verified, and what is signed is what was sent, so a coding passes only where the route says that sender and app agree on it.
/// </summary>
internal static class ContentCodings
{
    /// <summary>As long a name as an operator is shown; registered ones have at most 12 characters.</summary>
    private const int LongestName = 32;

    private static readonly string[] Known = [.. KnownNames.ContentCodings];

    /// <summary>
    /// The coding that is not among <paramref name="allowed"/>, for the operator: a name that the sender wrote, if it is one, at most <see cref="LongestName"/>
    /// characters. Null when there is none: no header, an empty one, and <c>identity</c> say that the body is as it is.
    /// </summary>
    public static string? RefusedOf(StringValues lines, ImmutableArray<string> allowed)
    {
        foreach (var line in lines)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var name = Canonical(line.AsSpan()[range].Trim(" \t"));
                if (!name.IsEmpty && !name.Equals("identity", StringComparison.OrdinalIgnoreCase) && Find(name, allowed.AsSpan()) is null)
                {
                    return Find(name, Known) ?? (line!.Length <= LongestName && RoutesSyntax.IsToken(line) ? line : "what is the name of no coding");
                }
            }
        }

        return null;
    }

    /// <summary>RFC 9110 §8.4.1: x-gzip and x-compress are to be taken for the names without x-.</summary>
    private static ReadOnlySpan<char> Canonical(ReadOnlySpan<char> name) =>
        name.Equals("x-gzip", StringComparison.OrdinalIgnoreCase) || name.Equals("x-compress", StringComparison.OrdinalIgnoreCase) ? name[2..] : name;

    private static string? Find(ReadOnlySpan<char> name, ReadOnlySpan<string> among)
    {
        foreach (var one in among)
        {
            if (name.Equals(one, StringComparison.OrdinalIgnoreCase))
            {
                return one;
            }
        }

        return null;
    }
}
