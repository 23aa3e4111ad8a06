using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using WebhookEdge.Observability;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Observability;

public sealed class LogThrottleTests : IDisposable
{
    private readonly TestClock _clock = new();
    private readonly LogCapture _logs = new();
    private readonly ThrottledLine _line = new RouteLogLines().Refused("kyc", RejectReason.SignatureMismatch);

    [Fact]
    public void The_first_lines_of_a_second_are_written_and_the_next_second_tells_of_the_others()
    {
        using var throttle = Create();

        Assert.Equal(20, Enumerable.Range(0, 5000).Count(_ => throttle.Allows(_line)));
        Assert.Empty(_logs.Entries);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.True(throttle.Allows(_line));

        var told = Assert.Single(_logs.WithEvent(1109));
        Assert.Equal((1100, 4980L, "signature-mismatch", "kyc", LogLevel.Information),
            (told["Line"], told["LeftOut"], told["Reason"], told["Route"], told.Level));
    }

    [Fact]
    public void A_flood_that_ends_is_told_of_without_a_further_request()
    {
        using var throttle = Create();
        Flood(throttle, 30);

        _clock.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal(10L, Assert.Single(_logs.WithEvent(1109))["LeftOut"]);
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Single(_logs.WithEvent(1109));
    }

    [Fact]
    public void Fewer_lines_than_the_bound_leave_no_trace()
    {
        using var throttle = Create();
        for (var second = 0; second < 10; second++)
        {
            Flood(throttle, 20);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Empty(_logs.Entries);
    }

    [Fact]
    public void Each_reason_of_each_route_has_its_own_bound()
    {
        using var throttle = Create();
        Flood(throttle, 100);
        var lines = new RouteLogLines();

        Assert.True(throttle.Allows(lines.Refused("kyc", RejectReason.AddressNotAllowed)));
        Assert.True(throttle.Allows(lines.WouldRefuse("kyc", RejectReason.SignatureMismatch)));
        Assert.True(throttle.Allows(lines.Challenge("kyc")));
        Assert.True(throttle.Allows(new RouteLogLines().Refused("other", RejectReason.SignatureMismatch)));
    }

    [Fact]
    public void What_is_owed_at_the_end_is_told()
    {
        var throttle = Create();
        Flood(throttle, 21);

        throttle.Dispose();

        Assert.Equal(1L, Assert.Single(_logs.WithEvent(1109))["LeftOut"]);
    }

    /// <summary>Written and told of add up, however many ask at once and however the seconds fall.</summary>
    [Fact]
    public async Task Nothing_is_lost_when_many_ask_at_once()
    {
        const int Askers = 4;
        const int Each = 20_000;
        var written = 0L;
        var throttle = Create();
        await Task.WhenAll(Enumerable.Range(0, Askers).Select(asker => Task.Run(() =>
        {
            for (var i = 0; i < Each; i++)
            {
                if (throttle.Allows(_line))
                {
                    Interlocked.Increment(ref written);
                }

                if (asker == 0 && i % 500 == 0)
                {
                    _clock.Advance(TimeSpan.FromMilliseconds(400));
                }
            }
        })));
        throttle.Dispose();

        Assert.Equal(Askers * Each, written + _logs.WithEvent(1109).Sum(static entry => (long)entry["LeftOut"]!));
    }

    [Fact]
    public void Asking_allocates_nothing()
    {
        using var throttle = Create();
        Flood(throttle, 1000);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Flood(throttle, 1000);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Zero_is_no_bound_and_anything_but_a_number_is_refused()
    {
        using var throttle = Create("0");
        Assert.Equal(5000, Enumerable.Range(0, 5000).Count(_ => throttle.Allows(_line)));

        Assert.Contains("Logging:RefusalsPerSecond is \"many\"", Assert.Throws<FormatException>(() => Create("many")).Message, StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => Create("-1"));
    }

    public void Dispose() => _logs.Dispose();

    private LogThrottle Create(string? perSecond = null) =>
        new(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { [LogThrottle.Setting] = perSecond }).Build(), _clock,
            _logs.CreateLogger<LogThrottle>());

    private void Flood(LogThrottle throttle, int times)
    {
        for (var i = 0; i < times; i++)
        {
            throttle.Allows(_line);
        }
    }
}
