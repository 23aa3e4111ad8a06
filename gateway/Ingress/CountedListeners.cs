using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace WebhookEdge.Ingress;

/// <summary>
/// The server's listeners, which give each connection its place under the <see cref="ConnectionLimit"/> in the moment in which it is accepted. A connection
/// that is accepted holds a file; whoever counted it later, when there is a thread for it, would let hundreds that come at once use up the files of the
/// process.
/// </summary>
internal sealed class CountedListeners(SocketTransportFactory sockets, ConnectionLimit limit) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => sockets.CanBind(endpoint);

    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        new Listener(await sockets.BindAsync(endpoint, cancellationToken), limit);

    private sealed class Listener(IConnectionListener inner, ConnectionLimit limit) : IConnectionListener
    {
        public EndPoint EndPoint => inner.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (true)
            {
                var connection = await inner.AcceptAsync(cancellationToken);
                if (connection is null || limit.TryPlace(connection))
                {
                    return connection;
                }

                // Closed in order; an abort would reset it. Its loops run where their pipes end, which is here, so the file is given back before the next
                // connection is accepted.
                _ = connection.DisposeAsync().AsTask();
            }
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => inner.UnbindAsync(cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
