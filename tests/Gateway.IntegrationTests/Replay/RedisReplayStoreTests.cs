using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Replay;

public sealed class RedisReplayStoreTests : IAsyncLifetime
{
    // On a machine with other work an answer may take longer than a delivery would wait for it.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(10);
    private RedisServer _redis = null!;
    private RedisReplayStore _store = null!;

    public async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _store = await OpenAsync();
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Agrees_with_the_model_on_any_sequence_of_commands(bool claimByScript)
    {
        await using var store = await OpenAsync(claimByScript);
        var run = 0;
        Prop.ForAll<byte[]>(commands => Task.Run(async () =>
        {
            var first = 4 * run++;
            var keys = Enumerable.Range(first, 4).Select(Key).ToArray();
            await ReplayStoreModel.RunAsync(store, keys, commands ?? [], by => AgeAsync(keys, by));
        }).GetAwaiter().GetResult()).Check(Config.QuickThrowOnFailure.WithMaxTest(60).WithEndSize(80));
    }

    [Fact]
    public async Task Of_a_hundred_concurrent_claims_one_gets_the_key()
    {
        await using var other = await OpenAsync();

        var answers = await Task.WhenAll(Enumerable.Range(1, 100)
            .Select(owner => (owner % 2 == 0 ? _store : other).ClaimAsync(Key(1), (ulong)owner, s_lease).AsTask()));

        var winner = Array.FindIndex(answers, answer => answer.State == ClaimState.Claimed);
        Assert.Single(answers, answer => answer.State == ClaimState.Claimed);
        Assert.Equal(99, answers.Count(answer => answer == new ClaimAnswer(ClaimState.InFlight, Owner: (ulong)winner + 1)));
    }

    [Fact]
    public async Task Keys_and_values_are_what_an_operator_looks_for()
    {
        var name = RedisReplayStore.KeyPrefix + Key(1);
        await _store.ClaimAsync(Key(1), 0xAB, s_lease);
        var pending = await _redis.CommandAsync("GET", name);
        var lease = int.Parse((await _redis.CommandAsync("PTTL", name))!, CultureInfo.InvariantCulture);
        await _store.CommitAsync(Key(1), 202, TimeSpan.FromHours(1));
        var done = await _redis.CommandAsync("GET", name);
        var ttl = int.Parse((await _redis.CommandAsync("PTTL", name))!, CultureInfo.InvariantCulture);

        Assert.Equal("P:00000000000000ab", pending);
        Assert.InRange(lease, 5_000, 10_000);
        Assert.Matches(@"^D:202:\d{10}$", done);
        Assert.InRange(ttl, 3_500_000, 3_600_000);
    }

    [Fact]
    public async Task A_marker_holds_the_trace_of_its_delivery_and_one_without_is_read_as_before()
    {
        var trace = new TraceRef(UInt128.MaxValue - 5, 7);
        await _store.CommitAsync(Key(1), 200, TimeSpan.FromHours(1), trace);
        await _redis.CommandAsync("SET", RedisReplayStore.KeyPrefix + Key(2), "D:202:1732180000");
        await _redis.CommandAsync("SET", RedisReplayStore.KeyPrefix + Key(3), "D:202:1732180000:something-of-tomorrow");

        Assert.Equal(new ClaimAnswer(ClaimState.Done, Status: 200, Trace: trace), await _store.ClaimAsync(Key(1), 1, s_lease));
        Assert.Equal(new ClaimAnswer(ClaimState.Done, Status: 202), await _store.ClaimAsync(Key(2), 1, s_lease));
        Assert.Equal(new ClaimAnswer(ClaimState.Done, Status: 202), await _store.ClaimAsync(Key(3), 1, s_lease));
    }

    [Fact]
    public async Task A_release_after_a_restart_of_the_server_brings_its_script_along()
    {
        await _store.ClaimAsync(Key(1), 1, s_lease);
        Assert.True(await _store.ReleaseAsync(Key(1), 1));
        await _redis.CommandAsync("SCRIPT", "FLUSH", "SYNC");
        await _store.ClaimAsync(Key(1), 1, s_lease);

        Assert.True(await _store.ReleaseAsync(Key(1), 1));
    }

    [Theory]
    [InlineData("READONLY")]
    [InlineData("OOM")]
    [InlineData("NOAUTH")]
    public async Task A_server_that_refuses_is_a_store_error_with_its_code(string code)
    {
        switch (code)
        {
            case "READONLY":
                await _redis.CommandAsync("REPLICAOF", "127.0.0.1", "1");
                break;
            case "OOM":
                await _redis.CommandAsync("CONFIG", "SET", "maxmemory", "1");
                break;
            default:
                await _redis.CommandAsync("CONFIG", "SET", "requirepass", "s3cret");
                break;
        }

        await using var store = RedisReplayStore.Open(_redis.ConnectionString, TimeProvider.System, NullLogger.Instance, s_patience);
        var fault = await Assert.ThrowsAsync<ReplayStoreException>(async () =>
        {
            // A replica, or a connection that may not log in, is found out at different points of the library's way there.
            await store.ClaimAsync(Key(1), 1, s_lease);
            await store.CommitAsync(Key(1), 200, s_lease);
        });

        Assert.NotEmpty(fault.Message);
        Assert.DoesNotContain("s3cret", fault.ToString(), StringComparison.Ordinal);
        if (code == "OOM")
        {
            Assert.Equal("OOM", fault.Message);
        }
    }

