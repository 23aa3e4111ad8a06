using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>Apps that speak TLS, with HTTP/1.1 and HTTP/2 behind it, and HTTP/2 in the clear: bodies of every size arrive byte for byte.</summary>
public sealed class EncryptedUpstreamTests
{
    private static readonly int[] Sizes = [1, 600, 3072, 5000, 12_288, 49_152, 49_153, 300_000, 1_048_576];

    [Theory]
    [InlineData(true, HttpProtocols.Http1)]
    [InlineData(true, HttpProtocols.Http2)]
    [InlineData(false, HttpProtocols.Http2)]
    public async Task Bodies_of_every_size_arrive_byte_for_byte(bool tls, HttpProtocols protocol)
    {
        var arrived = new ConcurrentDictionary<string, string>();
        await using var app = await StartAppAsync(tls, protocol, arrived);
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        var version = protocol == HttpProtocols.Http2 ? "2" : "1.1";
        await using var site = await Site.StartAsync(
            """
            {
              "clusters": { "app": {
                "Destinations": { "a": { "Address": "{app}/" } },
                "HttpClient": { "DangerousAcceptAnyServerCertificate": true },
                "HttpRequest": { "Version": "{version}", "VersionPolicy": "RequestVersionExact" }
              } },
              "routes": {
                "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "cluster": "app" }
              }
            }
            """,
            placeholders: new Dictionary<string, string> { ["{app}"] = address, ["{version}"] = version });

        // All at once, then one after the other over the connections that are there.
        await Task.WhenAll(Sizes.SelectMany(static size => new[] { Site.Bytes(size, size), Site.Bytes(size, size + 1) }).Select(DeliverAsync));
        foreach (var size in Sizes)
        {
            await DeliverAsync(Site.Bytes(size, size + 2));
        }

        async Task DeliverAsync(byte[] body)
        {
            var answer = await site.SendAsync(Site.Signed(body));

            // A body of one byte is soon a duplicate of an earlier one.
            Assert.Equal(200, answer.Status);
            Assert.Equal(protocol == HttpProtocols.Http2 ? "HTTP/2" : "HTTP/1.1", arrived[Convert.ToHexStringLower(SHA256.HashData(body))]);
        }
    }

    private static async Task<WebApplication> StartAppAsync(bool tls, HttpProtocols protocol, ConcurrentDictionary<string, string> arrived)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = protocol;
            if (tls)
            {
                listen.UseHttps(TestCertificate.Instance);
            }
        }));
        var app = builder.Build();
        app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.BodyReader.CopyToAsync(body);
            Assert.Equal(body.Length, context.Request.ContentLength);
            arrived[Convert.ToHexStringLower(SHA256.HashData(body.ToArray()))] = context.Request.Protocol;
        });
        await app.StartAsync();
        return app;
    }
}
