using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WebhookEdge.TestKit;

/// <summary>What a fault does to bytes on their way. Called once for everything that was read at once; empty for the sender's FIN.</summary>
internal interface IRelayFault
{
    ValueTask ForwardAsync(ReadOnlyMemory<byte> bytes, Func<ReadOnlyMemory<byte>, ValueTask> send, CancellationToken cancellationToken);
}

/// <summary>No fault.</summary>
internal sealed class PassThrough : IRelayFault
{
    public ValueTask ForwardAsync(ReadOnlyMemory<byte> bytes, Func<ReadOnlyMemory<byte>, ValueTask> send, CancellationToken cancellationToken) => send(bytes);
}

/// <summary>Everything arrives later by <paramref name="delay"/>, in real time; keep it small.</summary>
internal sealed class Latency(TimeSpan delay) : IRelayFault
{
    public async ValueTask ForwardAsync(ReadOnlyMemory<byte> bytes, Func<ReadOnlyMemory<byte>, ValueTask> send, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(delay);
        await timer.WaitForNextTickAsync(cancellationToken);
        await send(bytes);
    }
}

/// <summary>Every byte is a write, and so mostly a segment, of its own.</summary>
internal sealed class Slice : IRelayFault
{
    public async ValueTask ForwardAsync(ReadOnlyMemory<byte> bytes, Func<ReadOnlyMemory<byte>, ValueTask> send, CancellationToken cancellationToken)
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            await send(bytes.Slice(i, 1));
        }
    }
}

/// <summary>Connections stay open and nothing moves until <see cref="Thaw"/>; then everything held arrives, in order.</summary>
internal sealed class Freeze : IRelayFault
{
    private readonly TaskCompletionSource _thawed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Thaw() => _thawed.TrySetResult();

    public async ValueTask ForwardAsync(ReadOnlyMemory<byte> bytes, Func<ReadOnlyMemory<byte>, ValueTask> send, CancellationToken cancellationToken)
    {
        await _thawed.Task.WaitAsync(cancellationToken);
        await send(bytes);
    }
}

/// <summary>Bytes are swallowed: the sender believes they arrived.</summary>
internal sealed class Blackhole : IRelayFault
{
    public ValueTask ForwardAsync(ReadOnlyMemory<byte> bytes, Func<ReadOnlyMemory<byte>, ValueTask> send, CancellationToken cancellationToken) => default;
}

/// <summary>Which way bytes go, seen from the client that connected to the relay.</summary>
[Flags]
internal enum RelayDirection
{
    ToTarget = 1,
    ToClient = 2,
    Both = ToTarget | ToClient,
}

/// <summary>
/// A TCP relay between the gateway and Redis or an upstream that can misbehave on command. Faults on bytes are applied with
/// <see cref="Apply"/> and end with <see cref="Heal"/>; faults on connections are methods of their own.
/// </summary>
internal sealed class FaultRelay : IAsyncDisposable
{
    private static readonly PassThrough Pass = new();

    private readonly IPEndPoint _target;
    private readonly ReservedPort _port = new();
    private readonly CancellationTokenSource _stopped = new();
    private readonly ConcurrentDictionary<Link, byte> _links = new();
    private readonly AwaitableCount _accepted = new();
    private readonly Lock _changing = new();
    private volatile Socket? _listener;
    private volatile IRelayFault _toTarget = Pass;
    private volatile IRelayFault _toClient = Pass;
    private long _bytesToTarget;

    private FaultRelay(IPEndPoint target)
    {
        _target = target;
    }

    public IPEndPoint EndPoint => _port.EndPoint;

    /// <summary>Connections ever accepted.</summary>
    public int ConnectionCount => _accepted.Count;

    public int OpenConnections => _links.Count;

    /// <summary>Bytes forwarded to the target, over all connections.</summary>
    public long BytesToTarget => Interlocked.Read(ref _bytesToTarget);

    public static FaultRelay Start(IPEndPoint target)
    {
        var relay = new FaultRelay(target);
        relay.Accept();
        return relay;
    }