    [Fact]
    public async Task A_frozen_server_costs_the_deadline_and_no_more()
    {
        await using var store = RedisReplayStore.Open(_redis.ConnectionString, TimeProvider.System, NullLogger.Instance);
        await _redis.FreezeAsync();
        var begin = Stopwatch.GetTimestamp();
        await Assert.ThrowsAsync<ReplayStoreException>(async () => await store.ClaimAsync(Key(1), 1, s_lease));
        var took = Stopwatch.GetElapsedTime(begin);
        await _redis.ThawAsync();

        Assert.InRange(took, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task A_caller_that_blocks_after_its_answer_does_not_hold_up_the_others()
    {
        using var release = new ManualResetEventSlim();
        var blocking = Enumerable.Range(0, 3).Select(async n =>
        {
            await _store.ClaimAsync(Key(n), 1, s_lease);
            Assert.True(release.Wait(TimeSpan.FromSeconds(20)));
        }).ToArray();
        try
        {
            for (var n = 10; n < 20; n++)
            {
                Assert.Equal(ClaimState.Claimed, (await _store.ClaimAsync(Key(n), 1, s_lease)).State);
            }
        }
        finally
        {
            release.Set();
        }

        await Task.WhenAll(blocking);
    }

    [Fact]
    public async Task A_value_of_somebody_else_is_a_store_error_and_no_sign_that_the_store_is_away()
    {
        await _redis.CommandAsync("SET", RedisReplayStore.KeyPrefix + Key(1), "hello");
        await _redis.CommandAsync("LPUSH", RedisReplayStore.KeyPrefix + Key(2), "hello");

        var foreign = await Assert.ThrowsAsync<ReplayStoreException>(async () => await _store.ClaimAsync(Key(1), 1, s_lease));
        var wrongType = await Assert.ThrowsAsync<ReplayStoreException>(async () => await _store.ClaimAsync(Key(2), 1, s_lease));
        Assert.Equal(("WRONGTYPE", false, false), (wrongType.Message, wrongType.IsAway, foreign.IsAway));
        Assert.False(await _store.ReleaseAsync(Key(1), 1));
        var release = await Assert.ThrowsAsync<ReplayStoreException>(async () => await _store.ReleaseAsync(Key(2), 1));
        Assert.False(release.IsAway);
        await _store.CommitAsync(Key(2), 200, s_lease);
        Assert.Equal(ClaimState.Done, (await _store.ClaimAsync(Key(2), 1, s_lease)).State);
    }

    [Theory]
    [InlineData("127.0.0.1:{port},password=s3cret,user=default")]
    [InlineData("redis://:s3cret@127.0.0.1:{port}")]
    [InlineData("redis://default:s3cr%65t@127.0.0.1:{port}/0")]
    public async Task A_password_is_in_no_log_line_and_an_evicting_server_is_warned_about(string address)
    {
        await _redis.CommandAsync("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
        await _redis.CommandAsync("CONFIG", "SET", "requirepass", "s3cret");
        var log = new LogCapture();

        await using var store = RedisReplayStore.Open(WithPort(address), TimeProvider.System, log.CreateLogger("redis"), s_patience);
        Assert.Equal(ClaimState.Claimed, (await store.ClaimAsync(Key(1), 1, s_lease)).State);
        var warning = await log.WaitForEventAsync(3007);
        await _redis.KillAsync();
        var fault = await Assert.ThrowsAsync<ReplayStoreException>(async () => await store.ClaimAsync(Key(2), 1, s_lease));
        await log.WaitForEventAsync(3006);

        Assert.Contains("allkeys-lru", warning.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", log.Everything, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cr%65t", log.Everything, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", fault.ToString(), StringComparison.Ordinal);
        Assert.Empty(log.WithEvent(3008));
    }

    [Fact]
    public async Task A_claim_that_was_told_no_answer_does_not_run_when_the_server_is_back()
    {
        await using var store = RedisReplayStore.Open(_redis.ConnectionString, TimeProvider.System, NullLogger.Instance);
        await UntilAnswersAsync(store);
        await _redis.KillAsync();
        await Assert.ThrowsAsync<ReplayStoreException>(async () => await store.ClaimAsync(Key(1), 1, TimeSpan.FromMinutes(1)));
        await _redis.RestartAsync();
        await UntilAnswersAsync(store);

        Assert.Null(await _redis.CommandAsync("GET", RedisReplayStore.KeyPrefix + Key(1)));
    }

    [Theory]
    [InlineData("redis://:wrong@127.0.0.1:{port}", "WRONGPASS")]
    [InlineData("127.0.0.1:{port},user=bob,password=wrong", "WRONGPASS")]
    [InlineData("127.0.0.1:{port}", "NOAUTH")]
    [InlineData("127.0.0.1:1", "connection refused")]
    [InlineData("redis://no-such-host.invalid", "name not known")]
    [InlineData("unix:///nowhere/redis.sock", "no such address or socket")]
    public async Task Why_there_is_no_connection_is_told_in_a_word(string address, string word)
    {
        await _redis.CommandAsync("CONFIG", "SET", "requirepass", "s3cret");
        var log = new LogCapture();
        await using var store = RedisReplayStore.Open(WithPort(address), TimeProvider.System, log.CreateLogger("redis"), s_patience);

        var line = await log.WaitForEventAsync(3006);
        var fault = await Assert.ThrowsAsync<ReplayStoreException>(async () => await store.ClaimAsync(Key(1), 1, s_lease));

        Assert.Contains(word, line.Text, StringComparison.Ordinal);
        Assert.Contains(word, fault.Message, StringComparison.Ordinal);
        Assert.True(fault.IsAway);
        Assert.Single(log.WithEvent(3006));
        Assert.DoesNotContain("wrong", log.Everything, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_of_the_access_list_needs_our_keys_and_a_few_commands()
    {
        // As the README has it.
        await _redis.CommandAsync("ACL", "SETUSER", "webhookedge", "on", ">s3cret", "resetkeys", "~wh:1:*", "resetchannels", "-@all", "+set", "+get", "+setex",
            "+psetex", "+del", "+unlink", "+eval", "+evalsha", "+ping", "+echo", "+info");
        await _redis.CommandAsync("ACL", "LOG", "RESET");
        var log = new LogCapture();
        await using var store = RedisReplayStore.Open(WithPort("redis://webhookedge:s3cret@127.0.0.1:{port}"), TimeProvider.System, log.CreateLogger("redis"),
            s_patience);

        Assert.Equal(ClaimState.Claimed, (await store.ClaimAsync(Key(1), 1, s_lease)).State);
        Assert.True(await store.ReleaseAsync(Key(1), 1));
        await store.CommitAsync(Key(1), 200, TimeSpan.FromHours(1));
        Assert.Equal(ClaimState.Done, (await store.ClaimAsync(Key(1), 2, s_lease)).State);
        Assert.True(await store.ForgetAsync(Key(1)));
        Assert.Contains("webhookedge", await _redis.CommandAsync("CLIENT", "LIST"), StringComparison.Ordinal);
        Assert.Empty(log.WithEvent(3010));

        await _redis.CommandAsync("ACL", "SETUSER", "webhookedge", "-set", "-setex", "-psetex");
        var refused = await Assert.ThrowsAsync<ReplayStoreException>(async () => await store.ClaimAsync(Key(2), 1, s_lease));
        Assert.Equal(("NOPERM", false), (refused.Message, refused.IsAway));
    }

    [Fact]
    public async Task A_server_that_does_not_tell_its_policy_is_asked_about_in_the_log()
    {
        await _redis.CommandAsync("ACL", "SETUSER", "webhookedge", "on", ">s3cret", "~*", "&*", "+@all", "-info", "-config");
        var log = new LogCapture();

        await using var store = RedisReplayStore.Open(WithPort("redis://webhookedge:s3cret@127.0.0.1:{port}"), TimeProvider.System, log.CreateLogger("redis"),
            s_patience);

        Assert.Contains("NOPERM", (await log.WaitForEventAsync(3010)).Text, StringComparison.Ordinal);
        Assert.Equal(ClaimState.Claimed, (await store.ClaimAsync(Key(1), 1, s_lease)).State);
    }

    private string WithPort(string address) => address.Replace("{port}", _redis.Port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);

    private static async Task UntilAnswersAsync(RedisReplayStore store)
    {
        using var deadline = new CancellationTokenSource(s_patience, TimeProvider.System);
        while (true)
        {
            try
            {
                await store.ForgetAsync(Key(-1));
                return;
            }
            catch (ReplayStoreException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, deadline.Token);
            }
        }
    }

    private static EventKey Key(int n) => new(SHA256.HashData(BitConverter.GetBytes(n)));

    private async Task<RedisReplayStore> OpenAsync(bool claimByScript = false)
    {
        var store = RedisReplayStore.Open(_redis.ConnectionString, TimeProvider.System, NullLogger.Instance, s_patience, claimByScript);
        await store.ForgetAsync(Key(-1));
        return store;
    }

    /// <summary>Makes keys older, as if time had passed on the server.</summary>
    private async Task AgeAsync(EventKey[] keys, TimeSpan by)
    {
        foreach (var key in keys)
        {
            var name = RedisReplayStore.KeyPrefix + key;
            var left = long.Parse((await _redis.CommandAsync("PTTL", name))!, CultureInfo.InvariantCulture) - (long)by.TotalMilliseconds;
            await (left > 0 ? _redis.CommandAsync("PEXPIRE", name, left.ToString(CultureInfo.InvariantCulture)) : _redis.CommandAsync("DEL", name));
        }
    }
}
