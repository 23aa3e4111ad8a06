using System.Net;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Reload;

/// <summary>
/// What <c>edge.redis</c> names moves to another server: nothing that the old one was owed is lost, and the old one is asked nothing that must be answered.
/// </summary>
public sealed class MovedRedisTests
{
    [Fact]
    public async Task Commits_owed_to_a_server_that_is_gone_reach_its_successor_and_forgetting_needs_the_successor_alone()
    {
        await using var upstream = TestUpstream.Start();
        await using var first = await RedisServer.StartAsync();
        await using var second = await RedisServer.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes("", Hook.WithRedis), upstream.Address, Hook.SecretsWith(first));
        (await gateway.SendAsync(Hook.Event("before"))).AssertDelivered();
        await first.KillAsync();
        (await gateway.SendAsync(Hook.Event("meanwhile"))).AssertDelivered();
        var replay = gateway.Host.Services.GetRequiredService<ReplayGuard>();
        await Deadline.UntilAsync(() => replay.State.Queued > 0, "the commit is owed");

        gateway.WriteSecret("redis", second.ConnectionString);
        Assert.True(await gateway.ReloadAsync(Hook.Routes(""" "timeout": "7s" """, Hook.WithRedis)));

        await Deadline.UntilAsync(() => replay.State.Queued == 0, "what was owed is written to the second server");
        Assert.Contains(RedisReplayStore.KeyPrefix + upstream.Requests[1].Headers["X-Webhook-Event-Key"], await second.CommandAsync("KEYS", "*"),
            StringComparison.Ordinal);

        (await gateway.SendAsync(Hook.Event("meanwhile"))).AssertDuplicate();
        using var client = new HttpClient { BaseAddress = gateway.Admin };
        using var forgotten = await client.PostAsync(new Uri($"/api/replay/hook/forget?key={upstream.Requests[1].Headers["X-Webhook-Event-Key"]}",
            UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.OK, forgotten.StatusCode);
        (await gateway.SendAsync(Hook.Event("meanwhile"))).AssertDelivered();
    }
}
