using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Model;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>While nothing can be sent, deliveries are held: the provider sees a slow answer instead of a failed attempt.</summary>
public sealed class UpstreamUnreachableTests
{
    [Fact]
    public async Task An_upstream_that_refuses_for_five_seconds_costs_no_failed_attempt()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
        (await gateway.SendAsync(Hook.Event("before"))).AssertDelivered();
        upstream.StopListening();

        var sent = new ConcurrentBag<string> { "before" };
        var pending = Enumerable.Range(0, 40).Select(i =>
        {
            sent.Add($"event {i}");
            return gateway.SendAsync(Hook.Event($"event {i}"));
        }).ToArray();
        await Hook.PassAsync(TimeSpan.FromSeconds(5));
        Assert.All(pending, static p => Assert.False(p.IsCompleted));
        upstream.StartListening();
        var answers = await Deadline.WaitAsync(Task.WhenAll(pending), "every held delivery to be answered");

        Assert.All(answers, static a => a.AssertDelivered());
        upstream.AssertEachOnce(sent);
        Assert.True(gateway.Metrics.Sum("webhookedge.upstream.held", ("route", "hook")) >= 40);
        Assert.Empty(gateway.Journal.Newest());
    }

    [Fact]
    public async Task Copies_of_a_held_event_wait_with_it()
    {
        await using var upstream = TestUpstream.Start();
        upstream.StopListening();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
        var pending = Enumerable.Range(0, 5).Select(_ => gateway.SendAsync(Hook.Event("one"))).ToArray();
        await gateway.Logs.WaitForEventAsync(1103);

        upstream.StartListening();
        var answers = await Deadline.WaitAsync(Task.WhenAll(pending), "every copy to be answered");

        Assert.Single(answers, static a => a.IsDelivered());
        Assert.Equal(4, answers.Count(static a => a.IsDuplicate()));
        upstream.AssertEachOnce(["one"]);
    }

    [Fact]
    public async Task Beyond_the_timeout_the_sender_is_told_to_come_back_and_nothing_was_sent()
    {
        await using var upstream = TestUpstream.Start();
        upstream.StopListening();
        await using var gateway = await StartAsync(upstream.Address, "700ms");

        var refused = await gateway.SendAsync(Hook.Event("one"));
        upstream.StartListening();
        var retry = await gateway.SendAsync(Hook.Event("one"));

        Assert.Equal((503, "1"), (refused.Status, refused.Headers["Retry-After"]));
        Assert.Empty(refused.Body);
        Assert.Equal([RejectReason.UpstreamUnreachable], gateway.Journal.Reasons());
        retry.AssertDelivered();
        upstream.AssertEachOnce(["one"]);
    }

    [Theory]
    [InlineData("RoundRobin")]
    [InlineData("PowerOfTwoChoices")]
    [InlineData("FirstAlphabetical")]
    public async Task One_of_two_destinations_that_refuses_costs_no_failed_attempt(string policy)
    {
        await using var dead = TestUpstream.Start();
        dead.StopListening();
        await using var alive = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(
            Hook.Routes(""" "cluster": "pair", "timeout": "4s" """, $$""" "clusters": { "pair": { "LoadBalancingPolicy": "{{policy}}", "Destinations": { "a": { "Address": "{{dead.Address}}" }, "b": { "Address": "{{alive.Address}}" } } } } """),
            secrets: Hook.Secrets);

        var answers = await Deadline.WaitAsync(Task.WhenAll(Enumerable.Range(0, 10).Select(i => gateway.SendAsync(Hook.Event($"event {i}")))), "ten answers");

        Assert.All(answers, static a => a.AssertDelivered());
        Assert.Equal(0, gateway.Metrics.Sum("webhookedge.upstream.held"));
        alive.AssertEachOnce(Enumerable.Range(0, 10).Select(static i => $"event {i}"));
        Assert.Equal(0, dead.ConnectionCount);
    }

    [Fact]
    public async Task Every_destination_is_tried_before_a_delivery_is_held()
    {
        await using var first = TestUpstream.Start();
        await using var second = TestUpstream.Start();
        await using var third = TestUpstream.Start();
        foreach (var upstream in (TestUpstream[])[first, second, third])
        {
            upstream.StopListening();
        }

        await using var gateway = await TestGateway.StartAsync(
            Hook.Routes(""" "cluster": "three" """, $$""" "clusters": { "three": { "LoadBalancingPolicy": "FirstAlphabetical", "Destinations": { "a": { "Address": "{{first.Address}}" }, "b": { "Address": "{{second.Address}}" }, "c": { "Address": "{{third.Address}}" } } } } """),
            secrets: Hook.Secrets);
        var pending = gateway.SendAsync(Hook.Event("one"));
        await gateway.Logs.WaitForEventAsync(1103);
        third.StartListening();

        (await Deadline.WaitAsync(pending, "the held delivery")).AssertDelivered();
        third.AssertEachOnce(["one"]);
    }

    [Fact]
    public async Task While_health_checks_have_marked_every_destination_down_deliveries_are_held()
    {
        await using var upstream = TestUpstream.Start();
        var healthy = false;
        upstream.Respond(r => r.Method == "GET" && !Volatile.Read(ref healthy) ? UpstreamAnswer.Status(500) : UpstreamAnswer.Ok);
        await using var gateway = await TestGateway.StartAsync(
            Hook.Routes(
                """ "cluster": "app" """,
                $$"""
                "clusters": { "app": {
                  "Destinations": { "a": { "Address": "{{upstream.Address}}" } },
                  "HealthCheck": { "AvailableDestinationsPolicy": "HealthyAndUnknown", "Active": { "Enabled": true, "Interval": "00:00:00.1", "Timeout": "00:00:01", "Path": "/alive" } } } }
                """),
            secrets: Hook.Secrets);
        var states = gateway.Host.Services.GetRequiredService<IProxyStateLookup>();
        await Deadline.UntilAsync(() => states.GetClusters().All(static c => c.DestinationsState.AvailableDestinations.Count == 0),
            "the destination is marked down");

        var pending = gateway.SendAsync(Hook.Event("one"));
        var line = await gateway.Logs.WaitForEventAsync(1103);
        Assert.DoesNotContain(upstream.Requests, static r => r.Method == "POST");
        Volatile.Write(ref healthy, true);
        var answer = await Deadline.WaitAsync(pending, "the held delivery");

        Assert.Equal(nameof(Yarp.ReverseProxy.Forwarder.ForwarderError.NoAvailableDestinations), line["Error"]);
        answer.AssertDelivered();
        Assert.Single(upstream.Requests, static r => r.Method == "POST");
    }

    [Fact]
    public async Task A_name_that_does_not_resolve_is_held_then_refused()
    {
        await using var gateway = await StartAsync("http://no-such-host.invalid", "700ms");

        var answer = await gateway.SendAsync(Hook.Event("one"));

        Assert.Equal((503, "1"), (answer.Status, answer.Headers["Retry-After"]));
        Assert.Equal([RejectReason.UpstreamUnreachable], gateway.Journal.Reasons());
    }

    [Fact]
    public async Task An_upstream_whose_certificate_is_not_trusted_is_sent_nothing()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var readable = 0;
        var handshakes = new AwaitableCount();
        var serving = AcceptAsync();
        await using var gateway = await StartAsync($"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}", "3s");

        var answer = await gateway.SendAsync(Hook.Event("one"));

        Assert.Equal(503, answer.Status);
        Assert.Equal([RejectReason.UpstreamUnreachable], gateway.Journal.Reasons());
        Assert.True(handshakes.Count >= 2, "the connection was tried again");
        Assert.Equal(0, Volatile.Read(ref readable));
        listener.Stop();
        await Deadline.WaitAsync(serving, "the TLS listener to end");

        async Task AcceptAsync()
        {
            while (true)
            {
                try
                {
                    using var socket = await listener.AcceptTcpClientAsync();
                    handshakes.Increment();
                    await using var tls = new SslStream(socket.GetStream());
                    await tls.AuthenticateAsServerAsync(TestCertificate.Instance);
                    Interlocked.Add(ref readable, await tls.ReadAsync(new byte[1024]));
                }
                catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
                {
                    // The client does not trust this certificate.
                }
                catch (Exception e) when (e is SocketException or InvalidOperationException)
                {
                    // Stopped, while it waited or in between.
                    return;
                }
            }
        }
    }

    [Fact]
    public async Task A_held_delivery_finishes_although_its_sender_hung_up()
    {
        await using var upstream = TestUpstream.Start();
        upstream.StopListening();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
        await using (var client = await gateway.ConnectAsync())
        {
            await client.SendAsync(Hook.Event("one"));
            await gateway.Logs.WaitForEventAsync(1103);
            client.Reset();
        }

        upstream.StartListening();
        Assert.Equal("one", (await upstream.WaitForRequestAsync()).BodyText);
        (await gateway.SendAsync(Hook.Event("one"))).AssertDuplicate();
        upstream.AssertEachOnce(["one"]);
    }

    private static Task<TestGateway> StartAsync(string upstream, string timeout) =>
        TestGateway.StartAsync(Hook.Routes($"\"timeout\": \"{timeout}\""), upstream, Hook.Secrets);
}
