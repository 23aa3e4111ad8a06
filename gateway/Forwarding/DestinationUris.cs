using Microsoft.AspNetCore.Http;

namespace WebhookEdge.Forwarding;

/// <summary>
/// Where a route's requests go. Most have the same path and no query: their address is made once for each destination, and with it what the HTTP
/// client derives from it. The rest are made anew.
/// </summary>
internal sealed class DestinationUris
{
    /// <summary>Destinations and paths remembered. A route with a rest in its path has more, and reloads bring new ones; then it starts over.</summary>
    private const int MostRemembered = 16;

    // Replaced as a whole, so that readers need no lock; two that add at once lose one, which is added again later.
    private volatile Known[] _known = [];

    /// <summary>The path is what configuration says (it matched ordinally), the query what was received: neither is decoded, re-encoded or tidied up.</summary>
    /// <exception cref="InvalidOperationException">What would stand in the request line is not visible ASCII.</exception>
    /// <param name="prefix">The destination's address as configured, the same string from request to request.</param>
    public Uri For(string prefix, PathString path, QueryString query)
    {
        if (query.HasValue)
        {
            return Make(prefix, path, query);
        }

        var known = _known;
        foreach (var one in known)
        {
            if (ReferenceEquals(one.Prefix, prefix) && string.Equals(one.Path, path.Value, StringComparison.Ordinal))
            {
                return one.Uri;
            }
        }

        var made = Make(prefix, path, query);
        var added = new Known(prefix, path.Value, made);
        _known = known.Length < MostRemembered ? [.. known, added] : [added];
        return made;
    }

    private static Uri Make(string prefix, PathString path, QueryString query)
    {
        var address = string.Concat(prefix.AsSpan().TrimEnd('/'), path.ToUriComponent(), query.Value);
        OutgoingText.RequireVisible(address);
        return new(address, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
    }

    private sealed record Known(string Prefix, string? Path, Uri Uri);
}
