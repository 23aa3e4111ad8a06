using System.IO.Pipelines;
using System.Net;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.RateLimits;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.RateLimits;

public class RateLimitTests
{
    private static readonly TimeSpan s_window = TimeSpan.FromHours(1);
    private readonly TestClock _clock = new();

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public async Task An_address_spends_its_own_budget_and_no_one_elses(int permits)
    {
        using var budget = new AddressBudget(permits, s_window);
        var check = new AddressBudgetCheck(budget);
        for (var i = 0; i < permits; i++)
        {
            Assert.True((await check.CheckAsync(From("192.0.2.1"), default)).Passed);
        }

        var refused = await check.CheckAsync(From("192.0.2.1"), default);
        var other = await check.CheckAsync(From("192.0.2.2"), default);

        Assert.Equal(RejectReason.TooManyFromAddress, refused.Reason);
        Assert.InRange(refused.RetryAfter!.Value, TimeSpan.FromMinutes(59), s_window);
        Assert.True(other.Passed);
        Assert.Equal(Stage.AddressRate, check.Stage);
    }

    [Theory]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData(null, null, true)]
    [InlineData(null, "0.0.0.0", false)]
    [InlineData("::", "0.0.0.0", false)]
    public void An_IPv6_network_of_64_bits_and_all_unknown_addresses_count_as_one(string? one, string? two, bool shared)
    {
        using var budget = new AddressBudget(1, s_window);

        Assert.True(budget.TryAcquire(Address(one), out _));
        Assert.Equal(!shared, budget.TryAcquire(Address(two), out _));
    }

    [Fact]
    public void Beyond_the_bound_newcomers_have_budgets_of_their_own_and_take_the_places_of_those_longest_unused()
    {
        using var budget = new AddressBudget(2, s_window, maxAddresses: 10);
        for (uint i = 0; i < 10; i++)
        {
            Assert.True(budget.TryAcquire(ClientAddress.FromIPv4(i), out _));
        }

        Assert.True(budget.TryAcquire(ClientAddress.FromIPv4(0), out _));
        for (uint i = 100; i < 105; i++)
        {
            Assert.True(budget.TryAcquire(ClientAddress.FromIPv4(i), out _));
            Assert.True(budget.TryAcquire(ClientAddress.FromIPv4(i), out _));
            Assert.False(budget.TryAcquire(ClientAddress.FromIPv4(i), out _));
        }

        // The first was used again before the newcomers, so its spent budget is not forgotten.
        Assert.False(budget.TryAcquire(ClientAddress.FromIPv4(0), out _));
        Assert.Equal(10, budget.Tracked);
    }

    [Fact]
    public void A_flood_from_more_addresses_than_are_told_apart_spends_no_newcomers_budget()
    {
        using var budget = new AddressBudget(2, s_window);
        for (uint i = 0; i < 2 * AddressBudget.DefaultMaxAddresses; i++)
        {
            budget.TryAcquire(ClientAddress.FromIPv4(0x0A00_0000 + i), out _);
        }

        for (uint i = 0; i < 100; i++)
        {
            Assert.True(budget.TryAcquire(ClientAddress.FromIPv4(0xC000_0200 + i), out _));
            Assert.True(budget.TryAcquire(ClientAddress.FromIPv4(0xC000_0200 + i), out _));
            Assert.False(budget.TryAcquire(ClientAddress.FromIPv4(0xC000_0200 + i), out _));
        }

        Assert.InRange(budget.Tracked, 1, AddressBudget.DefaultMaxAddresses);
    }

    [Fact]
    public void The_networks_of_one_IPv6_site_share_sixteen_budgets_and_fill_no_table()
    {
        using var budget = new AddressBudget(3, s_window);
        var site = (UInt128)0x2001_0DB8_0001 << 80;
        var granted = 0;
        for (uint i = 0; i < AddressBudget.DefaultMaxAddresses; i++)
        {
            granted += budget.TryAcquire(ClientAddress.FromIPv6(site | ((UInt128)i << 64) | 1), out _) ? 1 : 0;
        }

        Assert.Equal(3 * AddressBudget.AddressesOfASite, granted);
        Assert.InRange(budget.Tracked, 1, 3 * AddressBudget.AddressesOfASite);
        Assert.True(budget.TryAcquire(Address("2001:db8:2::1"), out _));
        Assert.True(budget.TryAcquire(Address("192.0.2.1"), out _));
    }

    [Fact]
    public void A_network_that_has_spent_its_own_budget_spends_nothing_of_its_sites()
    {
        using var budget = new AddressBudget(1, s_window);
        for (var i = 0; i < 1000; i++)
        {
            budget.TryAcquire(Address("2001:db8:1:1::1"), out _);
        }

        Assert.True(budget.TryAcquire(Address("2001:db8:1:2::1"), out _));
    }

    [Fact]
    public void An_address_whose_budget_is_whole_again_makes_room_for_a_newcomer()
    {
        // The library's limiters read the machine's clock: a window of a tick is over by the next call.
        using var budget = new AddressBudget(1, TimeSpan.FromTicks(1), maxAddresses: 4);
        for (uint i = 0; i < 100; i++)
        {
            Assert.True(budget.TryAcquire(ClientAddress.FromIPv4(i), out _));
            Assert.InRange(budget.Tracked, 1, 4);
        }
    }

    [Fact]
    public async Task Concurrent_newcomers_do_not_pass_the_bound_nor_an_addresss_budget()
    {
        using var budget = new AddressBudget(5, s_window, maxAddresses: 4096);
        var granted = new int[200];
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (uint i = 0; i < 4_000; i++)
            {
                if (budget.TryAcquire(ClientAddress.FromIPv4(i % 200), out var _))
                {
                    Interlocked.Increment(ref granted[i % 200]);
                }
            }
        })));

        Assert.Equal(200, budget.Tracked);
        Assert.All(granted, count => Assert.Equal(5, count));
    }

    [Fact]
    public async Task A_routes_budget_refuses_what_is_too_much_and_says_when_to_come_back()
    {
        using var budget = new RouteBudget(3, s_window, queue: 0);
        var check = new RouteBudgetCheck(budget, TimeSpan.FromSeconds(8), _clock);
        for (var i = 0; i < 3; i++)
        {
            Assert.True((await check.CheckAsync(From("192.0.2.1"), default)).Passed);
        }

        var refused = await check.CheckAsync(From("192.0.2.9"), default);

        Assert.Equal(RejectReason.TooManyForRoute, refused.Reason);
        Assert.InRange(refused.RetryAfter!.Value, TimeSpan.FromSeconds(1), s_window);
        Assert.Equal(Stage.RouteRate, check.Stage);
    }

    [Fact]
    public async Task A_queued_delivery_waits_for_the_window_and_passes()
    {
        using var budget = new RouteBudget(1, TimeSpan.FromMilliseconds(50), queue: 1);
        var check = new RouteBudgetCheck(budget, TimeSpan.FromSeconds(8), TimeProvider.System);
        Assert.True((await check.CheckAsync(From("192.0.2.1"), default)).Passed);

        var verdict = await check.CheckAsync(From("192.0.2.1"), default).AsTask().WaitAsync(TimeSpan.FromSeconds(10));

        Assert.True(verdict.Passed);
    }

    [Fact]
    public async Task A_queued_delivery_is_refused_when_the_routes_time_is_up_and_a_full_queue_refuses_at_once()
    {
        using var budget = new RouteBudget(1, s_window, queue: 1);
        var check = new RouteBudgetCheck(budget, TimeSpan.FromSeconds(8), _clock);
        Assert.True((await check.CheckAsync(From("192.0.2.1"), default)).Passed);
        var queued = From("192.0.2.1");
        queued.BodyCompletedAt = _clock.GetTimestamp();
        _clock.Advance(TimeSpan.FromSeconds(3));

        var waiting = check.CheckAsync(queued, default).AsTask();
        var tooMany = await check.CheckAsync(From("192.0.2.1"), default).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        _clock.Advance(TimeSpan.FromSeconds(4.9));
        var early = waiting.IsCompleted;
        _clock.Advance(TimeSpan.FromSeconds(0.2));
        var late = await waiting.WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(RejectReason.TooManyForRoute, tooMany.Reason);
        Assert.False(early);
        Assert.Equal(RejectReason.TooManyForRoute, late.Reason);
        Assert.NotNull(late.RetryAfter);
    }

    [Fact]
    public async Task A_sender_that_hangs_up_in_the_queue_is_not_answered()
    {
        using var budget = new RouteBudget(1, s_window, queue: 1);
        using var aborted = new CancellationTokenSource();
        var check = new RouteBudgetCheck(budget, TimeSpan.FromSeconds(8), _clock);
        Assert.True((await check.CheckAsync(From("192.0.2.1"), default)).Passed);
        var waiting = check.CheckAsync(From("192.0.2.1"), aborted.Token).AsTask();

        await aborted.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void A_granted_request_allocates_nothing()
    {
        using var addresses = new AddressBudget(1_000_000, s_window);
        using var route = new RouteBudget(1_000_000, s_window, queue: 10);
        var (first, second) = (new AddressBudgetCheck(addresses), new RouteBudgetCheck(route, TimeSpan.FromSeconds(8), _clock));
        var delivery = From("2001:db8::1");
        void Run()
        {
            for (var i = 0; i < 1_000; i++)
            {
                Assert.True(PassedAtOnce(first.CheckAsync(delivery, default)) && PassedAtOnce(second.CheckAsync(delivery, default)));
            }
        }

        Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void A_reload_resets_no_budget_unless_its_numbers_change()
    {
        using var pool = new RateLimiterPool(_clock);
        var route = pool.Route("kyc", 1, s_window, 0);
        var address = pool.Address("kyc", 1, s_window);
        Assert.True(route.TryAcquire(out _));
        pool.Retain([route, address]);

        Assert.Same(address, pool.Address("kyc", 1, s_window));
        Assert.Same(route, pool.Route("kyc", 1, s_window, 0));
        Assert.False(pool.Route("kyc", 1, s_window, 0).TryAcquire(out _));
        Assert.True(pool.Route("other", 1, s_window, 0).TryAcquire(out _));
        Assert.True(pool.Route("kyc", 2, s_window, 0).TryAcquire(out _));
    }

    [Fact]
    public void A_dropped_budget_ends_later_so_that_requests_under_the_old_rules_finish()
    {
        using var pool = new RateLimiterPool(_clock);
        var dropped = pool.Route("kyc", 5, s_window);
        pool.Retain([]);
        _clock.Advance(TimeSpan.FromMinutes(5));
        pool.Retain([]);
        Assert.True(dropped.TryAcquire(out _));
        Assert.Same(dropped, pool.Route("kyc", 5, s_window));

        pool.Retain([]);
        _clock.Advance(TimeSpan.FromMinutes(11));
        pool.Retain([]);

        Assert.Equal(0, pool.Count);
        Assert.Throws<ObjectDisposedException>(() => dropped.TryAcquire(out _));
    }

    private static bool PassedAtOnce(ValueTask<Verdict> verdict) => verdict.IsCompletedSuccessfully && verdict.Result.Passed;

    private static ClientAddress Address(string? text) => ClientAddress.From(text is null ? null : IPAddress.Parse(text));

    private static Delivery From(string? address)
    {
        var delivery = new Delivery();
        delivery.Open(RoutePolicy.None, "POST", "/", Address(address), Delivery.EmptyHeaders, null, PipeReader.Create(Stream.Null));
        return delivery;
    }
}
