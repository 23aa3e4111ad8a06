using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using WebhookEdge.Primitives;

namespace WebhookEdge.Configuration;

/// <summary>The small grammars of routes.json. Runs at load only.</summary>
internal static partial class RoutesSyntax
{
    private const string Rest = "/{**rest}";

    /// <summary>What a path may hold besides letters and digits.</summary>
    private const string PathPunctuation = "-._~/:@!$&'()*+,=";
    private const RegexOptions Strict = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking;

    public static bool IsRouteId(string text) => RouteIdPattern().IsMatch(text);

    /// <summary>Names of schemes, address sets and clusters.</summary>
    public static bool IsName(string text) => RouteIdPattern().IsMatch(text);

    /// <summary>RFC 9110 §5.6.2 token, as in header names and methods.</summary>
    public static bool IsToken(string text) => TokenPattern().IsMatch(text);

    /// <summary><c>env:</c> and a name a shell can set, or <c>file:</c> and a path.</summary>
    public static bool IsSecretReference(string text) =>
        SecretReference.TryParse(text, out var reference)
        && (reference.IsFile ? !string.IsNullOrWhiteSpace(reference.Target) && !reference.Target.Any(char.IsControl)
            : VariablePattern().IsMatch(reference.Target));

    /// <summary>What is wrong with a reference to a secret, and the way out; null when nothing is. Holds not a word of it: it may be the secret.</summary>
    public static (string Message, string? Hint)? SecretFault(string text) => text switch
    {
        _ when IsSecretReference(text) => null,
        ['e', 'n', 'v', ':', ..] =>
            ("what follows env: is not the name of an environment variable", "letters, digits and _, at most 128, no digit first; or write \"file:PATH\""),
        ['f', 'i', 'l', 'e', ':', ..] => ("what follows file: is not a path", "write for example \"file:/run/secrets/NAME\""),
        _ => ("literal secrets are refused", "write \"env:NAME\" or \"file:PATH\""),
    };

    /// <summary>JSON pointer, RFC 6901: empty, or segments after slashes with ~ only as ~0 and ~1.</summary>
    public static bool IsPointer(string text) => JsonPointer.Split(text, out _) is not null;

    /// <summary><c>json:/pointer</c>; the whole document is no place for a value.</summary>
    public static bool IsJsonSource(string text) => text.StartsWith("json:", StringComparison.Ordinal) && text.Length > 5 && IsPointer(text[5..]);

    /// <summary><c>header:NAME</c>.</summary>
    public static bool IsHeaderSource(string text) => text.StartsWith("header:", StringComparison.Ordinal) && IsToken(text[7..]);

    /// <summary><c>aws:REGION</c> or <c>aws:REGION:SERVICE</c>, as AWS writes them in ip-ranges.json.</summary>
    public static bool IsAwsSource(string text) => AwsPattern().IsMatch(text);

    public static bool IsAwsRegion(string text) => RegionPattern().IsMatch(text);

    public static bool IsAwsService(string text) => ServicePattern().IsMatch(text);

    /// <summary>A name that could be taken for an address where sources are listed.</summary>
    public static bool LooksLikeAddress(string text) =>
        AddressLikePattern().IsMatch(text) || text.Contains(':', StringComparison.Ordinal) || text.Contains('/', StringComparison.Ordinal);

    /// <summary>Host name with an optional port; <c>*.</c> in front stands for every name below. In its own letters or in punycode.</summary>
    public static bool IsHost(string text)
    {
        var match = HostPattern().Match(text);
        return match.Success && (!match.Groups["port"].Success || ushort.TryParse(match.Groups["port"].ValueSpan, out var port) && port > 0);
    }

    /// <summary>
    /// The host as it stands in a request: in ASCII, names with other letters in punycode (RFC 5891). What has no such form is left as it is: no request names
    /// it.
    /// </summary>
    public static string AsciiHost(string text)
    {
        if (Ascii.IsValid(text))
        {
            return text;
        }

        var start = text.StartsWith("*.", StringComparison.Ordinal) ? 2 : 0;
        var end = text.IndexOf(':', StringComparison.Ordinal) is >= 0 and var colon ? colon : text.Length;
        try
        {
            return string.Concat(text.AsSpan(0, start), new IdnMapping().GetAscii(text, start, end - start), text.AsSpan(end));
        }
        catch (ArgumentException)
        {
            return text;
        }
    }

