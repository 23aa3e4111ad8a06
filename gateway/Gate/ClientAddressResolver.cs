using System.Net;
using Microsoft.AspNetCore.Http;
using WebhookEdge.Primitives;

namespace WebhookEdge.Gate;

/// <summary>
/// Says who a request comes from: the connection's peer, or, behind proxies, the right-most address in <c>X-Forwarded-For</c> that is not one of ours,
/// or what a proxy's PROXY header named. Everything left of that address was written by the sender and proves nothing. Unknown is an answer, and no
/// address rule lets it in.
/// <para>A PROXY header is read once, when the connection opens, and leaves a <see cref="ProxiedAddress"/> as the peer; whether it counts is asked here for
/// every request, so that a connection that outlives a reload is judged by the rules in force and not by those it was opened under.</para>
/// </summary>
internal sealed class ClientAddressResolver
{
    /// <summary>Proxies one behind the other that a request can have come through; more is no real installation.</summary>
    private const int MaxHops = 32;

    /// <summary>Characters of <c>X-Forwarded-For</c>, all lines together.</summary>
    private const int MaxLength = 4096;

    private readonly CidrSet? _trustedProxies;

    private ClientAddressResolver(CidrSet? trustedProxies, CidrSet? proxyPeers = null)
    {
        _trustedProxies = trustedProxies;
        ProxyPeers = proxyPeers;
    }

    /// <summary>Whether <c>X-Forwarded-For</c> of a trusted proxy is believed.</summary>
    public bool BelievesForwarded => _trustedProxies is not null;

    /// <summary>The connection's peer; headers are not looked at.</summary>
    public static ClientAddressResolver Connection { get; } = new(null);

    /// <summary>Believes <c>X-Forwarded-For</c> as far as <paramref name="trustedProxies"/> wrote it.</summary>
    public static ClientAddressResolver ForwardedFor(CidrSet trustedProxies) => new(trustedProxies);

    /// <summary>Believes the PROXY header of connections from <paramref name="trustedProxies"/>.</summary>
    public static ClientAddressResolver ProxyProtocol(CidrSet trustedProxies) => new(null, trustedProxies);

    /// <summary>The peers whose connections begin with a PROXY header; null when none do.</summary>
    public CidrSet? ProxyPeers { get; }

    /// <summary>True when the connection's peer is one of the trusted proxies, whichever way they name their client.</summary>
    public bool IsTrustedProxy(IPAddress? peer) => (ProxyPeers ?? _trustedProxies)?.Contains(ProxiedAddress.SocketPeerOf(peer)) ?? false;

    /// <summary>
    /// A peer that is no trusted proxy is the client, whatever headers it sends. From a trusted proxy: no header, and the proxy itself is the client
    /// (its own health probe, say); only trusted addresses, and the left-most is; a hop that is not an address, and nobody is.
    /// </summary>
    public ClientAddress Resolve(IPAddress? peer, IHeaderDictionary headers)
    {
        var client = ProxiedAddress.SocketPeerOf(peer);
        if (ProxyPeers is not null)
        {
            // A connection from a proxy without its header is older than the rule: whose it is was never said.
            return !ProxyPeers.Contains(client) ? client : ClientAddress.From(peer as ProxiedAddress);
        }

        if (_trustedProxies is null || !_trustedProxies.Contains(client))
        {
            return client;
        }

        // Opened when the proxy spoke of connections and not of requests: it wrote nothing into these, so the header is the client's own.
        if (peer is ProxiedAddress)
        {
            return default;
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

    /// <summary>How <see cref="Resolve"/> came to its answer, for people; holds addresses and nothing a sender could write.</summary>
    public string Explain(IPAddress? peer, IHeaderDictionary headers)
    {
        var client = Resolve(peer, headers);
        var socket = ProxiedAddress.SocketPeerOf(peer);
        if (ProxyPeers?.Contains(socket) == true)
        {
            return !client.IsKnown ? $"unknown: the trusted proxy {socket} named no client in a PROXY header"
                : client.Equals(socket) ? $"{client}, the trusted proxy itself (a PROXY header that says LOCAL)"
                : $"{client}, named by the PROXY header of the trusted proxy {socket}";
        }

        if (_trustedProxies?.Contains(socket) == true)
        {
            return peer is ProxiedAddress
                ? $"unknown: the connection of the trusted proxy {socket} began with a PROXY header, so X-Forwarded-For on it is the client's own"
                : !client.IsKnown ? $"unknown: X-Forwarded-For from the trusted proxy {socket} names no address in the place that counts"
                : headers["X-Forwarded-For"].Count == 0 ? $"{client}, the trusted proxy itself, which sent no X-Forwarded-For"
                : $"{client}, from the X-Forwarded-For of the trusted proxy {socket}";
        }

        return !client.IsKnown ? ProxyPeers is null ? "unknown: the connection has no address" : "unknown: the PROXY header names no client"
            : _trustedProxies is null && ProxyPeers is null ? $"{client}, the peer of the connection"
            : $"{client}, the peer of the connection, which is none of the trusted proxies";
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
                && AddressParser.TryParse(hop[1..end], out address);
        }

        var colon = hop.IndexOf(':');
        if (colon >= 0 && colon == hop.LastIndexOf(':'))
        {
            return IsPort(hop[colon..]) && AddressParser.TryParse(hop[..colon], out address);
        }

        return AddressParser.TryParse(hop, out address);
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
