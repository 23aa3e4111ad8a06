namespace WebhookEdge.Primitives;

/// <summary>
/// The Host header as it was sent (over HTTP/2 <c>:authority</c>, which the server puts there). Nobody here asks <c>HttpRequest.Host</c>: that decodes
/// punycode, throws where it cannot, and gives names that nobody sent.
/// </summary>
internal static class HostText
{
    private const int LongestName = 253;
    private const int LongestLabel = 63;

    /// <summary>
    /// Whether <paramref name="host"/> is one a webhook can be sent to: empty (HTTP/1.0, or a client without a name for us), an IPv4 address or a DNS name
    /// (labels of letters, digits, hyphen and underscore, RFC 1123 §2.1 and what container networks add), an IPv6 address in brackets, each with or without a
    /// port.
    /// </summary>
    public static bool IsValid(ReadOnlySpan<char> host)
    {
        if (host.IsEmpty)
        {
            return true;
        }

        var end = NameLength(host);
        if (end < host.Length && !IsPort(host[end..]))
        {
            return false;
        }

        var name = host[..end];
        return !name.IsEmpty && (name[0] == '[' ? IsBracketed(name) : IsName(name));
    }

    /// <summary>
    /// Whether a label of <paramref name="host"/> may be punycode (RFC 5890 §2.3.2.1, "xn--"), which who asks for the decoded name may fail to decode. Hyphens
    /// in a row are looked for first: hardly any name has them, and they are found at once.
    /// </summary>
    public static bool MayBeEncoded(string host) => host.Contains("--", StringComparison.Ordinal) && host.Contains("xn--", StringComparison.OrdinalIgnoreCase);

    /// <summary>The name without the port, and the port; null when none is written.</summary>
    public static ReadOnlySpan<char> Split(ReadOnlySpan<char> host, out int? port)
    {
        var end = NameLength(host);
        port = end + 1 < host.Length && int.TryParse(host[(end + 1)..], System.Globalization.NumberStyles.None, null, out var written) ? written : null;
        return host[..end];
    }

    private static int NameLength(ReadOnlySpan<char> host)
    {
        var bracket = host.IndexOf(']');
        var colon = host[(bracket + 1)..].IndexOf(':');
        return colon < 0 ? host.Length : bracket + 1 + colon;
    }

    private static bool IsPort(ReadOnlySpan<char> text) =>
        text.Length is > 1 and <= 6 && text[0] == ':' && int.TryParse(text[1..], System.Globalization.NumberStyles.None, null, out var port)
        && port <= ushort.MaxValue;

    private static bool IsBracketed(ReadOnlySpan<char> name) =>
        name[^1] == ']' && !name.Contains('%') && System.Net.IPAddress.TryParse(name[1..^1], out var address)
        && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;

    private static bool IsName(ReadOnlySpan<char> name)
    {
        // One dot at the end says that the name is complete (RFC 1034 §3.1).
        if (name[^1] == '.')
        {
            name = name[..^1];
        }

        if (name.IsEmpty || name.Length > LongestName)
        {
            return false;
        }

        var label = 0;
        foreach (var c in name)
        {
            if (c == '.')
            {
                if (label == 0)
                {
                    return false;
                }

                label = 0;
            }
            else if ((!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_')) || ++label > LongestLabel)
            {
                return false;
            }
        }

        return label > 0;
    }
}