    /// <summary>
    /// What is wrong with a route's path, or null. The raw request target is compared with it byte by byte, so it may hold nothing that has a second
    /// spelling or meaning: of a path's characters (RFC 3986 §3.3) no percent-encoding and no ; (parameters), no empty or dot segments.
    /// </summary>
    public static string? PathFault(string path)
    {
        if (!path.StartsWith('/'))
        {
            return "a path starts with /";
        }

        var literal = path.EndsWith(Rest, StringComparison.Ordinal) ? path[..^(Rest.Length - 1)] : path;
        if (literal.Length > 1024)
        {
            return "a path has at most 1,024 characters";
        }

        foreach (var c in literal)
        {
            if (c is '{' or '}')
            {
                return $"the only pattern is {Rest} at the end";
            }

            if (c is '?' or '#')
            {
                return "a query or fragment is not part of a path; queries are forwarded as they come";
            }

            if (!char.IsAsciiLetterOrDigit(c) && !PathPunctuation.Contains(c, StringComparison.Ordinal))
            {
                return $"a path holds letters, digits and {string.Join(' ', PathPunctuation.ToCharArray())} only";
            }
        }

        // A star in a name is a star; one that stands alone was meant as a pattern.
        if (literal.Split('/').Any(static segment => segment is "*" or "**"))
        {
            return $"the only pattern is {Rest} at the end";
        }

        if (literal.Contains("//", StringComparison.Ordinal))
        {
            return "a path has no empty segments (//)";
        }

        return literal.Split('/').Any(segment => segment is "." or "..") ? "a path has no dot segments" : null;
    }

    /// <summary>Prefix length of a network as a share of all addresses of its family, or null when the text is no network.</summary>
    public static (int Length, bool V4)? NetworkWidth(string text)
    {
        if (!IPNetwork.TryParse(text, out var network))
        {
            return null;
        }

        return network.BaseAddress switch
        {
            { AddressFamily: AddressFamily.InterNetwork } => (network.PrefixLength, true),
            { IsIPv4MappedToIPv6: true } when network.PrefixLength >= 96 => (network.PrefixLength - 96, true),
            _ => (network.PrefixLength, false),
        };
    }

    /// <summary>
    /// Wider than anything one operator owns: more than a /8 of IPv4, more than a /7 of IPv6 (fc00::/7, the private range, is the widest there is a reason
    /// for).
    /// </summary>
    public static bool IsTooWide(string network) => NetworkWidth(network) is { } width && width.Length < (width.V4 ? 8 : 7);

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z", Strict)]
    private static partial Regex RouteIdPattern();

    [GeneratedRegex(@"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}\z", Strict)]
    private static partial Regex TokenPattern();

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]{0,127}\z", Strict)]
    private static partial Regex VariablePattern();

    [GeneratedRegex(@"^aws:(GLOBAL|[a-z]{2,8}(-[a-z]{2,16}){1,3}-[0-9]{1,2})(:[A-Z0-9_]{2,64})?\z", Strict)]
    private static partial Regex AwsPattern();

    [GeneratedRegex(@"^(GLOBAL|[a-z]{2,8}(-[a-z]{2,16}){1,3}-[0-9]{1,2})\z", Strict)]
    private static partial Regex RegionPattern();

    [GeneratedRegex(@"^[A-Z0-9_]{2,64}\z", Strict)]
    private static partial Regex ServicePattern();

    [GeneratedRegex(@"^[0-9a-fA-FxX.]*\.[0-9a-fA-FxX.]*\z|^[0-9]+\z|^0[xX][0-9a-fA-F]+\z", Strict)]
    private static partial Regex AddressLikePattern();

    [GeneratedRegex(@"^(\*\.)?[\p{L}\p{N}]([\p{L}\p{N}_-]{0,62})(\.[\p{L}\p{N}][\p{L}\p{N}_-]{0,62}){0,30}(:(?<port>[0-9]{1,5}))?\z", Strict)]
    private static partial Regex HostPattern();
}
