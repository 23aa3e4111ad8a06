using System.Net;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Admin;

public sealed class DrainTests
{
    [Fact]
    public async Task A_stopping_gateway_is_not_ready_finishes_what_it_has_and_then_is_gone()
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        upstream.Respond(UpstreamAnswer.Ok.HeldUntil(gate.Task));
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
        using var http = new HttpClient();
        await using var client = await gateway.ConnectAsync();
        await client.SendAsync(Hook.Event("one"));
        await upstream.WaitForRequestAsync();

        var stopping = gateway.Host.StopAsync();
        await gateway.Logs.WaitForEventAsync(1001);
        using (var ready = await Deadline.WaitAsync(http.GetAsync(new Uri(gateway.Admin, "/readyz")), "readiness"))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
            Assert.Contains("draining", await ready.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.False(stopping.IsCompleted);
        gate.SetResult();
        (await client.ReadResponseAsync()).AssertDelivered();
        await Deadline.WaitAsync(stopping, "the gateway to stop");

        await Assert.ThrowsAnyAsync<Exception>(() => gateway.SendAsync(Hook.Event("two")));
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new Uri(gateway.Admin, "/healthz")));
        upstream.AssertEachOnce(["one"]);
    }
}
