using System.Net;
using System.Net.Sockets;

namespace WebhookEdge.Primitives;

/// <summary>
/// URLs the gateway itself connects to. They come from an operator, but often through templates and other people's hands; what a cloud serves to a machine
/// about itself (credentials among it) must never become an upstream or an address list.
/// </summary>
internal static class OutboundUrl
{
    /// <summary>Metadata and platform services outside the link-local ranges: AWS over IPv6, Alibaba, Azure, Oracle.</summary>
    private static readonly IPAddress[] Metadata = [.. new[] { "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192" }.Select(IPAddress.Parse)];

    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");

    /// <summary>An upstream: what is wrong, or null. Never repeats the URL, which may hold a password.</summary>
    public static (string Message, string? Hint)? UpstreamFault(string text)
    {
        if (!TryCreate(text, out var url) || url.Scheme is not ("http" or "https") || url.Host.Length == 0)
        {
            return ("not an absolute http or https URL", "write for example http://kyc.internal:8080");
        }

        if (url.UserInfo.Length > 0)
        {
            return ("a URL with a user or password in it", "take them out; they would be visible wherever the URL is");
        }

        if (text.Contains('?', StringComparison.Ordinal) || text.Contains('#', StringComparison.Ordinal))
        {
            return ("a query or fragment has no place in an upstream's address", "write scheme, host, port and path only");
        }

        return url.Port == 0 ? ("port 0 is no port to connect to", "write the port the app listens on") : HostFault(url);
    }

    /// <summary>An address list: https, a file, or http on this machine.</summary>
    public static (string Message, string? Hint)? ListFault(string text)
    {
        if (text.StartsWith("file:", StringComparison.Ordinal))
        {
            return text.Length == "file:".Length || text.Any(char.IsControl) ? ("file: without a path", "write file:/path/to/list.json") : null;
        }

        if (!TryCreate(text, out var url) || url.Scheme is not ("http" or "https") || url.Host.Length == 0)
        {
            return ("not an https URL or file:/path", null);
        }

        if (url.UserInfo.Length > 0)
        {
            return ("a URL with a user or password in it", "take them out");
        }

        if (url.Scheme == "http" && !url.IsLoopback)
        {
            return ("an address list over plain http could be rewritten on its way", "use https");
        }

        return HostFault(url);
    }

    private static bool TryCreate(string text, out Uri url)
    {
        if (!text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c) || c == '\\') && Uri.TryCreate(text, UriKind.Absolute, out var parsed))
        {
            url = parsed;
            return true;
        }

        url = new("about:blank");
        return false;
    }

    private static (string Message, string? Hint)? HostFault(Uri url)
    {
        var host = url.IdnHost.TrimEnd('.');
        if (host.Equals("metadata", StringComparison.OrdinalIgnoreCase) || host.Equals("metadata.google.internal", StringComparison.OrdinalIgnoreCase))
        {
            return Refused();
        }

        // Uri has already turned octal, hex and short forms of IPv4 into dotted decimal, but not where a dot ends the host. Digits of other scripts are
        // looked up as the letters of a name ("xn--…"), and reach no address.
        if (!IPAddress.TryParse(host, out var address))
        {
            return null;
        }

        if (address.IsIPv4MappedToIPv6 || Nat64.Contains(address))
        {
            address = new(address.GetAddressBytes().AsSpan(12));
        }

        var bytes = address.GetAddressBytes();
        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            if (bytes[0] is 0 or >= 224)
            {
                return ("not an address to connect to", null);
            }

            if (bytes is [169, 254, _, _])
            {
                return Refused();
            }
        }
        else
        {
            if (address.IsIPv6LinkLocal)
            {
                return Refused();
            }

            if (address.IsIPv6Multicast || address.Equals(IPAddress.IPv6Any))
            {
                return ("not an address to connect to", null);
            }
        }

        // Without the zone, which is part of an address' equality.
        return Metadata.Contains(new IPAddress(bytes)) ? Refused() : null;
    }

    private static (string, string?)? Refused() =>
        ("link-local and metadata addresses are refused", "they serve a machine its own credentials; no app is to be reached there");
}
