using System.Net;
using Microsoft.AspNetCore.Http;

namespace WebhookEdge.Gate;

/// <summary>
/// Says who a request comes from: the connection's peer, or, behind proxies, the right-most address in <c>X-Forwarded-For</c> that is not one of ours.
/// Everything left of that address was written by the sender and proves nothing. Unknown is an answer, and no address rule lets it in.
/// <para>PROXY protocol belongs below this class: a connection middleware replaces the peer, and the peer is then what <see cref="Connection"/> returns.</para>
/// </summary>
internal sealed class ClientAddressResolver
{
    /// <summary>Proxies one behind the other that a request can have come through; more is no real installation.</summary>
    private const int MaxHops = 32;

    /// <summary>Characters of <c>X-Forwarded-For</c>, all lines together.</summary>
    private const int MaxLength = 4096;

    private readonly CidrSet? _trustedProxies;

    private ClientAddressResolver(CidrSet? trustedProxies)
    {
        _trustedProxies = trustedProxies;
    }

    /// <summary>The connection's peer; headers are not looked at.</summary>
    public static ClientAddressResolver Connection { get; } = new(null);

    /// <summary>Believes <c>X-Forwarded-For</c> as far as <paramref name="trustedProxies"/> wrote it.</summary>
    public static ClientAddressResolver ForwardedFor(CidrSet trustedProxies) => new(trustedProxies);

    /// <summary>
    /// A peer that is no trusted proxy is the client, whatever headers it sends. From a trusted proxy: no header, and the proxy itself is the client
    /// (its own health probe, say); only trusted addresses, and the left-most is; a hop that is not an address, and nobody is.
    /// </summary>
    public ClientAddress Resolve(IPAddress? peer, IHeaderDictionary headers)
    {
        var client = ClientAddress.From(peer);
        if (_trustedProxies is null || !_trustedProxies.Contains(client))
        {
            return client;
        }

        // Several lines are one list, in order (RFC 9110 §5.3).
        var lines = headers["X-Forwarded-For"];
        var length = 0;
        for (var i = 0; i < lines.Count; i++)
        {
            length += lines[i]?.Length ?? 0;
        }

        if (length > MaxLength)
        {
            return default;
        }

        var hops = 0;
        for (var i = lines.Count - 1; i >= 0; i--)
        {
            var rest = lines[i].AsSpan();
            int comma;
            do
            {
                comma = rest.LastIndexOf(',');
                if (++hops > MaxHops || !TryParseHop(rest[(comma + 1)..].Trim(" \t"), out client))
                {
                    return default;
                }

                if (!_trustedProxies.Contains(client))
                {
                    return client;
                }

                rest = comma < 0 ? default : rest[..comma];
            }
            while (comma >= 0);
        }

        return client;
    }

    /// <summary><c>192.0.2.7</c>, <c>192.0.2.7:4711</c>, <c>2001:db8::7</c>, <c>[2001:db8::7]</c> or <c>[2001:db8::7]:4711</c>.</summary>
    private static bool TryParseHop(ReadOnlySpan<char> hop, out ClientAddress address)
    {
        address = default;
        if (hop is ['[', ..])
        {
            var end = hop.IndexOf(']');
            return end > 0
                && hop[1..end].Contains(':')
                && (end == hop.Length - 1 || IsPort(hop[(end + 1)..]))
                && AddressText.TryParse(hop[1..end], out address);
        }

        var colon = hop.IndexOf(':');
        if (colon >= 0 && colon == hop.LastIndexOf(':'))
        {
            return IsPort(hop[colon..]) && AddressText.TryParse(hop[..colon], out address);
        }

        return AddressText.TryParse(hop, out address);
    }

    private static bool IsPort(ReadOnlySpan<char> text)
    {
        if (text.Length is < 2 or > 6 || text[0] != ':')
        {
            return false;
        }

        var port = 0;
        foreach (var digit in text[1..])
        {
            if (!char.IsAsciiDigit(digit))
            {
                return false;
            }

            port = (port * 10) + (digit - '0');
        }

        return port <= ushort.MaxValue;
    }
}
