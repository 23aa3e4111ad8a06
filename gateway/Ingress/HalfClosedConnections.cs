using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace WebhookEdge.Ingress;

/// <summary>
/// A sender may end its side of a connection (TCP FIN) as soon as its request is out, and read the answer on the other side. The server takes the end of its
/// input for the end of the connection: it cancels the request that is complete, and sends no answer. Here that end is not told as such; the server meets it
/// where it reads on (<see cref="WholeInput"/>): in a body that is cut off, or behind the answer. A connection that is really gone (reset, or closed from this
/// side) is told as before, and so is one that turns out to be gone when the answer is written.
/// <para>
/// Over HTTP/2 the end of the input is the end of the connection, as the server has it: a sender that reads no more and hands out no more of its flow control
/// window leaves answers that cannot be written, and being told of the connection's end is the only thing that lets go of them. Otherwise each such connection
/// would stay for good.
/// </para>
/// </summary>
internal static class HalfClosedConnections
{
    /// <summary>By then the handshake of a connection whose input has ended is over: it may take 10 s, and a PROXY header before it 5 s.</summary>
    private static readonly TimeSpan HandshakeIsOver = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Of an endpoint's connections. Its protocols are read when a connection comes: what configures an endpoint by itself runs after its defaults.
    /// </summary>
    public static void AnswerHalfClosed(this ListenOptions endpoint, TimeProvider time) =>
        endpoint.Use(next => connection => endpoint.Protocols.HasFlag(HttpProtocols.Http1)
            && connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket
            ? WatchAsync(connection, socket, time, next)
            : next(connection));

    private static async Task WatchAsync(ConnectionContext connection, Socket socket, TimeProvider time, ConnectionDelegate next)
    {
        var (transport, closed) = (connection.Transport, connection.ConnectionClosed);
        using var end = new End(connection, socket, time);
        await using var watch = closed.UnsafeRegister(static end => ((End)end!).OnClosed(), end);
        connection.ConnectionClosed = end.Gone;
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

    /// <summary>Tells the end of the sender's half from the end of the connection.</summary>
    private sealed class End(ConnectionContext connection, Socket socket, TimeProvider time) : IDisposable
    {
        private readonly CancellationTokenSource _gone = new();
        private ITimer? _later;

        public CancellationToken Gone => _gone.Token;

        /// <summary>
        /// A receive that failed, and every shutdown from this side, ends the socket's being connected; an orderly end of what the peer sends does not.
        /// </summary>
        public void OnClosed()
        {
            if (!socket.Connected || IsHttp2())
            {
                _gone.Cancel();
                return;
            }

            // The sender's part of the TLS handshake can arrive together with all its requests and the end: what is no HTTP/2 yet may become it.
            _later = time.CreateTimer(static end => ((End)end!).OnHandshakeOver(), this, HandshakeIsOver, Timeout.InfiniteTimeSpan);
        }

        /// <summary>After the connection's end, when nobody calls <see cref="OnClosed"/> any more.</summary>
        public void Dispose()
        {
            _later?.Dispose();
            _gone.Dispose();
        }

        private void OnHandshakeOver()
        {
            if (IsHttp2())
            {
                try
                {
                    _gone.Cancel();
                }
                catch (ObjectDisposedException)
                {
                    // The connection has just ended by itself.
                }
            }
        }

        /// <summary>Without TLS an endpoint for both protocols speaks HTTP/1.1 alone.</summary>
        private bool IsHttp2()
        {
            try
            {
                return connection.Features.Get<ITlsApplicationProtocolFeature>() is { } tls && tls.ApplicationProtocol.Span.SequenceEqual("h2"u8);
            }
            catch (InvalidOperationException)
            {
                // There is no answer before the handshake is over.
                return false;
            }
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
