using System.Buffers;
using Microsoft.AspNetCore.Http;
using WebhookEdge.Verdicts;

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

    /// <summary>
    /// Visible ASCII, 0x21 to 0x7E: all that a request target may hold (RFC 9112 §3.2, RFC 3986 §2). HTTP/1.1 servers mostly refuse anything else; over
    /// HTTP/2 a <c>:path</c> may bring any character, and a blank or a line break in it would end the request line that is written for the upstream.
    /// </summary>
    private static readonly SearchValues<char> Visible = SearchValues.Create([.. Enumerable.Range(0x21, 0x7E - 0x21 + 1).Select(static c => (char)c)]);

    /// <summary>What is wrong with a target that is not visible, for the operator.</summary>
    public const string Fault = "a blank, a control character or one outside ASCII in the request target";

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

    /// <summary>Why a request that matches no route is refused.</summary>
    public static Verdict Refuse(string method, string target) =>
        HttpMethods.IsConnect(method) ? Verdict.Reject(RejectReason.RequestMalformed, "CONNECT")
        : IsVisible(target) ? Verdict.Reject(RejectReason.RouteUnknown)
        : Verdict.Reject(RejectReason.RequestMalformed, Fault);

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
