using System.Collections.Concurrent;
using StackExchange.Redis;
using WebhookEdge.Observability;

namespace WebhookEdge.Replay;

/// <summary>
/// The connection of a <see cref="RedisReplayStore"/>: made in the background, made again when its first making failed, asked with a deadline for each command.
/// What goes wrong with it is told once a cause until the server has answered again.
/// </summary>
/// <param name="greet">Asks a server just connected to; after a failover it may be another one.</param>
internal sealed class RedisConnection(ConfigurationOptions options, TimeProvider time, ILogger logger, TimeSpan deadline, Func<ValueTask> greet)
    : IAsyncDisposable
{
    /// <summary>Causes of one outage that are told.</summary>
    private const int MostTold = 16;

    private readonly bool _sendsPassword = !string.IsNullOrEmpty(options.Password);
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, bool> _told = new(StringComparer.Ordinal);
    private Task<ConnectionMultiplexer>? _connecting;
    private volatile string? _connectingFault;
    private bool _disposed;

    /// <summary>Begins to connect, for the first time and after a try that failed.</summary>
    public void Open()
    {
        options.ConnectionAttemptCompleted += (_, attempt) => Attempted(attempt);
        _ = StartConnecting();
    }

    /// <summary>One command, one deadline. Whatever goes wrong is a <see cref="ReplayStoreException"/>.</summary>
    public async ValueTask<T> RunAsync<T, TCommand>(Func<IDatabase, TCommand, Task<T>> send, TCommand command)
    {
        Task<T>? pending = null;
        try
        {
            var begin = time.GetTimestamp();
            var connecting = StartConnecting();
            var connection = connecting.IsCompletedSuccessfully ? connecting.Result : await connecting.WaitAsync(deadline, time);
            var left = deadline - time.GetElapsedTime(begin);
            pending = send(connection.GetDatabase(), command);
            return await pending.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time);
        }
        catch (Exception exception)
        {
            // An answer after the deadline is nobody's, and its fault must not surface as unobserved.
            _ = pending?.ContinueWith(static late => _ = late.Exception, CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

            // A connection that breaks may fail its commands on the library's own threads: what a caller does next must not hold those up.
            await Task.Yield();
            throw RedisFault.Of(exception, _connectingFault);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task<ConnectionMultiplexer>? connecting;
        lock (_gate)
        {
            _disposed = true;
            connecting = _connecting;
        }

        if (connecting is not null)
        {
            try
            {
                var connection = await connecting.WaitAsync(TimeSpan.FromSeconds(2), time);

                // Whatever mattered was awaited before; what is still pending had its deadline.
                await connection.CloseAsync(allowCommandsToComplete: false).WaitAsync(TimeSpan.FromSeconds(2), time);
                connection.Dispose();
            }
            catch (Exception)
            {
                // It never connected, or does not close: nothing depends on it any more.
            }
        }
    }

    private Task<ConnectionMultiplexer> StartConnecting()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);

            // Faulted: the host name did not resolve, say. The breaker spaces the attempts.
            if (_connecting is null || _connecting.IsFaulted || _connecting.IsCanceled)
            {
                _connecting = Task.Run(ConnectAsync);
            }

            return _connecting;
        }
    }

    private async Task<ConnectionMultiplexer> ConnectAsync()
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(options);
        connection.ConnectionFailed += (_, e) =>
        {
            if (e.ConnectionType == ConnectionType.Interactive)
            {
                Tell(e.EndPoint, RedisFault.Of(e, _sendsPassword));
            }
        };
        connection.ConnectionRestored += (_, e) =>
        {
            if (e.ConnectionType == ConnectionType.Interactive && e.EndPoint is { } restored)
            {
                _ = Task.Run(() => GreetAsync(connection.GetServer(restored)));
            }
        };
        foreach (var server in connection.GetServers())
        {
            if (server.IsConnected)
            {
                _ = Task.Run(() => GreetAsync(server));
            }
        }

        return connection;
    }

    /// <summary>Each attempt to connect, of which the library repeats one that fails about twice a second.</summary>
    private void Attempted(ConnectionAttemptCompletedEventArgs attempt)
    {
        if (attempt.ConnectionType != ConnectionType.Interactive)
        {
            return;
        }

        if (attempt.IsSuccess)
        {
            _connectingFault = null;
        }
        else if (RedisFault.Of(attempt, _sendsPassword) is { } fault)
        {
            _connectingFault = fault == RedisFault.Closed ? _connectingFault ?? fault : fault;
            Tell(attempt.EndPoint, fault);
        }
    }

    /// <summary>A line for each cause until the server has answered again, not one for each attempt: causes may take turns.</summary>
    private void Tell(System.Net.EndPoint? endPoint, string fault)
    {
        if ((fault != RedisFault.Closed || _told.IsEmpty) && _told.Count < MostTold && _told.TryAdd(fault, true))
        {
            logger.RedisConnectionFailed(RedisAddress.Show(endPoint), fault);
        }
    }

    /// <summary>Looks at how a server just connected to is set up; after a failover it may be another one. Advice only: no fault here is the store's.</summary>
    private async Task GreetAsync(IServer server)
    {
        var endPoint = RedisAddress.Show(server.EndPoint);
        logger.RedisConnected(endPoint);
        try
        {
            // A claim nobody makes: finds out here, not in a delivery, whether the server knows SET with NX and GET.
            await greet();
            _told.Clear();
        }
        catch (ReplayStoreException)
        {
            // Deliveries will say so.
        }

        try
        {
            // Not CONFIG GET, which managed services forbid.
            var memory = await server.InfoRawAsync("memory");
            var at = memory?.IndexOf("maxmemory_policy:", StringComparison.Ordinal) ?? -1;
            var policy = at < 0 ? "" : memory![(at + "maxmemory_policy:".Length)..].Split('\r', '\n')[0];
            if (policy.Length == 0)
            {
                logger.RedisKeepsItsPolicy(endPoint, "INFO does not name it");
            }
            else if (policy is not ("noeviction" or "volatile-ttl"))
            {
                logger.RedisMayEvict(endPoint, policy);
            }
        }
        catch (Exception exception)
        {
            logger.RedisKeepsItsPolicy(endPoint, RedisFault.Of(exception, _connectingFault).Message);
        }
    }
}
