using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.AllowLists;
using WebhookEdge.Gate;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.Observability;
using WebhookEdge.RateLimits;
using WebhookEdge.Replay;
using WebhookEdge.Routes;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Reload;

/// <summary>
/// A file that is refused once moved the state directory, changed live lists, opened Redis and made counters: F6. Nothing may differ after it.
/// </summary>
public sealed class RefusedFileTests
{
    private const string Good = """
        { "edge": { "redis": "file:{dir}/redis", "stateDirectory": "{dir}/state", "limits": { "concurrentRequests": 900, "bufferedBodies": "64MiB", "rememberedEvents": 20000 } },
          "addressSets": { "senders": { "json": { "url": "file:{dir}/list.json", "pointer": "", "refresh": "1h" } } },
          "routes": { "hook": { "path": "/hook", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "allow": ["senders"], "upstream": "{upstream}",
            "rateLimit": { "route": { "permits": 1000, "window": "1m" }, "address": { "permits": 1000, "window": "1m" } } } } }
        """;

    /// <summary>Everything is another: edge, list, schedule, budgets, secrets, routes. One key of one route is wrong.</summary>
    private const string Bad = """
        { "edge": { "redis": "file:{dir}/redis2", "stateDirectory": "{dir}/elsewhere", "limits": { "concurrentRequests": 3, "bufferedBodies": "4MiB", "rememberedEvents": 30000 } },
          "addressSets": { "senders": { "json": { "url": "file:{dir}/list.json", "pointer": "", "refresh": "2s" } }, "more": { "json": { "url": "file:{dir}/more.json", "pointer": "" } } },
          "routes": {
            "hook": { "path": "/hook", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret", "file:{dir}/secret2"] }], "allow": ["senders", "more"], "upstream": "{upstream}",
              "rateLimit": { "route": { "permits": 7, "window": "1m" }, "address": { "permits": 7, "window": "1m" } } },
            "new": { "path": "/new", "provider": "cr3dentials", "secrets": ["file:{dir}/secret2"], "upstream": "{upstream}", "rateLimit": { "route": { "permits": 5, "window": "1m" } }, "maxBody": "2GiB" } } }
        """;

    [Fact]
    public async Task A_refused_file_leaves_lists_directory_links_budgets_secrets_counters_and_gauges_as_they_were()
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await using var other = await RedisServer.StartAsync();
        await using var gateway = await StartAsync(upstream, redis, other);
        (await gateway.SendAsync(Hook.Event("before"))).AssertDelivered();
        await gateway.QuietAsync();
        var before = await ReadAsync(gateway, other);

        Assert.False(await gateway.ReloadAsync(Bad));

        Assert.Contains(gateway.Reloader.Status.Problems, static problem => problem.Path == "routes.new.maxBody");
        Assert.Equal(before, await ReadAsync(gateway, other));
        Assert.False(Directory.Exists(Path.Combine(gateway.Directory, "elsewhere")));
        (await gateway.SendAsync(Hook.Event("after"))).AssertDelivered();
    }

    /// <summary>The proxy has the last word; what was acquired for the revision it refuses is given back.</summary>
    [Fact]
    public async Task A_revision_that_the_proxy_refuses_leaves_nothing_behind()
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await using var other = await RedisServer.StartAsync();
        await using var gateway = await StartAsync(upstream, redis, other);
        var before = Lists(gateway);
        var pools = gateway.Host.Services.GetRequiredService<ResourcePools>();
        var loaded = await gateway.Host.Services.GetRequiredService<RoutesLoader>().LoadAsync(
            System.Text.Encoding.UTF8.GetBytes(gateway.Fill(Bad.Replace("2GiB", "2MiB", StringComparison.Ordinal))), CompileMode.WithSecrets,
            CancellationToken.None);

        pools.Acquire(loaded.Compiled!);
        Assert.NotEqual(before, Lists(gateway));
        await pools.RevertAsync(gateway.Host.Services.GetRequiredService<SnapshotProvider>().Current);

        Assert.Equal(before, Lists(gateway));
        Assert.Equal(Path.Combine(gateway.Directory, "state"), gateway.Host.Services.GetRequiredService<AddressListPool>().StateDirectory);
        Assert.Equal(1, gateway.Host.Services.GetRequiredService<ReplayGuard>().State.Stores);
        Assert.NotNull(gateway.Metrics.Observe("webhookedge.observing", ("route", "hook")));
        Assert.Empty(gateway.Metrics.Of("webhookedge.observing", ("route", "new")));
        Assert.Single(gateway.Host.Services.GetRequiredService<SecretUse>().All());
        (await gateway.SendAsync(Hook.Event("after"))).AssertDelivered();
    }

    private static Task<TestGateway> StartAsync(TestUpstream upstream, RedisServer redis, RedisServer other) =>
        TestGateway.StartAsync(Good, upstream.Address, new Dictionary<string, string>(Hook.SecretsWith(redis))
    {
        ["redis2"] = other.ConnectionString,
        ["secret2"] = "another-secret-of-thirty-two-bytes",
        ["list.json"] = """["127.0.0.1"]""",
        ["more.json"] = """["127.0.0.2"]""",
    });

    private static string Lists(TestGateway gateway) => string.Join('\n', gateway.Host.Services.GetRequiredService<AddressListPool>().Feeds
        .SelectMany(static feed =>
            feed.Lists.Select(list => $"{list.Name} every {feed.Refresh} alarm {feed.AlarmAfter} with {list.PrefixCount} of {list.LoadedAt is not null}")));

    /// <summary>What the gateway keeps outside of revisions, one line each, so that a difference names itself.</summary>
    private static async Task<string> ReadAsync(TestGateway gateway, RedisServer other)
    {
        var services = gateway.Host.Services;
        var capacity = services.GetRequiredService<Capacity>();
        var replay = services.GetRequiredService<ReplayGuard>().State;
        using var client = new HttpClient { BaseAddress = gateway.Admin };
        var scrape = await client.GetStringAsync(new Uri("/metrics", UriKind.Relative));

        // Names and tags of every series that is about a route, a secret or a list; the values of those that nobody but a reload changes.
        var series = scrape.Split('\n').Where(static line => line.StartsWith("webhookedge_", StringComparison.Ordinal)
            && !line.Contains("configuration", StringComparison.Ordinal)
            && (line.Contains("route=", StringComparison.Ordinal) || line.Contains("list=", StringComparison.Ordinal)
                || line.Contains("secret=", StringComparison.Ordinal)))
            .Select(static line => line[..line.LastIndexOf(' ')]).Order(StringComparer.Ordinal);
        var connected = (await other.CommandAsync("INFO", "clients"))!.Split('\n')
            .Single(static line => line.StartsWith("connected_clients:", StringComparison.Ordinal)).Trim();
        return string.Join('\n',
        [
            $"revision {services.GetRequiredService<SnapshotProvider>().Current.RevisionId}",
            $"directory {services.GetRequiredService<AddressListPool>().StateDirectory}",
            Lists(gateway),
            $"stores {replay.Stores}, remembered {replay.MemoryLimit}",
            $"budgets {services.GetRequiredService<RateLimiterPool>().Count}",
            $"limits {capacity.MaxRequests} {capacity.MaxBufferedBytes}",
            $"secrets {string.Join(' ', services.GetRequiredService<SecretUse>().All().Select(static use => use.SecretId))}",
            $"at the other Redis, this test's question included: {connected}",
            .. series,
        ]);
    }
}
