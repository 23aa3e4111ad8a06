using System.Net;
using System.Net.Sockets;

namespace WebhookEdge.TestKit;

/// <summary>
/// A loopback port that stays ours while nobody listens on it, so that a test can refuse connections and accept them again on the same port.
/// A second socket is bound to the port and never listens: the system then neither hands the port to anyone else nor accepts a connection.
/// </summary>
internal sealed class ReservedPort : IDisposable
{
    private readonly Socket _reservation = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public ReservedPort()
    {
        // On Unix .NET binds every TCP socket with SO_REUSEADDR, which is what lets Listen bind beside this one.
        _reservation.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        EndPoint = (IPEndPoint)_reservation.LocalEndPoint!;
    }

    public IPEndPoint EndPoint { get; }

    public Socket Listen()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(EndPoint);
            listener.Listen(1024);
            return listener;
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    public void Dispose() => _reservation.Dispose();
}

internal static class SocketExtensions
{
    /// <summary>Ends the connection with a TCP reset instead of a FIN.</summary>
    public static void Reset(this Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }
        catch (SocketException)
        {
            // The peer was faster; there is nothing left to reset.
        }
        catch (ObjectDisposedException)
        {
            return;
        }

        socket.Dispose();
    }

    /// <summary>Sends all of <paramref name="bytes"/>.</summary>
    public static async ValueTask SendAllAsync(this Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None, cancellationToken)..];
        }
    }
}
