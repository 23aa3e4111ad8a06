using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.Routes;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Reload;

/// <summary>The value behind <c>edge.redis</c> changes while the gateway runs; nothing in routes.json does.</summary>
public sealed class RotatedRedisTests
{
    [Fact]
    public async Task A_rotated_password_is_used_by_every_route_at_once_and_the_connection_in_use_outlives_later_reloads()
    {
        var clock = new TestClock();
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await SetPasswordAsync(redis, "first");
        static string Routes(int timeout) => Hook.Routes($$""" "timeout": "{{timeout}}s", "replay": { "onStoreError": "closed" } """, Hook.WithRedis);
        await using var gateway = await TestGateway.StartAsync(
            Routes(5), upstream.Address, new Dictionary<string, string>(Hook.Secrets) { ["redis"] = $"{redis.ConnectionString},password=first" }, clock);
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();
        var first = gateway.Reloader.Status.Revision;

        // Nobody with the old password gets in any more, and who was in is out.
        await SetPasswordAsync(redis, "second");
        await redis.CommandAsync("CLIENT", "KILL", "TYPE", "normal");
        gateway.WriteSecret("redis", $"{redis.ConnectionString},password=second");
        await gateway.ReloadAsync(Routes(5));

        Assert.NotEqual(first, gateway.Reloader.Status.Revision);
        AssertServed(gateway);
        (await gateway.SendAsync(Hook.Event("two"))).AssertDelivered();

        // The old connection's time is over now: the next reloads close it, and not the one in use.
        for (var timeout = 6; timeout < 9; timeout++)
        {
            await gateway.QuietAsync();
            clock.Advance(TimeSpan.FromMinutes(11));
            var reload = gateway.ReloadAsync(Routes(timeout));
            while (!reload.IsCompleted)
            {
                // Closing waits a moment for what a store is still owed, by the clock.
                await Hook.PassAsync(TimeSpan.FromMilliseconds(10));
                clock.Advance(TimeSpan.FromMilliseconds(50));
            }

            Assert.True(await reload);
            AssertServed(gateway);
            (await gateway.SendAsync(Hook.Event($"at {timeout}"))).AssertDelivered();
        }

        (await gateway.SendAsync(Hook.Event("two"))).AssertDuplicate();
        Assert.Equal(5, (await redis.CommandAsync("KEYS", "*"))!.Split(' ').Length);
        upstream.AssertEachOnce(["one", "two", "at 6", "at 7", "at 8"]);
    }

    private static async Task SetPasswordAsync(RedisServer redis, string password)
    {
        await redis.CommandAsync("CONFIG", "SET", "requirepass", password);
        redis.Password = password;
    }

    /// <summary>What is said to be in force is what requests meet, object by object.</summary>
    private static void AssertServed(TestGateway gateway)
    {
        var snapshot = gateway.Host.Services.GetRequiredService<SnapshotProvider>().Current;
        Assert.Equal(gateway.Reloader.Status.Revision, snapshot.RevisionId);
        Assert.Empty(gateway.Host.Services.GetRequiredService<PublishedEndpoints>().Strays(snapshot));
    }
}
