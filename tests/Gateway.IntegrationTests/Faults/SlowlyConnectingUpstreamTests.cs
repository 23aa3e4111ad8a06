using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>An app whose handshake takes longer than a second, far away or busy.</summary>
public sealed class Slowly_connecting_upstream
{
    [Theory]
    [InlineData("", 503)]
    [InlineData(""", "Metadata": { "ConnectTimeout": "00:00:10" }""", 200)]
    public async Task Is_reached_when_its_cluster_gives_it_the_time(string metadata, int status)
    {
        await using var app = await StartAppAsync();
        await using var relay = FaultRelay.Start(new(IPAddress.Loopback,
            new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port));
        await using var site = await Site.StartAsync(
            """
            {
              "clusters": { "app": { "Destinations": { "a": { "Address": "https://{app}/" } }, "HttpClient": { "DangerousAcceptAnyServerCertificate": true } {metadata} } },
              "routes": { "hook": {
                "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "cluster": "app", "timeout": "2500ms" } }
            }
            """,
            placeholders: new Dictionary<string, string> { ["{app}"] = relay.EndPoint.ToString(), ["{metadata}"] = metadata });

        // Every handshake hangs for longer than the default, and this one for less than the route's time.
        var frozen = new Freeze();
        relay.Apply(frozen);
        var answer = site.SendAsync(Site.Signed("{}"));
        await relay.WaitForConnectionAsync();
        if (status == 200)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1300), TimeProvider.System);
            frozen.Thaw();
        }

        Assert.Equal(status, (await answer).Status);
    }

    [Theory]
    [InlineData("3s")]
    [InlineData("0")]
    [InlineData("00:00:00")]
    [InlineData("00:02:00")]
    [InlineData("-00:00:01")]
    public async Task A_time_to_connect_that_is_none_is_refused(string written)
    {
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => Site.StartAsync(
            $$"""
            {
              "clusters": { "app": { "Destinations": { "a": { "Address": "http://127.0.0.1:9/" } }, "Metadata": { "ConnectTimeout": "{{written}}" } } },
              "routes": { "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "cluster": "app" } }
            }
            """));

        Assert.Contains("clusters.app.Metadata.ConnectTimeout", refused.Message, StringComparison.Ordinal);
    }

    private static async Task<WebApplication> StartAppAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration()
            .ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0, static listen => listen.UseHttps(TestCertificate.Instance)));
        var app = builder.Build();
        app.Run(static context => Task.CompletedTask);
        await app.StartAsync();
        return app;
    }
}
