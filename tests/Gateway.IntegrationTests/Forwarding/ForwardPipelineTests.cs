using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.Gate;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.Primitives;
using WebhookEdge.Routes;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.IntegrationTests.Forwarding;

/// <summary>An event without a connection takes the way of those with one, and arrives as they do.</summary>
public sealed class ForwardPipelineTests
{
    [Fact]
    public async Task An_event_of_our_own_arrives_as_the_senders_request_did_but_for_its_request_id()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(
            """ "replay": "off", "transforms": [{ "RequestHeader": "X-Added", "Set": "here" }, { "PathPrefix": "/in" }] """), upstream.Address, Hook.Secrets);
        var request = Hook.Event("event", path: "/hook?a=%2F&b").WithHeader("X-Mine", "yes").WithHeader("X-Real-IP", "1.2.3.4");
        (await gateway.SendAsync(request)).AssertDelivered();
        var (verdict, status, answer) = await ForwardAsync(gateway, "event", "/hook?a=%2F&b", ("X-Mine", "yes"), ("X-Real-IP", "1.2.3.4"),
            ("X-Sig", Hook.Sign("event"u8)), ("Host", "localhost"));

        Assert.Equal((true, 200), (verdict.Passed, status));
        var (first, second) = (upstream.Requests[0], upstream.Requests[1]);
        Assert.Equal(first.BodyText, second.BodyText);
        Assert.Equal(Lines(first), Lines(second));
        Assert.Equal("stored-1", second.Headers["X-Request-Id"]);
        Assert.False(second.Headers.Contains("X-Real-IP"));
        Assert.Equal("taken", answer);

        static string[] Lines(RecordedRequest received) =>
            [.. Encoding.Latin1.GetString(received.Head).Split("\r\n")
                .Where(static line => !line.StartsWith("X-Request-Id:", StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task It_is_held_while_the_app_refuses_connections_and_ends_with_the_routes_time()
    {
        using var port = new ReservedPort();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(""" "replay": "off", "timeout": "700ms" """), $"http://{port.EndPoint}",
            Hook.Secrets);

        var (verdict, status, _) = await ForwardAsync(gateway, "event", "/hook");

        Assert.Equal((RejectReason.UpstreamUnreachable, 0), (verdict.Reason, status));
        Assert.NotEmpty(gateway.Logs.WithEvent(1103));
    }

    [Fact]
    public async Task What_the_app_says_no_to_is_told_as_its_own_answer()
    {
        await using var upstream = TestUpstream.Start();
        upstream.Respond(UpstreamAnswer.Status(422, "no"));
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);

        var (verdict, status, answer) = await ForwardAsync(gateway, "event", "/hook");

        Assert.Equal((true, 422, "no"), (verdict.Passed, status, answer));
    }

    private static async Task<(Verdict Verdict, int Status, string Answer)> ForwardAsync(TestGateway gateway, string body, string target,
        params (string Name, string Value)[] headers)
    {
        var pipeline = gateway.Host.Services.GetRequiredService<ForwardPipeline>();
        Assert.Null(pipeline.Find("no such route"));
        var (endpoint, policy) = pipeline.Find("hook")!.Value;
        var bytes = Encoding.UTF8.GetBytes(body);
        var named = new HeaderDictionary();
        foreach (var (name, value) in headers)
        {
            named.Append(name, value);
        }

        var delivery = new Delivery();
        Assert.True(AddressParser.TryParse("127.0.0.1", out var client));
        delivery.Open(policy, "POST", target, client, named, bytes.Length, PipeReader.Create(Stream.Null));
        delivery.HoldBody(new(bytes));
        delivery.RaiseTrust(TrustLevel.Verified);
        delivery.Proof = new VerifiedIdentity($"file:{gateway.Directory}/secret", null, null);
        using var answer = new MemoryStream();
        var verdict = await Deadline.WaitAsync(pipeline.ForwardAsync(endpoint, delivery, "stored-1", "http", answer, CancellationToken.None), "the forward");
        return (verdict, delivery.UpstreamStatus, Encoding.UTF8.GetString(answer.ToArray()));
    }
}
