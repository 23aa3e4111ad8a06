using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace WebhookEdge.Ingress;

/// <summary>
/// A sender may end its side of a connection (TCP FIN) as soon as its request is out, and read the answer on the other side. The server takes the end of its
/// input for the end of the connection: it cancels the request that is complete, and sends no answer. Here that end is not told as such; the server meets it
/// where it reads on (<see cref="WholeInput"/>): in a body that is cut off, or behind the answer. A connection that is really gone (reset, or closed from this
/// side) is told as before, and so is one that turns out to be gone when the answer is written. Over HTTP/2 the server reads on at once, so there the end of the
/// input stays the end of its requests.
/// </summary>
internal static class HalfClosedConnections
{
    public static Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next) =>
        connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket ? WatchAsync(connection, socket, next) : next(connection);

    private static async Task WatchAsync(ConnectionContext connection, Socket socket, ConnectionDelegate next)
    {
        var (transport, closed) = (connection.Transport, connection.ConnectionClosed);
        using var gone = new CancellationTokenSource();
        await using var watch = closed.UnsafeRegister(
            static state =>
            {
                // A receive that failed, and every shutdown from this side, ends the socket's being connected; an orderly end of what the peer sends does not.
                var (socket, gone) = ((Socket, CancellationTokenSource))state!;
                if (!socket.Connected)
                {
                    gone.Cancel();
                }
            },
            (socket, gone));
        connection.ConnectionClosed = gone.Token;
        connection.Transport = new Duplex(new WholeInput(transport.Input), transport.Output);
        try
        {
            await next(connection);
        }
        finally
        {
            (connection.Transport, connection.ConnectionClosed) = (transport, closed);
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
