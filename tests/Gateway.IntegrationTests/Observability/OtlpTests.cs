using System.Text;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Observability;

/// <summary>
/// Export to a collector over OTLP (http/protobuf), and what a trace says. The collector keeps the bytes; strings and ids stand in them as they are.
/// </summary>
public sealed class OtlpTests
{
    private const string Sender = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Fact]
    public async Task Metrics_and_traces_arrive_at_the_collector()
    {
        await using var collector = TestUpstream.Start();
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(collector, upstream, Hook.Routes());

        (await gateway.SendAsync(Hook.Event("one").WithHeader("traceparent", Sender).WithHeader("tracestate", "vendor=x"))).AssertDelivered();
        Assert.Equal(401, (await gateway.SendAsync(Hook.Event("one", secret: "another"))).Status);

        var delivered = await SpanAsync(collector, "accepted");
        var refused = await SpanAsync(collector, "signature-mismatch");
        await Deadline.UntilAsync(() => Bodies(collector, "/v1/metrics")
            .Any(static body => body.Contains("webhookedge.requests", StringComparison.Ordinal)
            && body.Contains("dotnet.gc.collections", StringComparison.Ordinal)), "metrics arrive");
        foreach (var word in (string[])["POST /hook", "webhookedge", "shape", "timestamp", "payload", "signature", "replay", "forward", "verdict", "passed",
            upstream.Requests[0].Headers["X-Webhook-Event-Key"]!])
        {
            Assert.Contains(word, delivered, StringComparison.Ordinal);
        }

        // Our own trace goes upstream, in place of the sender's, which is linked.
        var parent = upstream.Requests[0].Headers["traceparent"]!;
        Assert.Matches("^00-[0-9a-f]{32}-[0-9a-f]{16}-01$", parent);
        Assert.DoesNotContain("0af7651916cd43dd8448eb211c80319c", parent, StringComparison.Ordinal);
        Assert.False(upstream.Requests[0].Headers.Contains("tracestate"));
        Assert.Contains(Id(parent), delivered, StringComparison.Ordinal);
        Assert.Contains(Id(Sender), delivered, StringComparison.Ordinal);
        Assert.DoesNotContain("replay", refused, StringComparison.Ordinal);
        foreach (var body in Bodies(collector, "/v1/"))
        {
            Assert.DoesNotContain(Hook.Secret, body, StringComparison.Ordinal);
            Assert.DoesNotContain(Hook.Sign("one"u8), body, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_duplicate_is_linked_to_the_delivery_it_repeats(bool shared)
    {
        await using var collector = TestUpstream.Start();
        await using var upstream = TestUpstream.Start();
        await using var redis = shared ? await RedisServer.StartAsync() : null;
        var secrets = shared ? Hook.SecretsWith(redis!) : Hook.Secrets;
        var routes = shared ? Hook.Routes(file: Hook.WithRedis) : Hook.Routes();
        await using var first = await StartAsync(collector, upstream, routes, secrets);
        await using var second = shared ? await StartAsync(collector, upstream, routes, secrets) : null;

        (await first.SendAsync(Hook.Event("one"))).AssertDelivered();
        (await (second ?? first).SendAsync(Hook.Event("one"))).AssertDuplicate();

        var duplicate = await SpanAsync(collector, "duplicate");
        var parent = upstream.Requests[0].Headers["traceparent"]!;
        Assert.Contains("webhookedge.first_trace_id", duplicate, StringComparison.Ordinal);
        Assert.Contains(parent.Split('-')[1], duplicate, StringComparison.Ordinal);
        Assert.Contains(Id(parent), duplicate, StringComparison.Ordinal);
        Assert.Contains(Encoding.Latin1.GetString(Convert.FromHexString(parent.Split('-')[2])), duplicate, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_collector_the_senders_trace_goes_through()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);

        await gateway.SendAsync(Hook.Event("one").WithHeader("traceparent", Sender));

        Assert.Equal(Sender, upstream.Requests[0].Headers["traceparent"]);
    }

    [Fact]
    public async Task An_endpoint_that_is_no_url_is_told_and_ignored()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets,
            arguments: ["--urls", "http://127.0.0.1:0", "--OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"]);

        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();

        Assert.Single(gateway.Logs.WithEvent(5200));
        Assert.False(upstream.Requests[0].Headers.Contains("traceparent"));
    }

    [Fact]
    public async Task A_collector_that_is_away_costs_no_delivery()
    {
        await using var collector = TestUpstream.Start();
        collector.StopListening();
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(collector, upstream, Hook.Routes());

        for (var i = 0; i < 20; i++)
        {
            (await gateway.SendAsync(Hook.Event($"event {i}"))).AssertDelivered();
        }

        await Deadline.WaitAsync(gateway.Logs.WaitForEventAsync(5201), "the log says so");
        Assert.Single(gateway.Logs.WithEvent(5201));
    }

    private static Task<TestGateway> StartAsync(TestUpstream collector, TestUpstream upstream, string routes,
        IReadOnlyDictionary<string, string>? secrets = null) =>
        TestGateway.StartAsync(routes, upstream.Address, secrets ?? Hook.Secrets, arguments:
        [
            "--urls", "http://127.0.0.1:0", "--OTEL_EXPORTER_OTLP_ENDPOINT", collector.Address, "--OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf",
            "--OTEL_EXPORTER_OTLP_TIMEOUT", "2000",
            "--OTEL_BSP_SCHEDULE_DELAY", "50", "--OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1", "--OTEL_METRIC_EXPORT_INTERVAL", "100",
        ]);

    /// <summary>The one span (batches hold one) in which <paramref name="word"/> stands.</summary>
    private static async Task<string> SpanAsync(TestUpstream collector, string word)
    {
        await Deadline.UntilAsync(() => Bodies(collector, "/v1/traces").Any(body => body.Contains(word, StringComparison.Ordinal)),
            $"the span with {word} arrives");
        return Bodies(collector, "/v1/traces").First(body => body.Contains(word, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Bodies(TestUpstream collector, string path) =>
        collector.Requests.Where(request => request.Target.StartsWith(path, StringComparison.Ordinal))
        .Select(static request => Encoding.Latin1.GetString(request.Body));

    /// <summary>A trace id as it stands in the protobuf message.</summary>
    private static string Id(string traceParent) => Encoding.Latin1.GetString(Convert.FromHexString(traceParent.Split('-')[1]));
}
