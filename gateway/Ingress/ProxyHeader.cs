using System.Net;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.Ingress;

/// <summary>What bytes at the start of a connection are, as far as they have come.</summary>
internal enum ProxyHeaderStatus
{
    /// <summary>Neither version's first bytes: HTTP or TLS, say.</summary>
    NotAHeader = 0,

    /// <summary>A header so far; more is needed to tell.</summary>
    Incomplete,

    Complete,

    Malformed,

    /// <summary>Longer than <see cref="ProxyHeaderParser.MaxTextLength"/> or <see cref="ProxyHeaderParser.MaxBinaryLength"/>.</summary>
    TooLong,

    /// <summary>Complete, and its CRC32C is not that of its bytes.</summary>
    WrongChecksum,
}

internal enum ProxyCommand
{
    /// <summary>The proxy passes on somebody it cannot or will not name (v1 UNKNOWN, v2 UNSPEC or a Unix socket).</summary>
    Unknown = 0,

    /// <summary>The proxy speaks for itself: a health check.</summary>
    Local,

    /// <summary>The proxy names its client.</summary>
    Client,
}

/// <summary>A complete PROXY header.</summary>
/// <param name="Source">The client; unknown unless <paramref name="Command"/> is <see cref="ProxyCommand.Client"/>.</param>
/// <param name="Port">The client's port, 0–65535.</param>
/// <param name="Length">Bytes of the header; what follows belongs to the connection.</param>
internal readonly record struct ProxyHeader(ProxyCommand Command, ClientAddress Source, int Port, int Length)
{
    /// <summary>Who takes the place of <paramref name="proxy"/> as the connection's peer; null, an unknown address, when nobody was named.</summary>
    public ProxiedAddress? PeerBehind(IPAddress proxy) => Command switch
    {
        ProxyCommand.Client when Source.ToIPAddress() is { } client => new(client, proxy),
        ProxyCommand.Local => new(proxy, proxy),
        _ => null,
    };
}
