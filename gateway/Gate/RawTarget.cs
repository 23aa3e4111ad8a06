using System.Buffers;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>
/// One string to match and to forward: the request target as it stood on the wire, compared ordinally. Routing decodes and ignores case,
/// the upstream may do either differently, and every difference is a way around a rule (CVE-2019-9901, CVE-2021-29492).
/// </summary>
internal static class RawTarget
{
    // RFC 3986 §3.3 pchar, and the separator, without % and ;. Nothing here is decoded or normalised into something else, and none of it ends a segment: some
    // servers cut off what follows a ; before they look at the path.
    private static readonly SearchValues<char> PathCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:@!$&'()*+,=");

    /// <summary>
    /// Visible ASCII, 0x21 to 0x7E: all that a request target may hold (RFC 9112 §3.2, RFC 3986 §2). HTTP/1.1 servers mostly refuse anything else; over
    /// HTTP/2 a <c>:path</c> may bring any character, and a blank or a line break in it would end the request line that is written for the upstream.
    /// </summary>
    private static readonly SearchValues<char> Visible = SearchValues.Create([.. Enumerable.Range(0x21, 0x7E - 0x21 + 1).Select(static c => (char)c)]);

    /// <summary>What is wrong with a target that is not visible, for the operator.</summary>
    public const string Fault = "a blank, a control character or one outside ASCII in the request target";

    /// <summary>
    /// <paramref name="target"/> in origin form (path and query, RFC 9112 §3.2.1), which is matched, signed and forwarded. Of the absolute form (§3.2.2), which
    /// every server has to take, scheme and authority are cut off, nothing else is touched. Null when that authority is not the one of <paramref name="host"/>,
    /// the Host header: one of two servers would go by the one, one by the other.
    /// </summary>
    public static string? OriginForm(string target, ReadOnlySpan<char> host)
    {
        if (target.Length == 0 || target[0] == '/')
        {
            return target;
        }

        var scheme = target.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? "http://".Length
            : target.StartsWith("https://", StringComparison.OrdinalIgnoreCase) ? "https://".Length : 0;
        if (scheme == 0)
        {
            return target;
        }

        var rest = target.AsSpan(scheme);
        var end = rest.IndexOfAny("/?#");
        var authority = end < 0 ? rest : rest[..end];
        var port = scheme == "http://".Length ? ":80" : ":443";
        if (authority.IsEmpty || !WithoutPort(authority, port).Equals(WithoutPort(host, port), StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        return end < 0 ? "/" : rest[end] == '/' ? rest[end..].ToString() : $"/{rest[end..]}";
    }

    /// <summary>Whether a request whose path routing has led to <paramref name="policy"/> may have it.</summary>
    /// <param name="target">In origin form; null when there is none.</param>
    public static Verdict Judge(RoutePolicy policy, string method, string? target)
    {
        if (target is null)
        {
            return Verdict.Reject(RejectReason.RequestMalformed, "the request target names another host than the Host header");
        }

        return Matches(policy, target) ? Verdict.Pass
            : HttpMethods.IsConnect(method) || !IsVisible(target) ? Refuse(method, target)
            : policy.IsPrefix && target.StartsWith(policy.Path, StringComparison.Ordinal)
                ? Verdict.Reject(RejectReason.PathRefused,
                    "the rest of the path has an escape, a ; or another character that servers read in different ways, an empty or a dot segment")
                : Verdict.Reject(RejectReason.PathRefused, "the path differs from the route's in case, a final slash, escapes or dot segments");
    }

    /// <summary>True when nothing in <paramref name="text"/> could be read as anything but a part of one request target, by whatever server.</summary>
    public static bool IsVisible(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(Visible);

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

    /// <summary>
    /// <paramref name="target"/> as operators are shown it: what stands before an @ in its authority is a name and a password (RFC 3986 §3.2.1), and left out.
    /// </summary>
    public static string Shown(string target)
    {
        if (target.Length == 0 || target[0] == '/')
        {
            return target;
        }

        var scheme = target.IndexOf("://", StringComparison.Ordinal);
        var begin = scheme < 0 ? 0 : scheme + "://".Length;
        var length = target.AsSpan(begin).IndexOfAny("/?#");
        var at = target.AsSpan(begin, length < 0 ? target.Length - begin : length).LastIndexOf('@');
        return at < 0 ? target : string.Concat(target.AsSpan(0, begin), target.AsSpan(begin + at + 1));
    }

    /// <summary>Why a request that matches no route is refused.</summary>
    public static Verdict Refuse(string method, string target) =>
        HttpMethods.IsConnect(method) ? Verdict.Reject(RejectReason.RequestMalformed, "CONNECT")
        : IsVisible(target) ? Verdict.Reject(RejectReason.RouteUnknown)
        : Verdict.Reject(RejectReason.RequestMalformed, Fault);

    private static ReadOnlySpan<char> WithoutPort(ReadOnlySpan<char> authority, string port) =>
        authority.EndsWith(port, StringComparison.Ordinal) ? authority[..^port.Length] : authority;

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
