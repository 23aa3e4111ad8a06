using System.Diagnostics.Metrics;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using WebhookEdge.FailedAttempts;
using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.FailedAttempts;

public sealed class AttemptWatchTests : IDisposable
{
    private readonly TestClock _clock = new();
    private readonly LogCapture _logs = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly GatewayMetrics _metrics;
    private readonly MetricCapture _points;
    private readonly LogThrottle _throttle;
    private readonly AttemptWatch _watch;
    private readonly OutcomeRecorder _recorder;
    private readonly DefaultHttpContext _context = new();
    private RouteAttempts? _route;

    public AttemptWatchTests()
    {
        _metrics = new(_services.GetRequiredService<IMeterFactory>(), _clock);
        _points = new(_metrics.Meter);
        _throttle = new(new ConfigurationBuilder().Build(), _clock, _logs.CreateLogger<LogThrottle>());
        _watch = new(_metrics, _throttle, _clock, _logs.CreateLogger<AttemptWatch>());
        _recorder = new(_metrics, new RejectJournal(), _throttle, _clock, NullLogger<OutcomeRecorder>.Instance);
    }

    private AttemptReading Reading => Assert.Single(_watch.Readings());

    [Fact]
    public void The_attempt_before_the_last_is_an_alarm_and_the_last_another()
    {
        Route();
        for (var i = 0; i < 3; i++)
        {
            Forwarded(Event("a"), accepted: false);
        }

        Assert.Empty(_logs.Entries);
        Assert.Equal((3, 1, 0), (Reading.Attempts, Reading.Failing, Reading.NearLimit));

        Forwarded(Event("a"), accepted: false);
        var alarm = Assert.Single(_logs.WithEvent(1110));
        Assert.Equal($"Event {KeyOf("a")} of route r failed 4 of 5 attempts; the sender (cr3dentials) gives up after the next", alarm.Text);
        Assert.Equal(1, _points.Observe("webhookedge.attempts.near_limit", ("route", "r")));

        Forwarded(Event("a"), accepted: false);
        Assert.Contains("5 of 5", Assert.Single(_logs.WithEvent(1111)).Text, StringComparison.Ordinal);
        Assert.Equal(1, _points.Sum("webhookedge.attempts.given_up", ("route", "r")));
        Assert.Equal(0, _points.Observe("webhookedge.attempts.near_limit", ("route", "r")));
        Assert.Equal((KeyOf("a"), 5, 0, 1L), (Reading.WorstEvent, Reading.Attempts, Reading.Failing, Reading.GivenUp));
    }

    [Fact]
    public void A_delivery_ends_it()
    {
        Route();
        for (var i = 0; i < 4; i++)
        {
            Forwarded(Event("a"), accepted: false);
        }

        Forwarded(Event("b"), accepted: false);
        Forwarded(Event("a"), accepted: true);

        Assert.Equal(4, Assert.Single(_logs.WithEvent(1114))["Attempts"]);
        Assert.Equal((KeyOf("b"), 1, 1, 0), (Reading.WorstEvent, Reading.Attempts, Reading.Failing, Reading.InARow));
    }

    [Fact]
    public void A_duplicate_answered_2xx_is_a_success_and_one_in_flight_is_not()
    {
        Route();
        Refused(Event("a"), RejectReason.DuplicateInFlight, 503);
        Assert.Equal(1, Reading.Attempts);

        Refused(Event("a"), RejectReason.Duplicate, 200);
        Assert.Equal(0, Reading.Attempts);
    }

    [Theory]
    [InlineData(nameof(RejectReason.ReplayStoreDown), 503)]
    [InlineData(nameof(RejectReason.DuplicateInFlight), 503)]
    [InlineData(nameof(RejectReason.SenderHungUp), 499)]
    [InlineData(nameof(RejectReason.TooManyForRoute), 429)]
    [InlineData(nameof(RejectReason.UpstreamUnreachable), 503)]
    [InlineData(nameof(RejectReason.UpstreamTimeout), 504)]
    [InlineData(nameof(RejectReason.UpstreamFailed), 502)]
    [InlineData(nameof(RejectReason.CheckFailed), 500)]
    public void What_the_gateway_answers_an_authentic_event_counts_like_the_apps_answer(string reason, int status)
    {
        Route();
        Refused(Event("a"), Enum.Parse<RejectReason>(reason), status);

        Assert.Equal((KeyOf("a"), 1, 1), (Reading.WorstEvent, Reading.Attempts, Reading.InARow));
    }

    [Fact]
    public void No_reason_that_a_stranger_can_bring_about_counts()
    {
        Route();
        string[] afterProof = ["TooManyForRoute", "Duplicate", "DuplicateInFlight", "ReplayStoreDown", "UpstreamUnreachable", "UpstreamTimeout",
            "UpstreamFailed", "CheckFailed", "SenderHungUp"];
        foreach (var reason in Enum.GetValues<RejectReason>().Where(reason => !afterProof.Contains(reason.ToString())))
        {
            Refused(Event("a"), reason, reason.Describe().Status);
        }

        // A check that threw before the event's key was made may have been one that faces strangers, and who left before may have been one.
        Refused(Event(null), RejectReason.CheckFailed, 500);
        Refused(Event(null), RejectReason.SenderHungUp, 499);

        // What observe mode let through proved nothing.
        Forwarded(Event("a", wouldRefuse: RejectReason.SignatureMismatch), accepted: false);
        Forwarded(Event("a", wouldRefuse: RejectReason.AddressNotAllowed), accepted: false);
        Forwarded(Event("a", TrustLevel.Observed), accepted: false);

        Assert.Equal((0, 0), (Reading.Attempts, Reading.InARow));

        // Nor does it end what an authentic event began.
        Forwarded(Event("a"), accepted: false);
        Forwarded(Event("a", wouldRefuse: RejectReason.SignatureMismatch), accepted: true);
        Assert.Equal((1, 1), (Reading.Attempts, Reading.InARow));
    }

