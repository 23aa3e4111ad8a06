using System.Net;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.Gate;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Ingress;

/// <summary>The deployment of the README: a load balancer, two gateways, one Redis, one app.</summary>
public sealed class Two_replicas_behind_a_load_balancer : IAsyncLifetime
{
    private const string ProxyProtocol = """ "clientAddress": { "from": "proxyProtocol", "trustedProxies": ["127.0.0.9"] } """;
    private const string ForwardedFor = """ "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.9"] } """;

    private static readonly IPAddress Sender = IPAddress.Parse("127.0.0.50");

    private readonly List<TestGateway> _gateways = [];
    private readonly TestUpstream _upstream = TestUpstream.Start();
    private RedisServer? _redis;
    private HaproxyServer? _balancer;

    public async Task InitializeAsync() => _redis = await RedisServer.StartAsync();

    public async Task DisposeAsync()
    {
        if (_balancer is not null)
        {
            await _balancer.DisposeAsync();
        }

        foreach (var gateway in _gateways)
        {
            await gateway.DisposeAsync();
        }

        await _upstream.DisposeAsync();
        await _redis!.DisposeAsync();
    }

    [Theory]
    [InlineData("send-proxy-v2", "tcp", ProxyProtocol)] // an NLB with proxy protocol v2
    [InlineData("", "http", ForwardedFor)] // an ALB
    public async Task An_event_is_delivered_once_whichever_replica_its_copies_meet(string server, string mode, string clientAddress)
    {
        await StartAsync(server, mode, clientAddress);

        Assert.Null((await SendAsync("one")).Headers["X-Webhook-Duplicate"]);
        for (var i = 0; i < 4; i++)
        {
            var copy = await SendAsync("one");
            Assert.Equal((200, "true"), (copy.Status, copy.Headers["X-Webhook-Duplicate"]));
        }

        var together = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SendAsync("two")));
        Assert.All(together, answer => Assert.Equal(200, answer.Status));
        Assert.Equal(["one", "two"], _upstream.Requests.Select(request => request.BodyText));
        Assert.All(_upstream.Requests, request => Assert.Equal("127.0.0.50", request.Headers["X-Forwarded-For"]));
        Assert.All(_gateways, gateway => Assert.NotEmpty(gateway.Metrics.Of("webhookedge.requests")));
        Assert.Equal(403, (await RawHttpClient.SendOnceAsync(_balancer!.EndPoint, Site.Signed("three"), IPAddress.Parse("127.0.0.51"))).Status);
    }

    [Fact]
    public async Task A_replica_that_goes_costs_no_delivery()
    {
        await StartAsync("send-proxy-v2", "tcp", ProxyProtocol);
        Assert.Equal(200, (await SendAsync("before")).Status);
        var gate = new TaskCompletionSource();
        _upstream.RespondNext(UpstreamAnswer.Ok.HeldUntil(gate.Task));
        var held = SendAsync("held");
        await _upstream.WaitForRequestAsync(2);
        var going = Assert.Single(_gateways, gateway => gateway.Host.Services.GetRequiredService<Capacity>().Requests == 1);

        var stopping = going.Host.StopAsync();
        await going.Logs.WaitForEventAsync(1001);
        gate.SetResult();

        Assert.Equal(200, (await held).Status);
        await Deadline.WaitAsync(stopping, "the replica to stop", TimeSpan.FromSeconds(45));
        for (var i = 0; i < 6; i++)
        {
            Assert.Equal(200, (await SendAsync($"after {i}")).Status);
        }

        // What the one that is gone had delivered, the other one knows from Redis.
        Assert.Equal("true", (await SendAsync("before")).Headers["X-Webhook-Duplicate"]);
        Assert.Equal("true", (await SendAsync("held")).Headers["X-Webhook-Duplicate"]);
        Assert.Equal(8, _upstream.Requests.Count);
    }

    private async Task StartAsync(string server, string mode, string clientAddress)
    {
        for (var i = 0; i < 2; i++)
        {
            _gateways.Add(await TestGateway.StartAsync(
                Site.OneRouteText(""" "allow": ["127.0.0.50"] """, $""" {clientAddress}, "redis": "file:{"{dir}"}/redis" """),
                _upstream.Address,
                new Dictionary<string, string> { ["signing"] = Site.SigningSecret, ["redis"] = _redis!.ConnectionString }));
        }

        _balancer = await HaproxyServer.StartAsync(server, mode, [.. _gateways.Select(gateway => gateway.EndPoint)]);
    }

    private Task<RawResponse> SendAsync(string body) => RawHttpClient.SendOnceAsync(_balancer!.EndPoint, Site.Signed(body), Sender);
}
