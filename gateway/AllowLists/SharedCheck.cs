namespace WebhookEdge.AllowLists;

/// <summary>A check that several callers wait for: made once at a time, and stopped when nobody waits any more.</summary>
/// <param name="once">Makes it; calls <see cref="Ended"/> as its last act.</param>
internal sealed class SharedCheck(Func<CancellationToken, Task> once)
{
    private readonly Lock _lock = new();
    private Run? _run;
    private bool _isRunning;

    public bool IsRunning
    {
        get
        {
            lock (_lock)
            {
                return _isRunning;
            }
        }
    }

    /// <summary>Begins a check, or joins the one that runs. Throws only when <paramref name="cancellationToken"/> is cancelled.</summary>
    public async Task JoinAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Run run;
            lock (_lock)
            {
                if (!_isRunning || _run is null)
                {
                    _isRunning = true;
                    run = _run = new();

                    // On the pool: reading 2.6 MB of JSON is no work for a caller that holds the lock.
                    run.Task = Task.Run(() => once(run.Stop.Token), CancellationToken.None);
                }

                run = _run;
                run.Waiting++;
            }

            try
            {
                await run.Task.WaitAsync(cancellationToken);
                return;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                await LeaveAsync(run);
                throw;
            }
            catch (OperationCanceledException)
            {
                // The last of those who waited left just before: this caller still wants an answer.
            }
        }
    }

    /// <summary>The next one to come begins a check of his own.</summary>
    public void Ended()
    {
        lock (_lock)
        {
            _isRunning = false;
        }
    }

    /// <summary>Nobody is to wait longer than he wants to, and nothing goes on for nobody: who leaves last stops the check, and sees it end.</summary>
    private async Task LeaveAsync(Run run)
    {
        lock (_lock)
        {
            if (--run.Waiting > 0)
            {
                return;
            }
        }

        await run.Stop.CancelAsync();
        await run.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>One asking of the source, and how many wait for it.</summary>
#pragma warning disable CA1001 // A source without timer or wait handle holds nothing to dispose.
    private sealed class Run
#pragma warning restore CA1001
    {
        public CancellationTokenSource Stop { get; } = new();

        public Task Task { get; set; } = Task.CompletedTask;

        public int Waiting { get; set; }
    }
}
