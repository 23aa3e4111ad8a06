namespace WebhookEdge.Authentication.Verifiers;

/// <summary>Fetches keys again before they expire, so that no delivery waits for it and a publisher's bad hour is not noticed.</summary>
internal sealed class KeyRefresher(RemoteKeys keys, TimeProvider time) : BackgroundService
{
    /// <summary>How often it is looked what is due; the shortest-lived keys live an hour.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            await keys.RefreshDueAsync(stoppingToken);
        }
    }
}
