using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.Observability;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Observability;

/// <summary><c>/metrics</c> after real traffic, held against Prometheus' own tool, and what dashboard and alerts take from it.</summary>
public sealed class MetricsTests : IDisposable
{
    private const string Routes =
        """
        { "edge": { "awsRanges": { "url": "file:{dir}/ip-ranges.json" } },
          "routes": {
            "hook":    { "path": "/hook",    "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret", "file:{dir}/old"] }], "upstream": "{upstream}" },
            "watched": { "path": "/watched", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "mode": "observe", "upstream": "{upstream}" },
            "aws":     { "path": "/aws",     "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "allow": ["aws:us-east-1"], "upstream": "{upstream}" },
            "cr3":     { "path": "/cr3",     "provider": "cr3dentials", "secrets": ["file:{dir}/secret"], "upstream": "{upstream}" } } }
        """;

    private static readonly Dictionary<string, string> Secrets = new()
    {
        ["secret"] = Hook.Secret,
        ["old"] = "the-secret-before-it-of-32-bytes",
        ["ip-ranges.json"] =
            """
            { "syncToken": "1", "createDate": "2026-08-22-00-00-00", "prefixes": [{ "ip_prefix": "3.4.12.4/32", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1" }], "ipv6_prefixes": [] }
            """,
    };

    private readonly HttpClient _http = new();

