using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.IntegrationTests.Reload;

/// <summary>routes.json changes while the gateway runs.</summary>
public sealed class ReloadTests
{
    [Fact]
    public async Task Two_hundred_reloads_under_traffic_fail_no_request_and_mix_no_revisions()
    {
        // Each revision has its own upstream, its own secret (of equal value) and its own transform; a request must see three of one kind.
        await using var even = TestUpstream.Start();
        await using var odd = TestUpstream.Start();
        var placeholders = new Dictionary<string, string> { ["{even}"] = even.Address, ["{odd}"] = odd.Address };
        static string Revision(int number)
        {
            var kind = number % 2 == 0 ? "even" : "odd";
            return $$"""
                { "routes": { "hook": { "path": "/hook", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/{{kind}}"] }], "upstream": "{{{kind}}}",
                  "timeout": "{{8000 + number}}ms", "transforms": [{ "RequestHeader": "X-Revision", "Set": "{{kind}}" }] } } }
                """;
        }

        await using var gateway = await TestGateway.StartAsync(Revision(0),
            secrets: new Dictionary<string, string> { ["even"] = Hook.Secret, ["odd"] = Hook.Secret }, placeholders: placeholders);
        var stop = false;
        var answers = new ConcurrentBag<RawResponse>();
        var sent = 0;
        var senders = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            await using var client = await gateway.ConnectAsync();
            while (!Volatile.Read(ref stop))
            {
                answers.Add(await client.ExchangeAsync(Hook.Event($"event {Interlocked.Increment(ref sent)}")));
            }
        })).ToArray();

        // More where the senders were slow: both kinds must have had traffic.
        for (var number = 1; number <= 200 || (number <= 5000 && Math.Min(even.Requests.Count, odd.Requests.Count) <= 50); number++)
        {
            Assert.True(await gateway.ReloadAsync(Revision(number)), $"revision {number} is taken");
        }

        Volatile.Write(ref stop, true);
        await Deadline.WaitAsync(Task.WhenAll(senders), "the senders to end");

        Assert.True(answers.All(static a => a.Status == 200), $"{answers.Count(static a => a.Status != 200)} not delivered:\n{Told(gateway)}");
        Assert.All(answers, static a => a.AssertDelivered());
        Assert.Equal(sent, even.Requests.Count + odd.Requests.Count);
        Assert.True(even.Requests.Count > 50 && odd.Requests.Count > 50, "both kinds had traffic");
        foreach (var (upstream, kind) in new[] { (even, "even"), (odd, "odd") })
        {
            Assert.All(upstream.Requests,
                r => Assert.Equal((kind, $"file:{gateway.Directory}/{kind}"), (r.Headers["X-Revision"], r.Headers["X-Webhook-Key-Id"])));
        }
    }

    [Fact]
    public async Task The_first_request_of_all_may_come_while_a_reload_is_under_way()
    {
        await using var upstream = TestUpstream.Start();
        var filter = new HoldingFilter();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets,
            services: services => services.AddSingleton<IProxyConfigFilter>(filter));
        var (reached, open) = filter.HoldNext();
        var reload = gateway.ReloadAsync(Hook.Routes(""" "timeout": "3s" """));
        await Deadline.WaitAsync(reached, "the reload to be under way");

        var answer = await gateway.SendAsync(Hook.Event("one"));
        open();

        answer.AssertDelivered();
        Assert.True(await reload);
        (await gateway.SendAsync(Hook.Event("two"))).AssertDelivered();
        Assert.Empty(gateway.Logs.WithEvent(1100));
    }

    private static string Told(TestGateway gateway) =>
        string.Join('\n', gateway.Logs.Entries.Where(static e => e.Level >= LogLevel.Warning).Take(20));

    [Fact]
    public async Task A_request_in_flight_finishes_under_the_rules_it_started_with()
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.RespondNext(UpstreamAnswer.Ok.HeldUntil(gate.Task));
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
        await using var client = await gateway.ConnectAsync();
        await client.SendAsync(Hook.Event("one"));
        await upstream.WaitForRequestAsync();

        Assert.True(await gateway.ReloadAsync(Hook.Routes().Replace("/hook", "/elsewhere", StringComparison.Ordinal)));
        gate.SetResult();

        (await client.ReadResponseAsync()).AssertDelivered();
        Assert.Equal(404, (await client.ExchangeAsync(Hook.Event("two"))).Status);
        Assert.Single(upstream.Requests);
    }

    [Fact]
    public async Task A_cluster_that_moves_takes_the_traffic_with_it()
    {
        await using var here = TestUpstream.Start();
        await using var there = TestUpstream.Start();
        static string Routes(TestUpstream upstream) =>
            Hook.Routes(""" "cluster": "app" """, $$""" "clusters": { "app": { "Destinations": { "a": { "Address": "{{upstream.Address}}" } } } } """);
        await using var gateway = await TestGateway.StartAsync(Routes(here), secrets: Hook.Secrets);
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();

        Assert.True(await gateway.ReloadAsync(Routes(there)));
        (await gateway.SendAsync(Hook.Event("two"))).AssertDelivered();

        here.AssertEachOnce(["one"]);
        there.AssertEachOnce(["two"]);
    }

    [Fact]
    public async Task Budgets_and_the_replay_memory_outlive_a_reload()
    {
        await using var upstream = TestUpstream.Start();
        static string Routes(int timeout) => Hook.Routes($$""" "timeout": "{{timeout}}s", "rateLimit": { "route": { "permits": 3, "window": "1h" } } """);
        await using var gateway = await TestGateway.StartAsync(Routes(5), upstream.Address, Hook.Secrets);
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();

        Assert.True(await gateway.ReloadAsync(Routes(6)));
        (await gateway.SendAsync(Hook.Event("one"))).AssertDuplicate();
        Assert.True(await gateway.ReloadAsync(Routes(7)));
        (await gateway.SendAsync(Hook.Event("two"))).AssertDelivered();
        var spent = await gateway.SendAsync(Hook.Event("three"));

        Assert.Equal(429, spent.Status);
        Assert.NotNull(spent.Headers["Retry-After"]);
        upstream.AssertEachOnce(["one", "two"]);
    }

    [Fact]
    public async Task A_bad_file_changes_nothing_and_says_why_and_the_next_good_one_is_taken()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
        var first = gateway.Reloader.Status;
        Assert.True(first.Successful);

        Assert.False(await gateway.ReloadAsync("""{ "routes": { "hook": { "path": "hook", "upstrem": "x", "allow": ["300.1.1.1"] } } }"""));
        Assert.Equal(0, gateway.Metrics.Observe("webhookedge.config.last_reload_successful"));
        Assert.False(gateway.Reloader.Status.Successful);
        Assert.Equal(first.Revision, gateway.Reloader.Status.Revision);
        var problems = gateway.Reloader.Status.Problems.Where(static p => !p.IsWarning).ToArray();
        Assert.NotEmpty(problems);
        Assert.Equal(problems.Select(static p => p.ToString()), gateway.Logs.WithEvent(5101).Select(static l => (string)l["Problem"]!));
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();

        Assert.True(await gateway.ReloadAsync(Hook.Routes(""" "timeout": "3s" """)));
        Assert.Equal(1, gateway.Metrics.Observe("webhookedge.config.last_reload_successful"));
        Assert.NotEqual(first.Revision, gateway.Reloader.Status.Revision);
        (await gateway.SendAsync(Hook.Event("two"))).AssertDelivered();
    }

    [Fact]
    public async Task The_last_word_of_the_log_after_a_bad_file_was_changed_back_is_that_all_is_good_again()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
        var revision = gateway.Reloader.Status.Revision;

        Assert.False(await gateway.ReloadAsync("""{ "routes": 1 }"""));
        Assert.NotEmpty(gateway.Logs.WithEvent(5101));
        Assert.Empty(gateway.Logs.WithEvent(5109));
        Assert.False(await gateway.ReloadAsync(Hook.Routes()));

        Assert.True(gateway.Reloader.Status.Successful);
        Assert.Equal(revision, Assert.Single(gateway.Logs.WithEvent(5109))["Revision"]);

        // Once, and only after a refusal.
        Assert.False(await gateway.ReloadAsync(Hook.Routes() + "\n"));
        Assert.Single(gateway.Logs.WithEvent(5109));
    }

    public static TheoryData<string, string, string> AgainstYarp => new()
    {
        { """ "transforms": [{ "Bogus": "x" }] """, "", "routes.hook" },
        { """ "cluster": "app" """,
            """ "clusters": { "app": { "LoadBalancingPolicy": "Bogus", "Destinations": { "a": { "Address": "http://127.0.0.1:9" } } } } """, "clusters.app" },
        { """ "cluster": "app" """, """ "clusters": { "app": { "Destinations": { "a": { "Address": "http://127.0.0.1:9" } }, "HealthCheck": { "Active": { "Enabled": true, "Interval": "soon" } } } } """, "clusters.app" },
    };

    [Theory]
    [MemberData(nameof(AgainstYarp))]
    public async Task What_Yarp_refuses_is_refused_with_its_place_and_changes_nothing(string route, string file, string place)
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);

        Assert.False(await gateway.ReloadAsync(Hook.Routes(route, file)));

        Assert.Contains(gateway.Reloader.Status.Problems, p => !p.IsWarning && p.Path.StartsWith(place, StringComparison.Ordinal));
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();
        Assert.True(await gateway.ReloadAsync(Hook.Routes(""" "timeout": "3s" """)));
    }

    [Fact]
    public async Task A_connection_string_that_is_none_is_a_problem_and_not_a_crash()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address,
            new Dictionary<string, string>(Hook.Secrets) { ["redis"] = "127.0.0.1:6379,passwort=hush-hush-1" });

        Assert.False(await gateway.ReloadAsync(Hook.Routes(file: Hook.WithRedis)));

        var problem = Assert.Single(gateway.Reloader.Status.Problems, static p => !p.IsWarning);
        Assert.Equal("edge.redis", problem.Path);
        Assert.Empty(gateway.Logs.WithEvent(5102));
        Assert.DoesNotContain("hush-hush-1", gateway.Logs.Everything);
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();
    }

    /// <summary>Keeps YARP from taking a revision until it is let.</summary>
    private sealed class HoldingFilter : IProxyConfigFilter
    {
        private volatile TaskCompletionSource? _reached;
        private volatile TaskCompletionSource? _open;

        public (Task Reached, Action Open) HoldNext()
        {
            var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            (_open, _reached) = (open, reached);
            return (reached.Task, open.SetResult);
        }

        public ValueTask<ClusterConfig> ConfigureClusterAsync(ClusterConfig cluster, CancellationToken cancel) => new(cluster);

        public async ValueTask<RouteConfig> ConfigureRouteAsync(RouteConfig route, ClusterConfig? cluster, CancellationToken cancel)
        {
            _reached?.TrySetResult();
            await (_open?.Task ?? Task.CompletedTask);
            return route;
        }
    }
}
