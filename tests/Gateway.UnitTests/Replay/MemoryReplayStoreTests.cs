using System.Security.Cryptography;
using FsCheck;
using FsCheck.Fluent;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Replay;

public class MemoryReplayStoreTests
{
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_ttl = TimeSpan.FromHours(72);
    private readonly TestClock _clock = new();

    [Fact]
    public void Agrees_with_the_model_on_any_sequence_of_commands()
    {
        var keys = Enumerable.Range(0, 4).Select(Key).ToArray();
        Prop.ForAll<byte[]>(commands =>
        {
            var clock = new TestClock();
            ReplayStoreModel.RunAsync(new MemoryReplayStore(clock, 100), keys, commands ?? [], by =>
            {
                clock.Advance(by);
                return Task.CompletedTask;
            }).GetAwaiter().GetResult();
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1_000).WithEndSize(200));
    }

    [Fact]
    public async Task Of_a_hundred_concurrent_claims_one_gets_the_key()
    {
        var store = new MemoryReplayStore(_clock);
        using var start = new ManualResetEventSlim();
        var claims = Enumerable.Range(0, 100).Select(owner => Task.Run(() =>
        {
            start.Wait(TimeSpan.FromSeconds(10));
            Assert.True(store.TryClaim(Key(1), (ulong)owner, s_lease, out var answer));
            return answer.State;
        })).ToArray();

        start.Set();
        var answers = await Task.WhenAll(claims);

        Assert.Single(answers, state => state == ClaimState.Claimed);
        Assert.Equal(99, answers.Count(state => state == ClaimState.InFlight));
    }

    [Fact]
    public void A_lease_ends_at_its_time_and_not_before()
    {
        var store = new MemoryReplayStore(_clock);
        Assert.Equal(ClaimState.Claimed, Claim(store, 1));

        _clock.Advance(s_lease - TimeSpan.FromMilliseconds(1));
        Assert.Equal(ClaimState.InFlight, Claim(store, 1));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(ClaimState.Claimed, Claim(store, 1));
    }

    [Fact]
    public void A_jump_of_the_wall_clock_changes_nothing()
    {
        var store = new MemoryReplayStore(_clock);
        Claim(store, 1);
        store.TryCommit(Key(1), 200, s_ttl);

        _clock.SetWallClock(_clock.GetUtcNow().AddYears(5));

        Assert.Equal(ClaimState.Done, Claim(store, 1));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(5_000)]
    public void A_flood_does_not_make_it_grow_and_drops_what_was_delivered_longest_ago(int capacity)
    {
        var store = new MemoryReplayStore(_clock, capacity);
        for (var i = 0; i < capacity * 3; i++)
        {
            Assert.Equal(ClaimState.Claimed, Claim(store, i));
            Assert.True(store.TryCommit(Key(i), 200, s_ttl));
            Assert.InRange(store.Count, 1, capacity + 64);
        }

        Assert.Equal(ClaimState.Done, Claim(store, (capacity * 3) - 1));
        Assert.Equal(ClaimState.Claimed, Claim(store, 0));
    }

    [Fact]
    public void A_delivery_in_flight_is_never_dropped()
    {
        var store = new MemoryReplayStore(_clock, 10);
        for (var i = 0; i < 9; i++)
        {
            Claim(store, i);
        }

        for (var i = 100; i < 200; i++)
        {
            Assert.Equal(ClaimState.Claimed, Claim(store, i));
            Assert.True(store.TryCommit(Key(i), 200, s_ttl));
        }

        Assert.All(Enumerable.Range(0, 9), i => Assert.Equal(ClaimState.InFlight, Claim(store, i)));
        Assert.Equal(ClaimState.Claimed, Claim(store, 300));
        Assert.False(store.TryClaim(Key(301), 1, s_lease, out _));
        Assert.False(store.TryCommit(Key(301), 200, s_ttl));
        _clock.Advance(s_lease);
        Assert.True(store.TryClaim(Key(301), 1, s_lease, out _));
    }

    [Fact]
    public void Expired_keys_leave_by_themselves()
    {
        var store = new MemoryReplayStore(_clock, 100_000);
        for (var i = 0; i < 1_000; i++)
        {
            store.TryCommit(Key(i), 200, TimeSpan.FromSeconds(i % 2 == 0 ? 1 : 3_600));
        }

        _clock.Advance(TimeSpan.FromSeconds(2));
        for (var i = 0; i < 2_000; i++)
        {
            Claim(store, -1);
        }

        // The hand moves in the shard that is asked; the others keep theirs until they are.
        for (var i = 0; i < 3_000; i++)
        {
            Claim(store, -2 - i);
            store.Release(Key(-2 - i), 1);
        }

        Assert.InRange(store.Count, 500, 502);
    }

