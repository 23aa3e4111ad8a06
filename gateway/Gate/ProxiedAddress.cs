using System.Net;
using WebhookEdge.Primitives;

namespace WebhookEdge.Gate;

/// <summary>
/// The address that a trusted proxy's PROXY header named for a connection, with the socket's own peer, which is the proxy. It takes the peer's place on
/// the connection, so that <see cref="ClientAddressResolver"/> can tell for every request, by the rules in force then, what is to be believed.
/// One object a connection.
/// </summary>
internal sealed class ProxiedAddress : IPAddress
{
    public ProxiedAddress(IPAddress client, IPAddress proxy)
        : base(client.GetAddressBytes())
    {
        Proxy = proxy;
    }

    /// <summary>The peer of the socket.</summary>
    public IPAddress Proxy { get; }

    /// <summary>The peer of the socket, whether or not a PROXY header put another address in its place.</summary>
    public static ClientAddress SocketPeerOf(IPAddress? peer) => ClientAddress.From((peer as ProxiedAddress)?.Proxy ?? peer);
}
