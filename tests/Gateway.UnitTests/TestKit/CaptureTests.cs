using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.TestKit;

public sealed class CaptureTests
{
    private static readonly Action<ILogger, int, string, Exception?> Line =
        LoggerMessage.Define<int, string>(LogLevel.Warning, new EventId(4711, "Seen"), "seen {Count} of {Kind}");

    [Fact]
    public async Task A_log_line_is_kept_as_text_and_as_values()
    {
        using var logs = new LogCapture();
        var waiting = logs.WaitForEventAsync(4711);

        Line(logs.CreateLogger("Area"), 3, "apples", null);

        var entry = await waiting;
        Assert.Equal((LogLevel.Warning, 4711, "Area", "seen 3 of apples"), (entry.Level, entry.Event.Id, entry.Category, entry.Text));
        Assert.Equal(3, entry["Count"]);
        Assert.Contains("Kind=apples", logs.Everything, StringComparison.Ordinal);
        Assert.Same(entry, Assert.Single(logs.WithEvent(4711)));
    }

    [Fact]
    public void A_capture_hears_its_own_meter_only()
    {
        using var mine = new Meter("WebhookEdge");
        using var other = new Meter("WebhookEdge");
        using var capture = new MetricCapture(mine);
        var counter = mine.CreateCounter<long>("hits");
        mine.CreateObservableGauge("level", () => 7);

        counter.Add(2, new KeyValuePair<string, object?>("route", "a"));
        counter.Add(3, new KeyValuePair<string, object?>("route", "b"));
        other.CreateCounter<long>("hits").Add(100);

        Assert.Equal(5, capture.Sum("hits"));
        Assert.Equal(3, capture.Sum("hits", ("route", "b")));
        Assert.Equal(0, capture.Sum("hits", ("route", "c")));
        Assert.Equal(7, capture.Observe("level"));
        Assert.Null(capture.Observe("hits"));
        Assert.Equal(["route"], capture.TagNames("hits"));
    }

    [Fact]
    public void Two_hosts_with_the_same_meter_name_do_not_mix()
    {
        using var one = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var two = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var capture = new MetricCapture(one.GetRequiredService<IMeterFactory>());

        one.GetRequiredService<IMeterFactory>().Create("WebhookEdge").CreateCounter<int>("hits").Add(1);
        two.GetRequiredService<IMeterFactory>().Create("WebhookEdge").CreateCounter<int>("hits").Add(10);
        one.GetRequiredService<IMeterFactory>().Create("Other").CreateCounter<int>("hits").Add(100);

        Assert.Equal(1, capture.Sum("hits"));
    }

    [Fact]
    public async Task A_deadline_names_what_was_waited_for_and_passes_other_failures_on()
    {
        var never = new TaskCompletionSource<int>();

        var late = await Assert.ThrowsAsync<TimeoutException>(() => Deadline.WaitAsync(never.Task, "the tide", TimeSpan.FromMilliseconds(1)));
        var own = await Assert.ThrowsAsync<TimeoutException>(() => Deadline.WaitAsync(Task.FromException<int>(new TimeoutException("its own")), "x"));
        var until = await Assert.ThrowsAsync<TimeoutException>(() => Deadline.UntilAsync(() => false, "pigs fly", TimeSpan.FromMilliseconds(1)));

        Assert.Contains("the tide", late.Message, StringComparison.Ordinal);
        Assert.Equal("its own", own.Message);
        Assert.Contains("pigs fly", until.Message, StringComparison.Ordinal);
        Assert.Equal(5, await Deadline.WaitAsync(Task.FromResult(5), "five"));
    }

    [Fact]
    public void A_temp_directory_replaces_links_and_goes_away()
    {
        string path;
        using (var folder = new TempDirectory())
        {
            path = folder.Path;
            folder.Write("v1/routes.json", "1");
            folder.Write("v2/routes.json", "2");
            folder.Link("data", "v1");
            Assert.Equal("1", File.ReadAllText(folder.PathOf("data/routes.json")));

            folder.Link("data", "v2");
            Assert.Equal("2", File.ReadAllText(folder.PathOf("data/routes.json")));

            folder.Replace("v2/routes.json", "3");
            Assert.Equal("3", File.ReadAllText(folder.PathOf("data/routes.json")));
        }

        Assert.False(Directory.Exists(path));
    }
}
