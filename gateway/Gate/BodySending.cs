namespace WebhookEdge.Gate;

/// <summary>Connections that read a delivery's body to send it to an upstream: none may when the buffers go back to the server.</summary>
internal sealed class BodySending
{
    private int _connections;
    private TaskCompletionSource? _done;
    private CancellationTokenSource? _stop;
    private volatile bool _stopped;

    /// <summary>A connection begins to read the body.</summary>
    /// <returns>Cancelled when the body must not be read any more; <see cref="Stop"/>.</returns>
    public CancellationTokenSource Begin()
    {
        Interlocked.Increment(ref _connections);

        // The client ends an attempt by its own token, and may make another of the same content: a stream that was refused unprocessed is sent again.
        if (_stop is { IsCancellationRequested: true } ended && !_stopped)
        {
            ended.Dispose();
            _stop = null;
        }

        return _stop ??= new();
    }

    /// <summary>Ends writes of the body that still wait for the upstream to read.</summary>
    public Task Stop()
    {
        _stopped = true;
        return _stop?.CancelAsync() ?? Task.CompletedTask;
    }

    /// <summary>A connection will not touch the body again.</summary>
    public void End()
    {
        if (Interlocked.Decrement(ref _connections) == 0)
        {
            Volatile.Read(ref _done)?.TrySetResult();
        }
    }

    /// <summary>
    /// Completes when no connection reads the body any more. An upstream may answer before it has read everything (HTTP/2); the buffers must not go
    /// back to the server, and from there to another request, while they are still being sent.
    /// </summary>
    public Task WhenDone()
    {
        if (Volatile.Read(ref _connections) == 0)
        {
            return Task.CompletedTask;
        }

        var waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _done, waiting);
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref _connections) == 0 ? Task.CompletedTask : waiting.Task;
    }

    public void Reset()
    {
        _done = null;
        _stopped = false;
        if (_stop is { } stop && !stop.TryReset())
        {
            stop.Dispose();
            _stop = null;
        }
    }
}
