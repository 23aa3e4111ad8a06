using System.Diagnostics;
using System.Diagnostics.Metrics;
using WebhookEdge.Observability;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Observability;

/// <summary>What is counted without an instrument of its own: numbers of routes, last use of secrets, references to traces.</summary>
public sealed class RecordsTests : IDisposable
{
    private readonly TestClock _clock = new();
    private readonly Meter _meter = new("WebhookEdge");
    private readonly MetricCapture _metrics;

    public RecordsTests() => _metrics = new(_meter);

    [Fact]
    public void A_secret_remembers_when_it_last_matched()
    {
        var use = new SecretUse(_meter, _clock);
        var started = _clock.GetUtcNow();
        var current = use.Of("hook", "env:NEW");
        use.Retain([current, use.Of("hook", "env:OLD")]);

        _clock.Advance(TimeSpan.FromMinutes(5));
        current.Matched(_clock.GetTimestamp());
        _clock.Advance(TimeSpan.FromHours(1));

        Assert.Equal(["env:NEW", "env:OLD"], use.All().Select(static u => u.SecretId));
        var matched = use.All()[0];
        Assert.Equal(started, matched.WatchedSince);
        Assert.InRange((matched.LastMatched!.Value - started).TotalSeconds, 299.9, 300.1);
        Assert.Null(use.All()[1].LastMatched);
        Assert.Equal(started.ToUnixTimeSeconds() + 300,
            _metrics.Observe("webhookedge.secret.last_used_timestamp", ("route", "hook"), ("secret", "env:NEW"))!.Value, 1.0);
        Assert.Equal(0, _metrics.Observe("webhookedge.secret.last_used_timestamp", ("secret", "env:OLD")));
    }

    [Fact]
    public void A_secret_is_written_at_most_once_a_second_and_never_backwards()
    {
        var record = new SecretRecord("hook", "env:S", _clock);
        var first = _clock.GetTimestamp();
        record.Matched(first);
        var noted = record.LastMatched;

        _clock.Advance(TimeSpan.FromMilliseconds(900));
        record.Matched(_clock.GetTimestamp());
        Assert.Equal(noted!.Value, record.LastMatched!.Value, TimeSpan.FromMilliseconds(1));

        _clock.Advance(TimeSpan.FromMilliseconds(200));
        record.Matched(_clock.GetTimestamp());
        Assert.Equal(_clock.GetUtcNow(), record.LastMatched!.Value, TimeSpan.FromMilliseconds(1));
        record.Matched(first);
        Assert.Equal(_clock.GetUtcNow(), record.LastMatched!.Value, TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public void A_secret_outlives_a_reload_that_keeps_it_and_is_forgotten_with_one_that_does_not()
    {
        var use = new SecretUse(_meter, _clock);
        var kept = use.Of("hook", "env:KEPT");
        kept.Matched(_clock.GetTimestamp());
        use.Retain([kept, use.Of("hook", "env:GONE")]);
        Assert.Equal(2, use.All().Count);
        use.Of("hook", "env:REFUSED");
        Assert.Equal(2, use.All().Count);

        use.Retain([use.Of("hook", "env:KEPT")]);

        Assert.Same(kept, use.Of("hook", "env:KEPT"));
        Assert.Equal("env:KEPT", Assert.Single(use.All()).SecretId);
        Assert.Equal(double.NaN, _metrics.Observe("webhookedge.secret.last_used_timestamp", ("secret", "env:GONE")) ?? double.NaN);
    }

    [Fact]
    public void A_secret_that_matches_allocates_nothing()
    {
        var record = new SecretRecord("hook", "env:S", TimeProvider.System);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++)
        {
            record.Matched(Stopwatch.GetTimestamp() + (i * Stopwatch.Frequency));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Routes_count_by_outcome_and_reason_and_go_on_over_a_reload()
    {
        var requests = new RequestMetrics(_meter, _clock);
        var hook = requests.Of("hook");

        hook.Forwarded(_clock.GetTimestamp(), TimeSpan.FromMilliseconds(3), 202, accepted: true, bodyBytes: 100);
        hook.Forwarded(_clock.GetTimestamp(), TimeSpan.FromMilliseconds(3), 500, accepted: false, bodyBytes: 100);
        hook.Refused(_clock.GetTimestamp(), TimeSpan.FromMilliseconds(1), RejectReason.SignatureMismatch, upstreamStatus: 0);
        requests.Retain(new Dictionary<string, bool> { ["hook"] = true });
        requests.Of("hook").Refused(_clock.GetTimestamp(), TimeSpan.FromMilliseconds(1), RejectReason.UpstreamFailed, upstreamStatus: 301);
        requests.Unrouted.Refused(_clock.GetTimestamp(), TimeSpan.FromMilliseconds(1), RejectReason.RouteUnknown, upstreamStatus: 0);

        Assert.Same(hook, requests.Of("hook"));
        Assert.Equal(1, _metrics.Sum("webhookedge.requests", ("route", "hook"), ("outcome", "accepted"), ("reason", "none")));
        Assert.Equal(1, _metrics.Sum("webhookedge.requests", ("route", "hook"), ("outcome", "refused"), ("reason", "signature-mismatch")));
        Assert.Equal(1, _metrics.Sum("webhookedge.requests", ("route", "none"), ("reason", "route-unknown")));
        Assert.Equal(["2xx", "3xx", "5xx"], _metrics.Of("webhookedge.upstream.answers").Select(static p => (string)p.Tags["status"]!).Order());
        Assert.Equal(4, _metrics.Of("webhookedge.request.duration", ("route", "hook")).Count);
        Assert.Equal(1, _metrics.Observe("webhookedge.observing", ("route", "hook")));

        requests.Retain(new Dictionary<string, bool>());

        Assert.Equal(double.NaN, _metrics.Observe("webhookedge.observing", ("route", "hook")));
    }

    [Fact]
    public void Stages_are_timed_a_hundred_times_a_second_at_most()
    {
        var hook = new RequestMetrics(_meter, _clock).Of("hook");

        var timed = 0;
        for (var i = 0; i < 10_000; i++)
        {
            timed += hook.ShouldTime(_clock.GetTimestamp()) ? 1 : 0;
            _clock.Advance(TimeSpan.FromTicks(1_000));
        }

        Assert.InRange(timed, 90, 101);
    }

    [Fact]
    public void A_trace_is_kept_as_text_and_read_again()
    {
        using var activity = new Activity("a").SetIdFormat(ActivityIdFormat.W3C).Start();
        var trace = TraceRef.Of(activity);

        Assert.True(trace.IsKnown);
        Assert.Equal($"{activity.TraceId}-{activity.SpanId}", trace.ToString());
        Assert.True(TraceRef.TryParse(trace.ToString(), out var read));
        Assert.Equal(trace, read);
        Assert.Equal((activity.TraceId, activity.SpanId), (trace.ToContext().TraceId, trace.ToContext().SpanId));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1732180000")]
    [InlineData("00000000000000000000000000000000-0000000000000000")]
    [InlineData("0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331")]
    [InlineData("0af7651916cd43dd8448eb211c80319c-b7ad6b716920333")]
    [InlineData("xaf7651916cd43dd8448eb211c80319c-b7ad6b7169203331")]
    public void What_is_no_trace_is_none(string text)
    {
        Assert.False(TraceRef.TryParse(text, out var trace));
        Assert.False(trace.IsKnown);
    }

    public void Dispose()
    {
        _metrics.Dispose();
        _meter.Dispose();
    }
}
