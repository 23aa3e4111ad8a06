using WebhookEdge.Replay;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Replay;

public sealed class StoreBreakerTests
{
    private readonly TestClock _clock = new();
    private readonly StoreBreaker _breaker;

    public StoreBreakerTests()
    {
        _breaker = new(_clock, new Random(1));
    }

    [Fact]
    public void Two_failures_do_not_open_it_and_a_third_does()
    {
        Assert.False(_breaker.Failed(out var pause));
        Assert.False(_breaker.Failed(out _));
        Assert.Equal((TimeSpan.Zero, 0), (pause, _breaker.State));

        Assert.True(_breaker.Failed(out pause));

        Assert.InRange(pause, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        Assert.Equal(2, _breaker.State);
        Assert.False(_breaker.Failed(out _));
    }

    [Fact]
    public void It_opens_when_more_fails_than_succeeds()
    {
        for (var i = 0; i < 10; i++)
        {
            _breaker.Succeeded();
            Assert.False(_breaker.Failed(out _));
        }

        Assert.True(_breaker.Failed(out _));
    }

    [Fact]
    public void A_few_slow_calls_among_many_do_not_open_it()
    {
        for (var i = 0; i < 1_000; i++)
        {
            _breaker.Succeeded();
            if (i % 4 == 0)
            {
                Assert.False(_breaker.Failed(out _));
            }
        }

        Assert.Equal(0, _breaker.State);
    }

    [Fact]
    public void What_is_more_than_two_seconds_old_does_not_count()
    {
        _breaker.Failed(out _);
        _breaker.Failed(out _);
        _clock.Advance(TimeSpan.FromSeconds(2.1));
        Assert.False(_breaker.Failed(out _));

        for (var i = 0; i < 100; i++)
        {
            _breaker.Succeeded();
        }

        _clock.Advance(TimeSpan.FromSeconds(2.1));
        Assert.False(_breaker.Failed(out _));
        _clock.Advance(TimeSpan.FromSeconds(0.6));
        Assert.False(_breaker.Failed(out _));
        Assert.True(_breaker.Failed(out _));
    }

    [Fact]
    public void Half_open_it_lets_one_caller_in_until_that_one_reports()
    {
        var pause = Open();
        Assert.False(_breaker.TryEnter());

        _clock.Advance(pause + TimeSpan.FromMilliseconds(1));
        Assert.Equal(1, _breaker.State);
        Assert.True(_breaker.TryEnter());
        Assert.False(_breaker.TryEnter());
        _breaker.Abandon();
        Assert.True(_breaker.TryEnter());
        Assert.False(_breaker.Failed(out pause));
        Assert.False(_breaker.TryEnter());
        _clock.Advance(pause + TimeSpan.FromMilliseconds(1));
        Assert.True(_breaker.TryEnter());
        Assert.True(_breaker.Succeeded());
        Assert.True(_breaker.TryEnter() && _breaker.TryEnter());
    }

    [Fact]
    public void Once_closed_again_it_has_forgotten_what_failed_before()
    {
        var pause = Open();
        _clock.Advance(pause + TimeSpan.FromMilliseconds(1));
        Assert.True(_breaker.TryEnter());
        Assert.True(_breaker.Succeeded());

        Assert.False(_breaker.Failed(out _));
        Assert.False(_breaker.Failed(out _));
        Assert.True(_breaker.Failed(out _));
    }

    private TimeSpan Open()
    {
        _breaker.Failed(out _);
        _breaker.Failed(out _);
        Assert.True(_breaker.Failed(out var pause));
        return pause;
    }
}