    [Fact]
    public async Task A_scrape_after_real_traffic_pleases_promtool_and_holds_what_happened()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Routes, upstream.Address, Secrets,
            arguments: ["--urls", "http://127.0.0.1:0", "--Metrics:Framework", "requests"]);
        await TrafficAsync(gateway);

        var text = await ScrapeAsync(gateway);

        var (code, output) = await PromtoolAsync(null, text, "check", "metrics");
        Assert.True(code == 0, output);
        Assert.Equal(1, Value(text, "webhookedge_requests_total", ("route", "hook"), ("outcome", "accepted"), ("reason", "none")));
        Assert.Equal(1, Value(text, "webhookedge_requests_total", ("route", "hook"), ("outcome", "refused"), ("reason", "duplicate")));
        Assert.Equal(1, Value(text, "webhookedge_requests_total", ("route", "hook"), ("outcome", "refused"), ("reason", "signature-mismatch")));
        Assert.Equal(1, Value(text, "webhookedge_requests_total", ("route", "none"), ("outcome", "refused"), ("reason", "route-unknown")));
        Assert.Equal(1, Value(text, "webhookedge_would_refuse_total", ("route", "watched"), ("reason", "signature-mismatch")));
        Assert.Equal(1, Value(text, "webhookedge_upstream_answers_total", ("route", "hook"), ("status", "2xx")));
        Assert.Equal(3, Value(text, "webhookedge_request_duration_seconds_count", ("route", "hook")));
        Assert.Equal(1, Value(text, "webhookedge_request_body_size_bytes_bucket", ("route", "hook"), ("le", "256")));
        Assert.Equal(1, Value(text, "webhookedge_replay_claims_total", ("answer", "duplicate")));
        Assert.Equal(0, Value(text, "webhookedge_observing", ("route", "hook")));
        Assert.Equal(1, Value(text, "webhookedge_observing", ("route", "watched")));
        Assert.Equal(1, Value(text, "webhookedge_addresses_prefixes", ("list", "aws:us-east-1")));
        Assert.Equal(1, Value(text, "webhookedge_config_last_reload_successful"));
        Assert.InRange(Value(text, "webhookedge_config_reloads_total", ("outcome", "taken")), 1, 9);
        Assert.Equal(Convert.ToInt64(gateway.Reloader.Status.Revision, 16), (long)Value(text, "webhookedge_config_revision"));
        Assert.Equal(0, Value(text, "webhookedge_in_flight"));
        Assert.Equal(4096, Value(text, "webhookedge_in_flight_limit"));
        Assert.Equal(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds(),
            Value(text, "webhookedge_secret_last_used_timestamp_seconds", ("route", "hook"), ("secret", $"file:{gateway.Directory}/secret")), 60.0);
        Assert.Equal(0, Value(text, "webhookedge_secret_last_used_timestamp_seconds", ("route", "hook"), ("secret", $"file:{gateway.Directory}/old")));
        foreach (var family in (string[])["kestrel_active_connections", "http_server_request_duration_seconds", "dotnet_gc_collections_total"])
        {
            Assert.Contains(family, Names(text));
        }

        foreach (var secret in (string[])[Hook.Secret, Secrets["old"], Hook.Sign("one"u8)])
        {
            Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_strangers_send_names_no_series()
    {
        await using var gateway = await TestGateway.StartAsync(Routes, secrets: Secrets);
        await ScrapeAsync(gateway);
        var before = Series(await ScrapeAsync(gateway));
        for (var i = 0; i < 40; i++)
        {
            await gateway.SendAsync(RawRequest.Post($"/stranger-{i}?q=stranger-{i}", "x").WithHeader("X-Sig", $"stranger-{i}")
                .WithHeader("User-Agent", $"stranger-{i}"));
            await gateway.SendAsync(RawRequest.Post($"/hook?q=stranger-{i}", "x") with { Method = $"STRANGER{i}" });
        }

        var after = await ScrapeAsync(gateway);

        Assert.DoesNotContain("stranger", after, StringComparison.OrdinalIgnoreCase);
        Assert.InRange(Series(after).Except(before).Count(static s => s.StartsWith("webhookedge", StringComparison.Ordinal)), 1, 80);
        Assert.Equal(["__name__", "answer", "le", "list", "operation", "outcome", "reason", "route", "secret", "stage", "status"],
            Labels(after, "webhookedge").Append("__name__").Concat(["status", "operation"]).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Many_scrapes_at_once_are_answered_whole()
    {
        await using var gateway = await TestGateway.StartAsync(Routes, secrets: Secrets);

        var texts = await Deadline.WaitAsync(Task.WhenAll(Enumerable.Range(0, 32).Select(_ => ScrapeAsync(gateway))), "all scrapes");

        Assert.All(texts, static text =>
        {
            Assert.EndsWith("\n", text, StringComparison.Ordinal);
            Assert.Equal(Names(text).Count, Regex.Count(text, "^# TYPE ", RegexOptions.Multiline));
            Assert.Contains("webhookedge_in_flight_limit", Names(text));
        });
    }

    [Fact]
    public async Task A_removed_route_leaves_the_gauges_and_a_kept_one_goes_on_counting()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Routes, upstream.Address, Secrets);
        await TrafficAsync(gateway);
        Assert.Equal(1, Value(await ScrapeAsync(gateway), "webhookedge_observing", ("route", "watched")));

        await gateway.ReloadAsync(Hook.Routes());
        await gateway.SendAsync(Hook.Event("two"));

        var text = await ScrapeAsync(gateway);
        Assert.DoesNotContain(Series(text),
            static series => series.StartsWith("webhookedge_observing", StringComparison.Ordinal) && series.Contains("watched", StringComparison.Ordinal));
        Assert.DoesNotContain(Series(text),
            static series => series.StartsWith("webhookedge_addresses_", StringComparison.Ordinal)
            && series.Contains("aws:us-east-1\"}", StringComparison.Ordinal));
        Assert.DoesNotContain(Series(text),
            series => series.StartsWith("webhookedge_secret", StringComparison.Ordinal)
            && series.Contains($"{gateway.Directory}/old", StringComparison.Ordinal));
        await Deadline.UntilAsync(() => gateway.Metrics.Sum("webhookedge.requests", ("route", "hook"), ("outcome", "accepted")) == 2,
            "the second delivery is counted");
        Assert.Equal(2, Value(await ScrapeAsync(gateway), "webhookedge_requests_total", ("route", "hook"), ("outcome", "accepted")));
        var use = Assert.Single(gateway.Host.Services.GetRequiredService<SecretUse>().All());
        Assert.Equal(("hook", $"file:{gateway.Directory}/secret"), (use.Route, use.SecretId));
        Assert.NotNull(use.LastMatched);
    }

    [Fact]
    public async Task A_delivery_that_is_held_shows()
    {
        await using var upstream = TestUpstream.Start();
        upstream.StopListening();
        await using var gateway = await TestGateway.StartAsync(Routes, upstream.Address, Secrets);

        var sending = gateway.SendAsync(Hook.Event("held"));
        await Deadline.UntilAsync(() => gateway.Metrics.Observe("webhookedge.held", ("route", "hook")) == 1, "the delivery is held");
        upstream.StartListening();

        (await sending).AssertDelivered();
        await Deadline.UntilAsync(() => gateway.Metrics.Observe("webhookedge.held", ("route", "hook")) == 0, "it is held no more");
    }

    [Fact]
    public async Task Dashboard_and_alerts_ask_for_metrics_that_exist()
    {
        using var files = new TempDirectory();
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Routes, upstream.Address, Secrets,
            arguments: ["--urls", "http://127.0.0.1:0", .. TestCertificate.Default(files)]);
        await TrafficAsync(gateway);
        var there = Names(await ScrapeAsync(gateway)).ToHashSet();

        foreach (var file in (string[])["grafana/webhookedge.json", "prometheus/alerts.yml"])
        {
            var asked = Regex.Matches(await File.ReadAllTextAsync(ConfigPath(file)), @"\b(?:webhookedge|kestrel|dotnet|http)_\w+")
                .Select(static match => Regex.Replace(match.Value, "_(?:bucket|sum|count)$", "")).ToHashSet();

            Assert.True(asked.Count >= 5, file);

            Assert.Empty(asked.Except(there));
        }
    }

    [Theory]
    [InlineData("check", "rules", "alerts.yml")]
    [InlineData("test", "rules", "alerts.test.yml")]
    public async Task Promtool_finds_nothing_wrong_with_the_alerts(string what, string of, string file)
    {
        var (code, output) = await PromtoolAsync(ConfigPath("prometheus"), null, what, of, file);

        Assert.True(code == 0, output);
    }

    public void Dispose() => _http.Dispose();

    private static async Task TrafficAsync(TestGateway gateway)
    {
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();
        (await gateway.SendAsync(Hook.Event("one"))).AssertDuplicate();
        Assert.Equal(401, (await gateway.SendAsync(Hook.Event("one", secret: "another"))).Status);
        Assert.Equal(200, (await gateway.SendAsync(Hook.Event("one", secret: "another", path: "/watched"))).Status);
        Assert.Equal(403, (await gateway.SendAsync(Hook.Event("one", path: "/aws"))).Status);
        Assert.Equal(404, (await gateway.SendAsync(RawRequest.Post("/none"))).Status);
        await Deadline.UntilAsync(() => gateway.Metrics.Of("webhookedge.requests").Count == 6 && gateway.Metrics.Observe("webhookedge.in_flight") == 0,
            "everything is counted");
    }

    private async Task<string> ScrapeAsync(TestGateway gateway)
    {
        using var answer = await Deadline.WaitAsync(_http.GetAsync(new Uri(gateway.Admin, "/metrics")), "the scrape");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        return await answer.Content.ReadAsStringAsync();
    }

    /// <summary>The sum over the samples that have at least these labels.</summary>
    private static double Value(string text, string name, params (string Name, string Value)[] labels)
    {
        var found = text.Split('\n')
            .Where(line => Regex.IsMatch(line, $"^{name}[{{ ]")
            && labels.All(label => line.Contains($"{label.Name}=\"{label.Value}\"", StringComparison.Ordinal))).ToArray();
        Assert.True(found.Length > 0, $"no {name} {string.Join(' ', labels)} in\n{text}");
        return found.Sum(static line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }

    private static IReadOnlyList<string> Names(string text) =>
        [.. Regex.Matches(text, @"(?<=^# TYPE )\S+", RegexOptions.Multiline).Select(static match => match.Value).Distinct()];

    private static IReadOnlyList<string> Series(string text) =>
        [.. text.Split('\n').Where(static line => line.Length > 0 && line[0] != '#').Select(static line => line[..line.LastIndexOf(' ')])];

    private static IEnumerable<string> Labels(string text, string prefix) =>
        Series(text).Where(series => series.StartsWith(prefix, StringComparison.Ordinal))
        .SelectMany(static series => Regex.Matches(series, @"(?<=[{,])\w+(?==)").Select(static match => match.Value)).Distinct();

    private static string ConfigPath(string name)
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root!.FullName, "WebhookEdge.sln")))
        {
            root = root.Parent;
        }

        return Path.Combine(root.FullName, "config", name);
    }

    private static async Task<(int Code, string Output)> PromtoolAsync(string? folder, string? input, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("promtool", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = folder ?? "" })!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var output = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await Deadline.WaitAsync(process.WaitForExitAsync(), "promtool", TimeSpan.FromSeconds(60));
        return (process.ExitCode, string.Concat(await output));
    }
}
