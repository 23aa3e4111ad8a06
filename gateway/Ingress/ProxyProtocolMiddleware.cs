using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Ingress;

/// <summary>
/// Takes the PROXY header off connections from trusted proxies, before TLS and HTTP, and puts the client it names in the peer's place. From a trusted proxy
/// a header is required, within <see cref="Deadline"/>; anything else closes the connection without an answer. A peer that is not trusted is left alone: a
/// header from it is no HTTP and no TLS, and is refused as such.
/// <para>The rule is asked for at every connection, so that a reload counts from the next one on.</para>
/// </summary>
/// <param name="peers">The trusted proxies of the revision in force; null when no header is expected of anybody.</param>
internal sealed class ProxyProtocolMiddleware(Func<CidrSet?> peers, ConnectionMetrics metrics, TimeProvider time, ILogger<ProxyProtocolMiddleware> logger)
{
    /// <summary>For the whole header. Proxies send it with their first segment.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    private readonly LogInterval _lines = new(time, TimeSpan.FromSeconds(10));

    public Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next) =>
        peers() is { } trusted && connection.RemoteEndPoint is IPEndPoint peer && trusted.Contains(ClientAddress.From(peer.Address))
            ? AfterHeaderAsync(connection, peer, next)
            : next(connection);

    private async Task AfterHeaderAsync(ConnectionContext connection, IPEndPoint peer, ConnectionDelegate next)
    {
        var (outcome, header) = await ReadAsync(connection);
        metrics.Proxied(Word(outcome));
        if (outcome == Outcome.Taken)
        {
            connection.RemoteEndPoint = header.PeerBehind(peer.Address) is { } client
                ? new IPEndPoint(client, header.Command == ProxyCommand.Local ? peer.Port : header.Port) : null;
            await next(connection);
        }
        else if (outcome is not (Outcome.Empty or Outcome.Draining) && _lines.TryEnter(out var unsaid))
        {
            logger.ProxyHeaderRefused(ClientAddress.From(peer.Address).ToString(), Word(outcome), unsaid);
        }
    }

    private async Task<(Outcome Outcome, ProxyHeader Header)> ReadAsync(ConnectionContext connection)
    {
        var input = connection.Transport.Input;
        var closing = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        using var deadline = new CancellationTokenSource(Deadline, time);
        var begun = false;
        using var drain = closing.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), deadline);
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(deadline.Token);
                var status = Parse(read.Buffer, out var header);
                if (status == ProxyHeaderStatus.Complete)
                {
                    input.AdvanceTo(read.Buffer.GetPosition(header.Length));
                    return (Outcome.Taken, header);
                }

                begun |= !read.Buffer.IsEmpty;
                input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                if (status != ProxyHeaderStatus.Incomplete)
                {
                    return (Describe(status), default);
                }

                if (read.IsCompleted)
                {
                    return (begun ? Outcome.BrokenOff : Outcome.Empty, default);
                }
            }
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            return (closing.IsCancellationRequested ? Outcome.Draining : Outcome.TooSlow, default);
        }
        catch (Exception e) when (e is IOException or ConnectionAbortedException)
        {
            return (begun ? Outcome.BrokenOff : Outcome.Empty, default);
        }
    }

    private static ProxyHeaderStatus Parse(ReadOnlySequence<byte> buffer, out ProxyHeader header)
    {
        if (buffer.IsSingleSegment)
        {
            return ProxyHeaderParser.Parse(buffer.FirstSpan, out header);
        }

        // No header is longer, so nothing that is cut off here could matter.
        Span<byte> copy = stackalloc byte[ProxyHeaderParser.MaxBinaryLength];
        var length = (int)Math.Min(buffer.Length, copy.Length);
        buffer.Slice(0, length).CopyTo(copy);
        return ProxyHeaderParser.Parse(copy[..length], out header);
    }

    private static Outcome Describe(ProxyHeaderStatus status) => status switch
    {
        ProxyHeaderStatus.NotAHeader => Outcome.NotAHeader,
        ProxyHeaderStatus.TooLong => Outcome.TooLong,
        ProxyHeaderStatus.WrongChecksum => Outcome.WrongChecksum,
        _ => Outcome.Malformed,
    };

    private static string Word(Outcome outcome) => outcome switch
    {
        Outcome.Taken => "taken",
        Outcome.Empty => "empty",
        Outcome.Draining => "draining",
        Outcome.BrokenOff => "broken-off",
        Outcome.TooSlow => "too-slow",
        Outcome.NotAHeader => "no-header",
        Outcome.TooLong => "too-long",
        Outcome.WrongChecksum => "wrong-checksum",
        _ => "malformed",
    };

    private enum Outcome
    {
        Malformed,
        Taken,

        /// <summary>Opened and closed without a byte: how load balancers look whether somebody listens.</summary>
        Empty,
        Draining,
        BrokenOff,
        TooSlow,
        NotAHeader,
        TooLong,
        WrongChecksum,
    }
}
