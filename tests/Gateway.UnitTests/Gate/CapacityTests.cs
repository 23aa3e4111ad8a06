using System.Diagnostics.Metrics;
using System.IO.Pipelines;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Gate;

/// <summary>The shares in the gateway's two bounds, number by number.</summary>
public sealed class CapacityTests : IDisposable
{
    private const string Stranger = "192.0.2.1";
    private const int KiB = 1024;
    private readonly TestClock _clock = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly GatewayMetrics _metrics;
    private readonly Capacity _capacity;

    public CapacityTests()
    {
        _metrics = new(_services.GetRequiredService<IMeterFactory>(), _clock);
        _capacity = new(_clock);
        _capacity.SetLimits(maxRequests: 160, maxBytes: 16 * 1024 * KiB, widestBody: 512 * KiB);
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", true)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData(null, null, true)]
    [InlineData(null, "0.0.0.0", false)]
    [InlineData("::", "0.0.0.0", false)]
    public void An_IPv6_network_of_64_bits_and_all_unknown_addresses_are_one_account(string? one, string? two, bool same)
    {
        var shares = new AddressShares();

        Assert.Equal(same, shares.AccountOf(Address(one)) == shares.AccountOf(Address(two)));
    }

    [Fact]
    public void An_address_holds_a_sixteenth_of_the_requests_until_one_has_passed()
    {
        var entered = Enter(20, Stranger);
        Assert.Equal(10, entered.Count);
        Assert.Equal(10, _capacity.Requests);

        Pass(entered[0]);

        Assert.Equal(20, Enter(20, Stranger).Count);
    }

    [Fact]
    public void Who_proved_itself_is_a_stranger_again_after_an_hour_without_an_event()
    {
        Pass(Enter(1, Stranger)[0]);
        _clock.Advance(TimeSpan.FromMinutes(59));
        var known = Enter(20, Stranger);
        Assert.Equal(20, known.Count);
        known.ForEach(_capacity.Leave);

        _clock.Advance(TimeSpan.FromMinutes(2));

        Assert.Equal(10, Enter(20, Stranger).Count);
    }

    [Fact]
    public void An_event_that_proves_itself_belongs_to_no_share_and_gives_back_what_it_held_of_one()
    {
        var deliveries = Enter(10, Stranger, TrustLevel.AddressOnly);
        Assert.All(deliveries, delivery => Assert.True(_capacity.TryReserve(delivery, KiB)));
        Assert.Empty(Enter(1, Stranger));

        // An address on a list shows no secret: its requests that passed are free, the address is not.
        deliveries.ForEach(static delivery => delivery.HasPassed());

        Assert.Equal(10, Enter(20, Stranger).Count);
        Assert.Equal(20, _capacity.Requests);
        Assert.Equal(10 * KiB, _capacity.BufferedBytes);
        foreach (var delivery in deliveries)
        {
            _capacity.Release(delivery);
            _capacity.Leave(delivery);
        }

        Assert.Equal((10, 0), (_capacity.Requests, _capacity.BufferedBytes));
    }

    [Fact]
    public void What_observe_mode_would_have_refused_proves_nothing_for_its_address()
    {
        foreach (var delivery in Enter(10, Stranger, TrustLevel.AddressOnly))
        {
            delivery.WouldRefuse = RejectReason.SignatureMissing;
            delivery.HasPassed();
        }

        Assert.Empty(Enter(1, Stranger));
    }

    [Fact]
    public void Bytes_of_strangers_stop_at_a_sixteenth_by_address_with_a_reserve_for_small_bodies()
    {
        // A sixteenth is 1 MiB; with a route that takes 256 KiB, big bodies get three quarters of it.
        var policy = RoutePolicy.None with { BodyLimit = 256 * KiB };
        Assert.Equal(3, Enter(8, Stranger, policy: policy).Count(delivery => _capacity.TryReserve(delivery, 256 * KiB)));
        Assert.Equal(2, Enter(2, Stranger, policy: policy).Count(delivery => _capacity.TryReserve(delivery, 64 * KiB)));

        Assert.Equal(3, Enter(8, "198.51.100.1", policy: policy).Count(delivery => _capacity.TryReserve(delivery, 256 * KiB)));
    }

    [Fact]
    public void What_all_strangers_hold_leaves_a_reserve_for_small_bodies_and_one_for_who_has_proved_itself()
    {
        var policy = RoutePolicy.None with { BodyLimit = 512 * KiB };
        Pass(Enter(1, "203.0.113.1")[0]);
        for (var i = 0; i < 40; i++)
        {
            Enter(1, $"198.51.100.{i}", policy: policy).ForEach(delivery => _capacity.TryReserve(delivery, 512 * KiB));
        }

        Assert.Equal(12 * 1024 * KiB, _capacity.BufferedBytes);
        Assert.True(_capacity.TryReserve(Enter(1, "198.51.100.50")[0], 64 * KiB));
        Assert.True(_capacity.TryReserve(Enter(1, "203.0.113.1")[0], 1024 * KiB));
        Assert.False(_capacity.TryReserve(Enter(1, "203.0.113.1")[0], 1024 * KiB));
        for (var i = 0; i < 100; i++)
        {
            Enter(1, $"198.51.101.{i}").ForEach(delivery => _capacity.TryReserve(delivery, 64 * KiB));
        }

        Assert.Equal(15 * 1024 * KiB, _capacity.BufferedBytes);
        Assert.True(_capacity.TryReserve(Enter(1, "203.0.113.1")[0], 64 * KiB));
    }

    [Fact]
    public void What_an_address_holds_within_the_share_of_a_route_of_large_bodies_is_not_given_up()
    {
        // A sixteenth is 1 MiB; one and a half of the largest bodies is 6 MiB, of which three quarters are left alone.
        _capacity.SetLimits(maxRequests: 160, maxBytes: 16 * 1024 * KiB, widestBody: 4 * 1024 * KiB);
        var delivery = Enter(1, Stranger, policy: RoutePolicy.None with { BodyLimit = 4 * 1024 * KiB })[0];
        Assert.True(_capacity.TryReserve(delivery, 4 * 1024 * KiB));

        Assert.Equal(-512 * KiB, _capacity.ExcessOf(delivery.Holding.Account).Bytes);
    }

    [Fact]
    public void A_body_that_is_alone_fits_whatever_its_share_would_be()
    {
        _capacity.SetLimits(1, 100 * KiB, widestBody: 100 * KiB);

        Assert.True(_capacity.TryReserve(Assert.Single(Enter(2, Stranger)), 100 * KiB));
    }

    [Fact]
    public void Entering_proving_and_leaving_allocate_nothing()
    {
        var delivery = Delivery(Stranger, RoutePolicy.None);
        delivery.RaiseTrust(TrustLevel.Verified);
        void Run()
        {
            for (var i = 0; i < 1000; i++)
            {
                Assert.True(_capacity.TryEnter(delivery) && _capacity.TryReserve(delivery, 1000));
                delivery.HasPassed();
                _capacity.Release(delivery);
                _capacity.Leave(delivery);
            }
        }

        Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal((0, 0), (_capacity.Requests, _capacity.BufferedBytes));
    }

    public void Dispose()
    {
        _metrics.Dispose();
        _services.Dispose();
    }

    private static void Pass(Delivery delivery)
    {
        delivery.RaiseTrust(TrustLevel.Authenticated);
        delivery.HasPassed();
    }

    private static ClientAddress Address(string? text) => ClientAddress.From(text is null ? null : IPAddress.Parse(text));

    private Delivery Delivery(string address, RoutePolicy policy)
    {
        var delivery = new Delivery();
        delivery.Open(policy, "POST", "/", Address(address), WebhookEdge.Gate.Delivery.EmptyHeaders, null, PipeReader.Create(Stream.Null));
        delivery.Begin(_metrics, _clock, _clock.GetTimestamp());
        return delivery;
    }

    /// <summary>Those of <paramref name="count"/> that were let in.</summary>
    private List<Delivery> Enter(int count, string address, TrustLevel trust = TrustLevel.Observed, RoutePolicy? policy = null)
    {
        var entered = new List<Delivery>();
        for (var i = 0; i < count; i++)
        {
            var delivery = Delivery(address, policy ?? RoutePolicy.None);
            delivery.RaiseTrust(trust);
            if (_capacity.TryEnter(delivery))
            {
                entered.Add(delivery);
            }
        }

        return entered;
    }
}