    /// <summary>Puts <paramref name="fault"/> in the place of the one before, for open and new connections alike. A freeze that is replaced thaws.</summary>
    public void Apply(IRelayFault fault, RelayDirection direction = RelayDirection.Both)
    {
        lock (_changing)
        {
            var (oldToTarget, oldToClient) = (_toTarget, _toClient);
            if (direction.HasFlag(RelayDirection.ToTarget))
            {
                _toTarget = fault;
            }

            if (direction.HasFlag(RelayDirection.ToClient))
            {
                _toClient = fault;
            }

            ThawIfGone(oldToTarget);
            ThawIfGone(oldToClient);
        }

        void ThawIfGone(IRelayFault old)
        {
            if (old is Freeze freeze && old != _toTarget && old != _toClient)
            {
                freeze.Thaw();
            }
        }
    }

    /// <summary>Ends every fault: bytes pass, connections are accepted.</summary>
    public void Heal()
    {
        Apply(Pass);
        Accept();
    }

    /// <summary>Refuses new connections and resets the open ones, as a process that died does.</summary>
    public void Refuse()
    {
        lock (_changing)
        {
            _listener?.Dispose();
            _listener = null;
        }

        Cut();
    }

    /// <summary>Accepts connections again after <see cref="Refuse"/>.</summary>
    public void Accept()
    {
        lock (_changing)
        {
            ObjectDisposedException.ThrowIf(_stopped.IsCancellationRequested, this);
            if (_listener is null)
            {
                _listener = _port.Listen();
                _ = AcceptAsync(_listener);
            }
        }
    }

    /// <summary>Resets every open connection on both sides; new ones are accepted.</summary>
    public void Cut()
    {
        foreach (var link in _links.Keys)
        {
            link.Client.Reset();
            link.Target.Reset();
        }
    }

    /// <summary>Sends a FIN to one side of every open connection; the other direction goes on.</summary>
    public void HalfClose(RelayDirection direction)
    {
        foreach (var link in _links.Keys)
        {
            if (direction.HasFlag(RelayDirection.ToTarget))
            {
                ShutdownSend(link.Target);
            }

            if (direction.HasFlag(RelayDirection.ToClient))
            {
                ShutdownSend(link.Client);
            }
        }
    }

    public Task WaitForConnectionAsync(int number = 1, TimeSpan? within = null) =>
        Deadline.WaitAsync(_accepted.WhenAsync(number), $"connection {number} at the relay", within);

    public async ValueTask DisposeAsync()
    {
        await _stopped.CancelAsync();
        Refuse();
        _port.Dispose();
    }

    private static void ShutdownSend(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Already gone.
        }
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await listener.AcceptAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            client.NoDelay = true;
            _ = RelayAsync(new(client, new(_target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }));
        }
    }

    private async Task RelayAsync(Link link)
    {
        _links[link] = 0;
        _accepted.Increment();
        try
        {
            if (_listener is null)
            {
                // Accepted in the moment of Refuse, too late for its Cut.
                return;
            }

            await link.Target.ConnectAsync(_target, _stopped.Token);
            await Task.WhenAll(
                PumpAsync(link, link.Client, link.Target, RelayDirection.ToTarget),
                PumpAsync(link, link.Target, link.Client, RelayDirection.ToClient));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The target refused, or one side broke off: the client sees a reset, as it would have without the relay.
        }
        finally
        {
            link.Client.Reset();
            link.Target.Reset();
            _links.TryRemove(link, out _);
        }
    }

    private async Task PumpAsync(Link link, Socket from, Socket to, RelayDirection direction)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                var read = await from.ReceiveAsync(buffer, SocketFlags.None, _stopped.Token);
                var fault = direction == RelayDirection.ToTarget ? _toTarget : _toClient;
                await fault.ForwardAsync(buffer.AsMemory(0, read), SendAsync, _stopped.Token);
                if (read == 0)
                {
                    ShutdownSend(to);
                    return;
                }
            }
        }
        catch
        {
            // A reset on one side is a reset on the other, at once: the pump of the other direction may be waiting for bytes that never come.
            link.Client.Reset();
            link.Target.Reset();
            throw;
        }

        async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
        {
            await to.SendAllAsync(bytes, _stopped.Token);
            if (direction == RelayDirection.ToTarget)
            {
                Interlocked.Add(ref _bytesToTarget, bytes.Length);
            }
        }
    }

    private sealed record Link(Socket Client, Socket Target);
}
