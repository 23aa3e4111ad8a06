using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using WebhookEdge.Observability;

namespace WebhookEdge.Ingress;

/// <summary>
/// How many connections are open at once, all public endpoints together. One more is closed as it is accepted (<see cref="CountedListeners"/>).
/// <para>
/// Kestrel's own bound of the same name gives a place back when its handling of the connection ends. Over HTTP/2 that end may never come: a sender that opens
/// many streams and reads nothing makes Kestrel drop the last word of a stream (its queue of what is to be written is full), and from then on it waits for that
/// stream, long after the socket is closed. Places lost that way never come back, so a few megabytes from a stranger would lock everybody out until a restart.
/// Here a place is given back when the transport's connection is closed, and what still waits is given up (<see cref="ConnectionPlace"/>).
/// </para>
/// </summary>
internal sealed class ConnectionLimit(ConnectionAllowance allowance, TimeProvider time, ILogger<ConnectionLimit> logger) : IDisposable
{
    private readonly LogInterval _lines = new(time, TimeSpan.FromSeconds(10));
    private readonly LogInterval _failures = new(time, TimeSpan.FromSeconds(10));
    private readonly CancellationTokenSource _over = new();
    private int _open;
    private long _refused;

    public ConnectionAllowance Allowance => allowance;

    /// <summary>Connections open now.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Connections closed as they came, since the start.</summary>
    public long Refused => Volatile.Read(ref _refused);

    /// <summary>Ends every connection, and each that comes, at once.</summary>
    public void EndAll() => _over.Cancel();

    public void Dispose() => _over.Dispose();

    /// <summary>Gives a connection that was just accepted its place; false, and counted, when there is none.</summary>
    public bool TryPlace(ConnectionContext connection)
    {
        if (Interlocked.Increment(ref _open) <= allowance.Most)
        {
            connection.Features.Set(new ConnectionPlace(this, time));
            return true;
        }

        Interlocked.Decrement(ref _open);
        Interlocked.Increment(ref _refused);
        if (_lines.TryEnter(out var unsaid))
        {
            logger.ConnectionRefused(allowance.Most, unsaid);
        }

        return false;
    }

    public async Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        using var place = connection.Features.GetRequiredFeature<ConnectionPlace>();
        await using var closed = connection.ConnectionClosed.UnsafeRegister(static place => ((ConnectionPlace)place!).OnClosed(), place);
        await using var over = _over.Token.UnsafeRegister(static connection => ((ConnectionContext)connection!).Abort(), connection);
        try
        {
            await await Task.WhenAny(next(connection), place.GivenUp);
        }
        catch (Exception e)
        {
            // The server handles what it expects of a client's bytes by itself. What it does not (a ClientHello that is cut short in the right place makes
            // SslStream read past its buffer) would come out of here as an unhandled exception, with a stack trace for each of a stranger's connections.
            if (_failures.TryEnter(out var unsaid))
            {
                logger.ConnectionFailed(e.GetType().Name, unsaid);
            }

            logger.ConnectionFailedAt(e, connection.ConnectionId);
        }
        finally
        {
            place.GiveBack();
        }
    }

    internal void Return() => Interlocked.Decrement(ref _open);
}
