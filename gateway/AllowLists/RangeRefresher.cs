namespace WebhookEdge.AllowLists;

/// <summary>
/// Keeps every list of the pool current: one loop that sleeps until the next document is due or somebody asks. A slow source delays no other.
/// </summary>
internal sealed class RangeRefresher(AddressListPool pool) : BackgroundService
{
    /// <summary>Longest sleep; timers do not take more than 49 days.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    /// <summary>
    /// Checks every document that is due or asked for, and returns when all have been answered. Failures are no exceptions: they are in the lists, log and
    /// metrics.
    /// </summary>
    public Task RefreshOnceAsync(CancellationToken cancellationToken) => Task.WhenAll(StartDue(cancellationToken));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var running = new List<Task>();
        while (!stoppingToken.IsCancellationRequested)
        {
            running.RemoveAll(task => task.IsCompleted);
            running.AddRange(StartDue(stoppingToken));
            var wait = pool.Feeds.Select(feed => feed.Wait()).Min() ?? LongestWait;
            await pool.WaitAsync(wait < LongestWait ? wait : LongestWait, stoppingToken);
        }

        await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private List<Task> StartDue(CancellationToken cancellationToken) =>
        [.. pool.Feeds.Where(feed => feed.Wait() == TimeSpan.Zero).Select(feed => feed.CheckAsync(cancellationToken))];
}