    [Fact]
    public void An_event_without_a_key_is_known_by_the_routes_recipe()
    {
        var policy = RoutePolicy.None with { RouteId = "r", Attempts = Route(), KeyOf = static _ => new(SHA256.HashData("read"u8)) };
        Refused(Event(null, policy: policy), RejectReason.TooManyForRoute, 429);

        Assert.Equal(KeyOf("read"), Reading.WorstEvent);
    }

    [Fact]
    public void Failures_in_a_row_are_counted_over_events_and_told_once_each()
    {
        Route();
        for (var i = 0; i < 12; i++)
        {
            Forwarded(Event($"event {i}"), accepted: false);
        }

        Assert.Equal(4, Assert.Single(_logs.WithEvent(1112))["InARow"]);
        Assert.Equal(5, Assert.Single(_logs.WithEvent(1113))["InARow"]);
        Assert.Equal(12, _points.Observe("webhookedge.attempts.in_a_row", ("route", "r")));

        Forwarded(Event("good"), accepted: true);
        for (var i = 0; i < 4; i++)
        {
            Forwarded(Event($"later {i}"), accepted: false);
        }

        Assert.Equal(2, _logs.WithEvent(1112).Count);
        Assert.Single(_logs.WithEvent(1113));
    }

    [Fact]
    public void A_sender_that_never_comes_back_has_given_up_at_once()
    {
        Route(new("github", 1, null));
        Forwarded(Event("a"), accepted: false);

        Assert.Empty(_logs.WithEvent(1110));
        Assert.Single(_logs.WithEvent(1111));
        Assert.Equal(1L, Reading.GivenUp);
    }

    [Fact]
    public void What_was_heard_of_last_three_days_ago_is_forgotten()
    {
        Route();
        Forwarded(Event("a"), accepted: false);
        _clock.Advance(TimeSpan.FromHours(71));
        Assert.Equal(1, Reading.Failing);

        _clock.Advance(TimeSpan.FromHours(2));

        Assert.Equal(0, Reading.Failing);
    }

    [Fact]
    public void The_number_of_events_followed_is_bounded_and_those_begun_stay()
    {
        Route();
        for (var i = 0; i < RouteAttempts.Capacity + 10; i++)
        {
            Forwarded(Event($"event {i}"), accepted: false);
        }

        Assert.Equal(RouteAttempts.Capacity, Reading.Failing);
        Assert.Equal(10, _points.Sum("webhookedge.attempts.untracked", ("route", "r")));
        Forwarded(Event("event 0"), accepted: false);
        Assert.Equal(2, Reading.Attempts);

        // What the sender has given up makes room.
        for (var i = 0; i < 3; i++)
        {
            Forwarded(Event("event 0"), accepted: false);
        }

        Forwarded(Event("new"), accepted: false);
        Assert.Equal(10, _points.Sum("webhookedge.attempts.untracked", ("route", "r")));
    }

    [Fact]
    public void A_flood_of_alarms_is_bounded()
    {
        Route(new("x", 2, null));
        for (var i = 0; i < 500; i++)
        {
            Forwarded(Event($"event {i}"), accepted: false);
        }

        Assert.Equal(20, _logs.WithEvent(1110).Count);
        Assert.Equal(500, Reading.NearLimit);
    }

    [Fact]
    public void A_delivery_on_a_route_where_nothing_fails_allocates_nothing()
    {
        Route();
        var delivery = Event("a");
        Forwarded(delivery, accepted: true);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            Forwarded(delivery, accepted: true);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Counts_outlive_a_reload_and_go_with_their_route()
    {
        var route = Route();
        Forwarded(Event("a"), accepted: false);

        Assert.Same(route, _watch.For("r", new("cr3dentials", 5, 5)));
        _watch.Retain([]);

        Assert.Empty(_watch.Readings());
        Assert.NotSame(route, _watch.For("r", new("cr3dentials", 5, 5)));
    }

    public void Dispose()
    {
        _throttle.Dispose();
        _points.Dispose();
        _metrics.Dispose();
        _services.Dispose();
        _logs.Dispose();
    }

    private static string KeyOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private Delivery Event(string? key, TrustLevel trust = TrustLevel.Verified, RejectReason wouldRefuse = RejectReason.NotDecided, RoutePolicy? policy = null)
    {
        var delivery = new Delivery();
        delivery.Open(policy ?? RoutePolicy.None with { RouteId = "r", Attempts = _route }, "POST", "/r", default, Delivery.EmptyHeaders, 0,
            PipeReader.Create(Stream.Null));
        delivery.RaiseTrust(trust);
        delivery.WouldRefuse = wouldRefuse;
        if (key is not null)
        {
            delivery.EventKey = new(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
        }

        return delivery;
    }

    private RouteAttempts Route(GiveUpRules? rules = null)
    {
        var route = _watch.For("r", rules ?? new("cr3dentials", 5, 5));
        _watch.Retain([route]);
        _route = route;
        return route;
    }

    private void Forwarded(Delivery delivery, bool accepted) => _recorder.Forwarded(_context, delivery, new(accepted ? 200 : 500), 0);

    private void Refused(Delivery delivery, RejectReason reason, int status) => _recorder.Refused(_context, delivery, Verdict.Reject(reason), status, 0);
}
