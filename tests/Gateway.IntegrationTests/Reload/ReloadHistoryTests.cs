using System.Collections.Concurrent;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Reload;

public sealed class ReloadHistoryTests
{
    [Fact]
    public async Task A_revision_is_never_seen_with_the_time_of_another()
    {
        var clock = new TestClock();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets, time: clock);
        var seen = new ConcurrentDictionary<(string Revision, DateTimeOffset At), bool>();
        using var done = new CancellationTokenSource();
        var reading = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                var history = gateway.Reloader.History;
                seen.TryAdd((history.Status.Revision, history.TakenAt), true);
            }
        });
        var taken = new HashSet<(string, DateTimeOffset)> { (gateway.Reloader.Status.Revision, gateway.Reloader.History.TakenAt) };
        for (var round = 0; round < 8; round++)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            Assert.True(await gateway.ReloadAsync(Hook.Routes(round % 2 == 0 ? """ "methods": ["PUT"] """ : """ "methods": ["POST"] """)));
            taken.Add((gateway.Reloader.Status.Revision, clock.GetUtcNow()));
        }

        await done.CancelAsync();
        await reading.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Subset(taken, seen.Keys.ToHashSet());
        Assert.NotEmpty(seen);
    }
}