    [Fact]
    public void What_makes_room_before_its_time_is_counted_and_what_has_expired_is_not()
    {
        var store = new MemoryReplayStore(_clock, 10);
        for (var i = 0; i < 10; i++)
        {
            store.TryCommit(Key(i), 200, TimeSpan.FromSeconds(1));
        }

        _clock.Advance(TimeSpan.FromSeconds(2));
        for (var i = 10; i < 20; i++)
        {
            store.TryCommit(Key(i), 200, s_ttl);
        }

        Assert.Equal(0, store.Evicted);
        for (var i = 20; i < 27; i++)
        {
            store.TryCommit(Key(i), 200, s_ttl);
        }

        Assert.Equal(7, store.Evicted);
    }

    [Theory]
    [InlineData(10, 3_000)]
    [InlineData(1_500, 5_000)]
    [InlineData(5_000, 200_000)]
    public void Its_capacity_can_be_raised_and_lowered_while_it_is_in_use(int less, int more)
    {
        var store = new MemoryReplayStore(_clock, less);
        for (var i = 0; i < less; i++)
        {
            store.TryCommit(Key(i), 200, s_ttl, new TraceRef(1, (ulong)i + 1));
        }

        store.Capacity = more;
        var evicted = store.Evicted;
        for (var i = less; i < more * 9 / 10; i++)
        {
            store.TryCommit(Key(i), 200, s_ttl, new TraceRef(1, (ulong)i + 1));
        }

        Assert.Equal(evicted, store.Evicted);

        // What went was the oldest in its own part of the memory, of which there are four at most here, and the keys are spread over them by a hash of the
        // process.
        for (var i = more * 9 / 10; i-- > ((int)evicted * 4) + 200;)
        {
            Assert.True(store.TryClaim(Key(i), 1, s_lease, out var answer));
            Assert.Equal(new ClaimAnswer(ClaimState.Done, Status: 200, Trace: new TraceRef(1, (ulong)i + 1)), answer);
        }

        store.Capacity = less;
        for (var i = more; i < more * 3; i++)
        {
            store.TryCommit(Key(i), 200, s_ttl);
        }

        Assert.InRange(store.Count, less / 2, less + 64);
        Assert.Equal(ClaimState.Done, Claim(store, (more * 3) - 1));
    }

    [Fact]
    public void A_claim_and_its_end_allocate_nothing()
    {
        var store = new MemoryReplayStore(_clock, 100);
        var keys = Enumerable.Range(0, 300).Select(Key).ToArray();
        void Run()
        {
            foreach (var key in keys)
            {
                store.TryClaim(key, 1, s_lease, out _);
                store.TryCommit(key, 200, s_ttl);
                store.TryClaim(key, 2, s_lease, out _);
                store.Forget(key);
                store.TryClaim(key, 3, s_lease, out _);
                store.Release(key, 3);
                store.TryCommit(key, 200, s_ttl);
            }
        }

        Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public async Task Threads_that_claim_commit_and_release_at_random_leave_it_sound()
    {
        var store = new MemoryReplayStore(TimeProvider.System, 2_000);
        var held = new int[500];
        await Task.WhenAll(Enumerable.Range(1, 4).Select(owner => Task.Run(() =>
        {
            var random = new Random(owner);
            for (var i = 0; i < 20_000; i++)
            {
                var n = random.Next(held.Length);
                Assert.True(store.TryClaim(Key(n), (ulong)owner, TimeSpan.FromMinutes(1), out var answer));
                if (answer.State == ClaimState.Claimed)
                {
                    Assert.Equal(1, Interlocked.Increment(ref held[n]));
                    Interlocked.Decrement(ref held[n]);
                    Assert.True(store.Release(Key(n), (ulong)owner));
                }
            }
        })));

        Assert.Equal(0, store.Count);
    }

    private static ClaimState Claim(MemoryReplayStore store, int n)
    {
        Assert.True(store.TryClaim(Key(n), 1, s_lease, out var answer));
        return answer.State;
    }

    private static EventKey Key(int n) => new(SHA256.HashData(BitConverter.GetBytes(n)));
}

/// <summary>Weighs the heap, so nothing else may run beside it.</summary>
[CollectionDefinition(nameof(MemoryReplayStoreSizeTests), DisableParallelization = true)]
[Collection(nameof(MemoryReplayStoreSizeTests))]
public class MemoryReplayStoreSizeTests
{
    [Fact]
    public void A_remembered_key_costs_at_most_a_hundred_bytes()
    {
        const int Keys = 200_000;
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var store = new MemoryReplayStore(new TestClock(), Keys * 2);
        Span<byte> digest = stackalloc byte[32];
        for (var i = 0; i < Keys; i++)
        {
            SHA256.HashData(BitConverter.GetBytes(i), digest);
            store.TryCommit(new(digest), 200, TimeSpan.FromHours(72));
        }

        var bytes = GC.GetTotalMemory(forceFullCollection: true) - before;

        Assert.Equal(Keys, store.Count);
        Assert.InRange(bytes / (double)Keys, 30, 100);
    }
}
