using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.Extensions.Logging;
using WebhookEdge.AllowLists;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.AllowLists;

public sealed class AddressListPoolTests : IDisposable
{
    private const string Url = "https://lists.example.com/ip-ranges.json";
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly string[] LargeNetworks = ["3.80.0.0/12", "52.216.0.0/15"];

    private readonly Clock _clock = new();
    private readonly LogLines _log = new();
    private readonly Publisher _publisher = new();
    private readonly Meter _meter = new("test");
    private readonly string _state = Directory.CreateTempSubdirectory("address-lists-").FullName;
    private readonly ConcurrentQueue<string> _outcomes = [];
    private readonly MeterListener _listener = new();
    private AddressListPool _pool;
    private RangeRefresher _refresher;

    public AddressListPoolTests()
    {
        (_pool, _refresher) = Start();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter, _meter))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, _, tags, _) => _outcomes.Enqueue($"{tags[0].Value} {tags[1].Value}"));
        _listener.Start();
    }

    public void Dispose()
    {
        _refresher.Dispose();
        _listener.Dispose();
        _meter.Dispose();
        Directory.Delete(_state, recursive: true);
    }

    [Fact]
    public async Task Who_listens_to_a_refresh_may_ask_for_the_lists_meanwhile()
    {
        // A listener that held a lock while it asked the gauges, and a refresh that was measured under the feed's lock, once waited for each other for ever.
        var asked = new ConcurrentQueue<bool>();
        _listener.SetMeasurementEventCallback<long>((_, _, _, _) =>
            asked.Enqueue(Task.Run(() => _pool.All.Count(static list => list.Age is null)).Wait(TimeSpan.FromSeconds(10))));
        _publisher.Answer(AwsFixture.Json());
        Aws("us-east-1");

        await Refresh();

        Assert.Equal([true], asked);
    }

    [Fact]
    public async Task Cuts_many_lists_from_one_fetch()
    {
        _publisher.Answer(AwsFixture.Json());
        var east = Aws("us-east-1");
        var london = Aws(Url, Hour, Hour, ["eu-west-2"], ["EC2"]);
        Assert.Null(east.Current);
        Assert.Null(east.Age);

        await Refresh();

        Assert.Equal(1, _publisher.Requests);
        Assert.True(Holds(east, "3.80.0.1"));
        Assert.False(Holds(east, "13.42.70.11"));
        Assert.True(Holds(london, "13.42.70.11"));
        Assert.Equal(("aws:us-east-1", 4, Url), (east.Name, east.PrefixCount, east.Source));
        Assert.Equal("aws:eu-west-2:EC2", london.Name);
        Assert.Equal((_clock.GetUtcNow(), _clock.GetUtcNow(), _clock.GetUtcNow()), (east.LoadedAt, east.CheckedAt, east.ChangedAt));
        Assert.Null(east.LastError);
        Assert.Equal(["aws:us-east-1 changed", "aws:eu-west-2:EC2 changed"], _outcomes);
    }

    [Fact]
    public async Task Is_the_same_list_when_asked_again_and_gives_a_later_one_what_is_loaded()
    {
        _publisher.Answer(AwsFixture.Json());
        var east = Aws("us-east-1");
        await Refresh();

        Assert.Same(east, Aws("us-east-1"));
        Assert.Same(Aws(Url, Hour, Hour, ["us-east-1", "eu-west-2"], []), Aws(Url, Hour, Hour, ["eu-west-2", "us-east-1"], ["AMAZON"]));
        Assert.True(Holds(Aws("us-west-2"), "54.148.0.1"));
        Assert.Equal(1, _publisher.Requests);
    }

    [Fact]
    public async Task Forgets_lists_that_no_route_uses_any_more()
    {
        _publisher.Answer(AwsFixture.Json());
        var east = Aws("us-east-1");
        var london = Aws("eu-west-2");
        await Refresh();

        _pool.Retain(new HashSet<AddressList> { london });
        Assert.Equal([london], _pool.All);
        Assert.True(Holds(east, "3.80.0.1"));
        _pool.Retain(new HashSet<AddressList>());

        Assert.Empty(_pool.All);
        _clock.Advance(2 * Hour);
        await Refresh();
        Assert.Equal(1, _publisher.Requests);
    }

    [Fact]
    public async Task Asks_whether_anything_changed_and_takes_304_for_no()
    {
        _publisher.Answer(AwsFixture.Json(), etag: "\"one\"", lastModified: new DateTimeOffset(2026, 8, 17, 0, 0, 0, TimeSpan.Zero));
        var east = Aws("us-east-1");
        await Refresh();
        var loaded = east.Current;
        _clock.Advance(Hour);
        _publisher.Answer(HttpStatusCode.NotModified);

        await Refresh();

        Assert.Equal("\"one\"", _publisher.IfNoneMatch);
        Assert.Equal(new DateTimeOffset(2026, 8, 17, 0, 0, 0, TimeSpan.Zero), _publisher.IfModifiedSince);
        Assert.Same(loaded, east.Current);
        Assert.Equal(TimeSpan.Zero, east.Age);
        Assert.Equal(_clock.GetUtcNow() - Hour, east.ChangedAt);
        Assert.Equal(["aws:us-east-1 changed", "aws:us-east-1 unchanged"], _outcomes);
    }

    [Fact]
    public async Task Asks_only_when_due()
    {
        _publisher.Answer(AwsFixture.Json());
        Aws("us-east-1");
        await Refresh();
        await Refresh();
        _clock.Advance(Hour - TimeSpan.FromSeconds(1));
        await Refresh();
        Assert.Equal(1, _publisher.Requests);

        _clock.Advance(TimeSpan.FromSeconds(1));
        await Refresh();

        Assert.Equal(2, _publisher.Requests);
        Assert.Equal(["aws:us-east-1 changed", "aws:us-east-1 unchanged"], _outcomes);
    }

    public static TheoryData<string, string> Failures => new()
    {
        { "500", "answered 500" },
        { "404", "answered 404" },
        { "206", "answered 206" },
        { "304 without being asked", "answered 304" },
        { "garbage", "no valid JSON" },
        { "truncated", "no valid JSON" },
        { "breaks off", "cut" },
        { "no network", "no route to host" },
        { "oversized, declared", "larger than 10 MiB" },
        { "oversized, undeclared", "larger than 10 MiB" },
        { "poisoned", "wider than /8" },
        { "bad entries", "leading zeros" },
        { "back in time", "went back" },
        { "redirect to http", "redirects to http://lists.example.com/x" },
        { "redirect to file", "redirects to file:///etc/passwd" },
        { "redirect in circles", "redirects to" },
        { "region gone", "unknown service 'AMAZON'" },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task Keeps_what_it_had_when_the_source_fails(string failure, string fault)
    {
        _publisher.Answer(AwsFixture.Json());
        var east = Aws("us-east-1");
        var nothing = Aws(Url, Hour, Hour, ["us-east-1"], ["EC2"]);
        await Refresh();
        var before = east.Current;
        _clock.Advance(Hour);
        switch (failure)
        {
            case "304 without being asked": _publisher.Answer(HttpStatusCode.NotModified); break;
            case "garbage": _publisher.Answer("<html>sign in to the Wi-Fi</html>"u8.ToArray()); break;
            case "truncated": _publisher.Answer(AwsFixture.Json(1_787_000_001)[..400]); break;
            case "breaks off": _publisher.Answer(_ => new HttpResponseMessage { Content = new StreamContent(new BreakingStream()) }); break;
            case "no network": _publisher.Answer(_ => throw new HttpRequestException("no route to host")); break;
            case "oversized, declared": _publisher.Answer(new byte[RangeFetcher.MaxBytes + 1]); break;
            case "oversized, undeclared": _publisher.Answer(_ => new HttpResponseMessage { Content = new StreamContent(new EndlessStream()) }); break;
            case "poisoned": _publisher.Answer(AwsFixture.Json(1_787_000_001, with: ["0.0.0.0/0"])); break;
            case "bad entries": _publisher.Answer(AwsFixture.Json(1_787_000_001, with: ["010.0.0.0/8", "10.0.0.0/33"])); break;
            case "back in time": _publisher.Answer(AwsFixture.Json(1_786_999_999)); break;
            case "redirect to http": _publisher.Redirect("http://lists.example.com/x"); break;
            case "redirect to file": _publisher.Redirect("file:///etc/passwd"); break;
            case "redirect in circles": _publisher.Redirect(Url); break;
            case "region gone": _publisher.Answer("""{"syncToken":"1787000001","createDate":"x","prefixes":[{"ip_prefix":"1.0.0.0/8","region":"us-east-1","service":"S3"}],"ipv6_prefixes":[]}"""u8.ToArray()); break;
            default: _publisher.Answer((HttpStatusCode)int.Parse(failure)); break;
        }

        await Refresh();

        Assert.Same(before, east.Current);
        Assert.Contains(fault, east.LastError, StringComparison.Ordinal);
        Assert.NotNull(nothing.LastError);
        Assert.Equal(Hour, east.Age);
        Assert.Equal(TimeSpan.Zero, _clock.GetUtcNow() - east.CheckedAt);
        Assert.Contains("aws:us-east-1 failed", _outcomes);

        // And it recovers.
        _publisher.Answer(AwsFixture.Json(1_787_000_002));
        _clock.Advance(Hour);
        await Refresh();
        Assert.Null(east.LastError);
        Assert.Equal(TimeSpan.Zero, east.Age);
    }

    [Fact]
    public async Task Comes_back_soon_after_a_failure_and_later_with_each_further_one()
    {
        _publisher.Answer(HttpStatusCode.InternalServerError);
        Aws("us-east-1");
        await Refresh();
        var gaps = new List<int>();
        for (var requests = 1; requests < 6; requests++)
        {
            var seconds = 0;
            while (_publisher.Requests == requests)
            {
                _clock.Advance(TimeSpan.FromSeconds(1));
                seconds++;
                await Refresh();
            }

            gaps.Add(seconds);
        }

        Assert.InRange(gaps[0], 4, 6);
        Assert.InRange(gaps[1], 8, 12);
        Assert.InRange(gaps[2], 16, 24);
        Assert.InRange(gaps[3], 32, 48);
        Assert.InRange(gaps[4], 64, 96);
    }

    [Fact]
    public async Task Holds_back_a_list_that_lost_more_than_half_until_a_later_check_says_the_same()
    {
        _publisher.Answer(AwsFixture.Json(), etag: "\"one\"");
        var east = Aws("us-east-1");
        var london = Aws("eu-west-2");
        await Refresh();
        var before = east.Current;

        _publisher.Answer(AwsFixture.Json(1_787_000_001, without: LargeNetworks), etag: "\"two\"");
        _clock.Advance(Hour);
        await Refresh();
        Assert.Same(before, east.Current);
        Assert.Contains("still says the same", east.LastError, StringComparison.Ordinal);
        Assert.Contains("aws:us-east-1 held-back", _outcomes);
        Assert.Contains(_log.Lines, line => line.Level == LogLevel.Error && line.Text.Contains("aws:us-east-1 is held back", StringComparison.Ordinal));
        Assert.Null(london.LastError);
        Assert.Equal(TimeSpan.Zero, london.Age);

        // Asked for early, by a sender that was refused: too soon to count as a second opinion, and never answered by "not modified".
        _clock.Advance(Hour / 2);
        east.RequestRefresh();
        await Refresh();
        Assert.Null(_publisher.IfNoneMatch);
        Assert.Same(before, east.Current);

        _clock.Advance(Hour);
        await Refresh();

        Assert.Equal(4, _publisher.Requests);
        Assert.False(Holds(east, "3.80.0.1"));
        Assert.True(Holds(east, "52.0.0.1"));
        Assert.Null(east.LastError);
    }

    [Fact]
    public async Task Starts_waiting_anew_when_the_second_check_says_something_else()
    {
        _publisher.Answer(AwsFixture.Json());
        var east = Aws("us-east-1");
        await Refresh();
        var before = east.Current;

        string[][] shrunk = [LargeNetworks, ["3.80.0.0/12", "52.0.0.0/15"], LargeNetworks];
        for (var i = 0; i < shrunk.Length; i++)
        {
            _publisher.Answer(AwsFixture.Json(1_787_000_001 + i, without: shrunk[i]));
            _clock.Advance(Hour);
            await Refresh();
            Assert.Same(before, east.Current);
        }

        _publisher.Answer(AwsFixture.Json(1_787_000_009));
        _clock.Advance(Hour);
        await Refresh();

        Assert.Null(east.LastError);
        Assert.True(Holds(east, "3.80.0.1"));
    }

    [Fact]
    public async Task A_held_back_list_is_held_back_after_a_restart_too()
    {
        _publisher.Answer(AwsFixture.Json());
        Aws("us-east-1");
        await Refresh();
        _publisher.Answer(AwsFixture.Json(1_787_000_001, without: LargeNetworks));
        _clock.Advance(Hour);
        await Refresh();

        Restart();
        var east = Aws("us-east-1");
        Assert.True(Holds(east, "3.80.0.1"));
        await Refresh();

        Assert.True(Holds(east, "3.80.0.1"));
        Assert.Contains("still says the same", east.LastError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Remembers_the_last_good_list_over_a_restart_without_network()
    {
        _publisher.Answer(AwsFixture.Json());
        Aws("us-east-1");
        await Refresh();
        var confirmed = _clock.GetUtcNow();
        _clock.Advance(Hour);
        _publisher.Answer(_ => throw new HttpRequestException("no network"));

        Restart();
        var east = Aws("us-east-1");

        Assert.True(Holds(east, "3.80.0.1"));
        Assert.Equal(Hour, east.Age);
        Assert.Null(east.CheckedAt);
        await Refresh();
        Assert.True(Holds(east, "3.80.0.1"));
        Assert.Equal(confirmed, east.LoadedAt);
        Assert.Equal("no network", east.LastError);
    }

    [Fact]
    public async Task Does_not_go_back_in_time_over_a_restart()
    {
        _publisher.Answer(AwsFixture.Json());
        Aws("us-east-1");
        await Refresh();
        _publisher.Answer(AwsFixture.Json(1_786_999_999, with: ["198.51.100.0/24"]));

        Restart();
        var east = Aws("us-east-1");
        await Refresh();

        Assert.False(Holds(east, "198.51.100.1"));
        Assert.Contains("went back", east.LastError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ignores_a_damaged_copy_on_disk_and_replaces_it()
    {
        _publisher.Answer(AwsFixture.Json());
        Aws("us-east-1");
        await Refresh();
        var file = Assert.Single(Directory.GetFiles(_state));
        foreach (var damage in new[] { ""u8.ToArray(), "{"u8.ToArray(), AwsFixture.Json()[..300], AwsFixture.Json(with: ["0.0.0.0/0"]) })
        {
            await File.WriteAllBytesAsync(file, damage);
            Restart();

            var east = Aws("us-east-1");
            Assert.Null(east.Current);
            await Refresh();

            Assert.True(Holds(east, "3.80.0.1"));
            Assert.Equal(AwsFixture.Json(), await File.ReadAllBytesAsync(file));
        }
    }

    [Fact]
    public async Task Writes_its_copy_for_its_own_eyes_and_confirms_it()
    {
        _publisher.Answer(AwsFixture.Json(), etag: "\"one\"");
        Aws("us-east-1");
        await Refresh();

        var file = Assert.Single(Directory.GetFiles(_state));
        Assert.DoesNotContain("lists.example.com", file, StringComparison.Ordinal);
        Assert.Equal(AwsFixture.Json(), await File.ReadAllBytesAsync(file));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }

        _publisher.Answer(HttpStatusCode.NotModified);
        _clock.Advance(Hour);
        await Refresh();
        Assert.Equal(_clock.GetUtcNow().UtcDateTime, File.GetLastWriteTimeUtc(file));

        // Somebody cleaned up: the next answer is asked for in full and kept again.
        File.Delete(file);
        _clock.Advance(Hour);
        await Refresh();
        _publisher.Answer(AwsFixture.Json(), etag: "\"one\"");
        _clock.Advance(Hour);
        await Refresh();
        Assert.Null(_publisher.IfNoneMatch);
        Assert.True(File.Exists(file));
    }

    [Fact]
    public async Task Alarms_when_a_list_was_not_confirmed_for_too_long()
    {
        _publisher.Answer(AwsFixture.Json());
        var east = Aws("us-east-1");
        await Refresh();
        _publisher.Answer(HttpStatusCode.BadGateway);

        _clock.Advance(TimeSpan.FromDays(7));
        await Refresh();
        Assert.False(east.IsStale);
        Assert.DoesNotContain(_log.Lines, line => line.Level == LogLevel.Error);
        _clock.Advance(Hour);
        await Refresh();

        Assert.True(east.IsStale);
        Assert.Contains(_log.Lines,
            line => line.Level == LogLevel.Error && line.Text.Contains("aws:us-east-1", StringComparison.Ordinal)
            && line.Text.Contains("alarm limit", StringComparison.Ordinal));
        Assert.True(Holds(east, "3.80.0.1"));
    }

    [Fact]
    public async Task Never_logs_the_query_of_a_URL()
    {
        var list = Json("https://lists.example.com/nets.json?token=s3cret", "/nets", Hour);
        await Refresh();
        _publisher.Answer("""{ "nets": ["198.51.100.0/24"] }"""u8.ToArray());
        _clock.Advance(Hour);
        await Refresh();

        Assert.True(Holds(list, "198.51.100.1"));
        Assert.True(_log.Lines.Count >= 2);
        Assert.DoesNotContain(_log.Lines, line => line.Text.Contains("s3cret", StringComparison.Ordinal));
        Assert.DoesNotContain("s3cret", list.Name + list.Source, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Works_without_a_place_for_copies()
    {
        _pool.StateDirectory = Path.Combine(_state, "file");
        await File.WriteAllTextAsync(_pool.StateDirectory, "in the way");
        _publisher.Answer(AwsFixture.Json());
        var east = Aws("us-east-1");

        await Refresh();

        Assert.True(Holds(east, "3.80.0.1"));
        Assert.Null(east.LastError);
    }

    [Fact]
    public async Task A_miss_refreshes_a_list_older_than_a_minute_and_no_younger_one()
    {
        _publisher.Answer(AwsFixture.Json());
        var east = Aws("us-east-1");
        await Refresh();
        _publisher.Answer(AwsFixture.Json(1_787_000_001, with: ["198.51.100.0/24"]));

        _clock.Advance(TimeSpan.FromSeconds(59));
        east.RequestRefresh();
        await Refresh();
        Assert.Equal(1, _publisher.Requests);

        _clock.Advance(TimeSpan.FromSeconds(1));
        east.RequestRefresh();
        east.RequestRefresh();
        await Refresh();

        Assert.Equal(2, _publisher.Requests);
        Assert.True(Holds(east, "198.51.100.1"));
    }

    [Fact]
    public async Task The_loop_fetches_at_once_and_when_asked()
    {
        _publisher.Answer(AwsFixture.Json());
        var first = _publisher.NextRequest();
        await _refresher.StartAsync(CancellationToken.None);
        var east = Aws("us-east-1");
        await first.WaitAsync(TimeSpan.FromSeconds(20));
        // Joins the check that the loop has just begun.
        await _pool.Feeds[0].CheckAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.True(Holds(east, "3.80.0.1"));

        var second = _publisher.NextRequest();
        _clock.Advance(TimeSpan.FromMinutes(2));
        east.RequestRefresh();
        await second.WaitAsync(TimeSpan.FromSeconds(20));

        await _refresher.StopAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.True(_publisher.Requests >= 2);
    }

    [Fact]
    public async Task A_slow_source_delays_no_other()
    {
        var hang = new TaskCompletionSource<HttpResponseMessage>();
        _publisher.AnswerAsync(request => request.RequestUri!.Host == "slow.example.com" ? hang.Task : Task.FromResult(Publisher.Ok(AwsFixture.Json())));
        var slow = Aws("https://slow.example.com/", Hour, Hour, ["us-east-1"], []);
        var east = Aws("us-east-1");

        var all = Refresh();
        await _pool.Feeds[1].CheckAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));

        Assert.False(all.IsCompleted);
        Assert.True(Holds(east, "3.80.0.1"));
        hang.SetResult(Publisher.Ok(AwsFixture.Json()));
        await all.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.True(Holds(slow, "3.80.0.1"));
    }

    [Fact]
    public async Task A_check_goes_on_for_those_who_joined_it_when_the_caller_that_began_it_has_left()
    {
        var answer = new TaskCompletionSource<HttpResponseMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        var asked = _publisher.NextRequest();
        var stopped = default(CancellationToken);
        _publisher.AnswerAsync((_, stop) =>
        {
            stopped = stop;
            return answer.Task.WaitAsync(stop);
        });
        var east = Aws("us-east-1");
        using var first = new CancellationTokenSource();
        var began = _pool.Feeds[0].CheckAsync(first.Token);
        await asked.WaitAsync(TimeSpan.FromSeconds(20));
        var joined = _pool.Feeds[0].CheckAsync(CancellationToken.None);

        await first.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => began.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.False(stopped.IsCancellationRequested);
        answer.SetResult(Publisher.Ok(AwsFixture.Json()));
        await joined.WaitAsync(TimeSpan.FromSeconds(20));

        Assert.True(Holds(east, "3.80.0.1"));
        Assert.Equal(1, _publisher.Requests);
    }

    [Fact]
    public async Task A_check_that_nobody_waits_for_any_more_is_broken_off_and_still_due()
    {
        var asked = _publisher.NextRequest();
        _publisher.AnswerAsync(static async (_, stop) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
            return new HttpResponseMessage();
        });
        var east = Aws("us-east-1");
        using var both = new CancellationTokenSource();
        var waiting = Enumerable.Range(0, 2).Select(_ => _pool.Feeds[0].CheckAsync(both.Token)).ToArray();
        await asked.WaitAsync(TimeSpan.FromSeconds(20));
        await both.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(waiting).WaitAsync(TimeSpan.FromSeconds(20)));

        Assert.Equal(TimeSpan.Zero, _pool.Feeds[0].Wait());
        _publisher.Answer(AwsFixture.Json());
        await Refresh();
        Assert.True(Holds(east, "3.80.0.1"));
    }

    [Fact]
    public async Task Follows_a_redirect_within_its_scheme()
    {
        _publisher.Answer(request => request.RequestUri!.Host == "lists.example.com"
            ? new HttpResponseMessage(HttpStatusCode.Found) { Headers = { Location = new Uri("https://cdn.example.com/x") } }
            : Publisher.Ok(AwsFixture.Json()));
        var east = Aws("us-east-1");

        await Refresh();

        Assert.True(Holds(east, "3.80.0.1"));
    }

    [Fact]
    public async Task A_name_that_AWS_does_not_know_is_told_and_does_not_hurt_the_rest()
    {
        _publisher.Answer(AwsFixture.Json());
        var typo = Aws("us-est-1");
        var half = Aws(Url, Hour, Hour, ["us-east-1", "eu-wst-2"], []);
        var east = Aws("us-east-1");

        await Refresh();

        Assert.Null(typo.Current);
        Assert.Equal("unknown region 'us-est-1'; did you mean 'us-east-1'?", typo.LastError);
        Assert.True(Holds(half, "3.80.0.1"));
        Assert.Equal("unknown region 'eu-wst-2'; did you mean 'eu-west-2'?", half.LastError);
        Assert.Null(east.LastError);
        Assert.Equal<string>(["GLOBAL", "eu-west-2", "us-east-1", "us-west-2"], _pool.LoadedAws(Url)!.Regions);
        Assert.Single(Directory.GetFiles(_state));
    }

    [Fact]
    public async Task A_half_that_is_published_empty_is_loaded_and_lets_nobody_in()
    {
        _publisher.Answer("""{ "prefixes": ["203.0.113.0/24"], "prefixes_ipv6": [] }"""u8.ToArray());
        var v4 = Json(Url, "/prefixes", Hour);
        var v6 = Json(Url, "/prefixes_ipv6", Hour);

        await Refresh();

        Assert.Equal((1, 0, TimeSpan.Zero), (v4.PrefixCount, v6.PrefixCount, v6.Age));
        Assert.True(v6.Current!.IsEmpty);
        Assert.Equal("'/prefixes_ipv6' is an empty list: it lets nobody in", v6.LastError);
        Assert.Single(_log.Lines, line => line.Text.Contains("'/prefixes_ipv6' is an empty list", StringComparison.Ordinal));

        // It may fill later, and then has something to lose.
        _clock.Advance(2 * Hour);
        _publisher.Answer("""{ "prefixes": ["203.0.113.0/24"], "prefixes_ipv6": ["2001:db8::/32"] }"""u8.ToArray());
        await Refresh();
        Assert.Equal((1, (string?)null), (v6.PrefixCount, v6.LastError));
    }

    [Theory]
    [InlineData("""{ "prefixes": [], "other": 1 }""", "shrinks to nothing")]
    [InlineData("""{ "other": 1 }""", "has nothing at '/prefixes'")]
    [InlineData("""{ "prefixes": null, "other": 1 }""", "no text")]
    public async Task A_list_that_shrank_to_nothing_or_whose_place_is_gone_stays_as_it_was(string later, string fault)
    {
        _publisher.Answer("""{ "prefixes": ["203.0.113.0/24"] }"""u8.ToArray());
        var list = Json(Url, "/prefixes", Hour);
        await Refresh();
        _publisher.Answer(Encoding.UTF8.GetBytes(later));

        // However often the source says so, and over a restart.
        for (var i = 0; i < 4; i++)
        {
            _clock.Advance(2 * Hour);
            await Refresh();
            Assert.Equal(1, list.PrefixCount);
            Assert.Contains(fault, list.LastError, StringComparison.Ordinal);
        }

        Assert.Equal(8 * Hour, list.Age);
        (_pool, _refresher) = Start();
        list = Json(Url, "/prefixes", Hour);
        await Refresh();
        Assert.Equal(1, list.PrefixCount);
        Assert.Contains(fault, list.LastError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_bad_entry_does_not_freeze_a_list_and_is_counted()
    {
        string[] sound = [.. Enumerable.Range(1, 10).Select(static i => $"\"203.0.113.{i}\"")];
        _publisher.Answer(Encoding.UTF8.GetBytes($$"""{ "prefixes": [{{string.Join(',', sound)}}] }"""));
        var list = Json(Url, "/prefixes", Hour);
        await Refresh();
        _clock.Advance(2 * Hour);
        _publisher.Answer(Encoding.UTF8.GetBytes($$"""{ "prefixes": [{{string.Join(',', sound)}}, "203.0.113.20", "203.0.113.77/24"] }"""));

        await Refresh();

        Assert.True(Holds(list, "203.0.113.20"));
        Assert.False(Holds(list, "203.0.113.78"));
        Assert.Equal((11, 1), (list.PrefixCount, list.LeftOut));
        Assert.Contains("1 of 12 entries", list.LastError, StringComparison.Ordinal);
        Assert.Contains(_log.Lines, line => line.Text.Contains("1 of 12 entries are no sound networks and were left out", StringComparison.Ordinal));

        _clock.Advance(2 * Hour);
        _publisher.Answer(Encoding.UTF8.GetBytes($$"""{ "prefixes": [{{string.Join(',', sound)}}, "203.0.113.77/24", " "] }"""));
        await Refresh();
        Assert.True(Holds(list, "203.0.113.20"));
        Assert.Contains("2 of 12 entries are no sound networks, more than a tenth", list.LastError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reads_a_file_at_once_and_keeps_no_copy_of_it()
    {
        var file = Path.Combine(_state, "nets.json");
        await File.WriteAllTextAsync(file, """{ "nets": ["198.51.100.0/24"] }""");
        var list = Json("file:" + file, "/nets", Hour);
        Assert.True(Holds(list, "198.51.100.1"));
        Assert.Equal($"json:file:{file}#/nets", list.Name);

        await File.WriteAllTextAsync(file, "\uFEFF{ \"nets\": [\"198.51.100.0/24\", \"203.0.113.0/24\"] }");
        await Refresh();
        Assert.True(Holds(list, "203.0.113.1"));
        File.Delete(file);
        _clock.Advance(Hour);
        await Refresh();

        Assert.True(Holds(list, "203.0.113.1"));
        Assert.NotNull(list.LastError);
        Assert.Empty(Directory.GetFiles(_state));
    }

    [Fact]
    public async Task Shows_age_and_size_of_each_list_in_the_metrics()
    {
        var seen = new Dictionary<string, double>();
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => seen[$"{instrument.Name} {tags[0].Value}"] = value);
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => seen[$"{instrument.Name} {tags[0].Value}"] = value);
        _publisher.Answer(AwsFixture.Json());
        Aws("us-east-1");
        Aws("nowhere");
        await Refresh();
        _clock.Advance(TimeSpan.FromSeconds(90));

        _listener.RecordObservableInstruments();

        Assert.Equal(90, seen["webhookedge.addresses.age aws:us-east-1"]);
        Assert.Equal(4, seen["webhookedge.addresses.prefixes aws:us-east-1"]);
        Assert.Equal(0, seen["webhookedge.addresses.prefixes aws:nowhere"]);
        Assert.DoesNotContain("webhookedge.addresses.age aws:nowhere", seen.Keys);
    }

    [Theory]
    [InlineData("https://lists.example.com/x?token=secret", "https://lists.example.com/x")]
    [InlineData("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x")]
    [InlineData("http://[::1]:8080/x", "http://[::1]:8080/x")]
    [InlineData("file:/srv/lists/x.json", "file:/srv/lists/x.json")]
    [InlineData("file:///srv/lists/x.json", "file:/srv/lists/x.json")]
    public void Takes_lists_from_safe_places(string url, string shown)
    {
        Assert.True(RangeSource.TryParse(url, out var source, out var fault), fault);
        Assert.Equal(shown, source!.Display);
    }

    [Theory]
    [InlineData("http://lists.example.com/x")]
    [InlineData("http://169.254.169.254/x")]
    [InlineData("https://user:password@lists.example.com/x")]
    [InlineData("ftp://lists.example.com/x")]
    [InlineData("lists.example.com")]
    [InlineData("/srv/lists/x.json")]
    [InlineData("file:lists/x.json")]
    [InlineData("file://server/share/x.json")]
    [InlineData("file:")]
    [InlineData("")]
    public void Takes_no_list_from_elsewhere(string url)
    {
        Assert.False(RangeSource.TryParse(url, out _, out var fault));
        Assert.DoesNotContain("password", fault, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Json(url, "", Hour));
    }

    private AddressList Aws(string region) => Aws(Url, Hour, TimeSpan.FromDays(7), [region], []);

    private AddressList Aws(string url, TimeSpan refresh, TimeSpan alarmAfter, IReadOnlyList<string> regions, IReadOnlyList<string> services) =>
        _pool.Get(AddressListNeed.Aws(url, refresh, alarmAfter, regions, services));

    private AddressList Json(string url, string pointer, TimeSpan refresh) => _pool.Get(AddressListNeed.Json(url, pointer, refresh));

    private Task Refresh() => _refresher.RefreshOnceAsync(CancellationToken.None);

    private void Restart()
    {
        _refresher.Dispose();
        (_pool, _refresher) = Start();
    }

    private (AddressListPool Pool, RangeRefresher Refresher) Start()
    {
        var pool = new AddressListPool(new HttpMessageInvoker(_publisher), _clock, _log, new AddressMetrics(_meter), new Random(1)) { StateDirectory = _state };
        return (pool, new RangeRefresher(pool));
    }

    private static bool Holds(AddressList list, string address) => list.Current is { } set && set.Contains(ClientAddress.From(IPAddress.Parse(address)));

    private sealed class Clock : TimeProvider
    {
        private long _ticks = new DateTimeOffset(2026, 8, 22, 12, 0, 0, TimeSpan.Zero).Ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => new(Volatile.Read(ref _ticks), TimeSpan.Zero);

        public override long GetTimestamp() => Volatile.Read(ref _ticks);

        public void Advance(TimeSpan by) => Interlocked.Add(ref _ticks, by.Ticks);
    }

    private sealed class LogLines : ILogger<AddressListPool>
    {
        public ConcurrentQueue<(LogLevel Level, string Text)> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue((logLevel, formatter(state, exception)));
    }

    private sealed class Publisher : HttpMessageHandler
    {
        private Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> _answer = (_, _) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.NotFound));
        private TaskCompletionSource _next = new();
        private int _requests;

        public int Requests => Volatile.Read(ref _requests);

        public string? IfNoneMatch { get; private set; }

        public DateTimeOffset? IfModifiedSince { get; private set; }

        public static HttpResponseMessage Ok(byte[] body) => new() { Content = new ByteArrayContent(body) };

        public void AnswerAsync(Func<HttpRequestMessage, Task<HttpResponseMessage>> answer) => _answer = (request, _) => answer(request);

        public void AnswerAsync(Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> answer) => _answer = answer;

        public void Answer(Func<HttpRequestMessage, HttpResponseMessage> answer) => _answer = (request, _) => Task.FromResult(answer(request));

        public void Answer(HttpStatusCode status) => Answer(_ => new HttpResponseMessage(status));

        public void Redirect(string location) => Answer(_ => new HttpResponseMessage(HttpStatusCode.Found) { Headers = { Location = new Uri(location) } });

        public void Answer(byte[] body, string? etag = null, DateTimeOffset? lastModified = null) => Answer(_ =>
        {
            var response = Ok(body);
            response.Headers.ETag = etag is null ? null : new EntityTagHeaderValue(etag);
            response.Content.Headers.LastModified = lastModified;
            return response;
        });

        public Task NextRequest() => (_next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _requests);
            IfNoneMatch = request.Headers.IfNoneMatch.SingleOrDefault()?.ToString();
            IfModifiedSince = request.Headers.IfModifiedSince;
            _next.TrySetResult();
            return _answer(request, cancellationToken);
        }
    }

    /// <summary>Starts well and is cut.</summary>
    private sealed class BreakingStream() : MemoryStream(Encoding.UTF8.GetBytes("{ \"syncToken\": \"17"))
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await base.ReadAsync(buffer, cancellationToken);
            return read > 0 ? read : throw new IOException("cut");
        }
    }

    private sealed class EndlessStream : MemoryStream
    {
        public override bool CanSeek => false;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(buffer.Length);
    }
}
