using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>
/// Upgrade is an offer (RFC 9110 §7.8). HTTP clients make it with every request on a plain connection (Java's HttpClient, Apache HttpClient 5, curl --http2),
/// proxies leave half of it behind; the gateway passes it over and the exchange goes on in HTTP/1.1.
/// </summary>
public class Offered_upgrade : SiteTests
{
    private static Dictionary<string, (string Name, string Value)[]> Offers { get; } = new()
    {
        ["HTTP/2, as Java's client"] = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA")],
        ["TLS, as Apache's client"] = [("Upgrade", "TLS/1.2"), ("Connection", "Upgrade")],
        ["TLS of two versions"] = [("Connection", "upgrade"), ("Upgrade", "TLS/1.3, TLS/1.2")],
        ["several in two lines"] = [("Connection", "Upgrade"), ("Upgrade", "h2c"), ("Upgrade", "HTTP/2.0,\tTLS/1.2")],
        ["without Connection"] = [("Upgrade", "h2c")],
        ["nothing"] = [("Connection", "Upgrade"), ("Upgrade", "")],
        ["a list of nothing"] = [("Connection", "Upgrade"), ("Upgrade", ", ,")],
        ["what Connection alone names, as nginx"] = [("Connection", "upgrade")],
        ["what Connection names last"] = [("Connection", "keep-alive, Upgrade")],
    };

    public static TheoryData<string> OfferNames => [.. Offers.Keys];

    [Theory]
    [MemberData(nameof(OfferNames))]
    public async Task It_is_passed_over_and_the_app_hears_nothing_of_it(string offer)
    {
        await using var client = await Site.Gateway.ConnectAsync();
        foreach (var request in new[] { Site.Signed($"{offer} 1"), Site.Signed($"{offer} 2").Chunked(3), Site.Signed($"{offer} 3") })
        {
            Assert.Equal(200, (await client.ExchangeAsync(With(request, offer))).Status);
            IsPlain(Site.Upstream.Requests[^1]);
            Assert.Equal(request.Body.ToArray(), Site.Upstream.Requests[^1].Body);
        }
    }

    [Theory]
    [MemberData(nameof(OfferNames))]
    public async Task A_request_without_a_body_has_none_and_what_follows_is_the_next_request(string offer)
    {
        var number = Site.Upstream.Requests.Count;
        var empty = RawRequest.Post("/empty").WithHeader("X-Signature", Site.Sign([]));
        await using var client = await Site.Gateway.ConnectAsync();

        // In one segment, so that the server has the second request at hand when it might take it for the body of the first.
        await client.SendAsync((byte[])[.. With(empty, offer).ToBytes(), .. With(empty with { Framed = false }, offer).ToBytes(),
            .. Site.Signed($"{offer}, behind").ToBytes()]);

        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        Assert.Equal(["", "", $"{offer}, behind"], Site.Upstream.Requests.Skip(number).Select(static request => request.BodyText));
        Assert.All(Site.Upstream.Requests.Skip(number), IsPlain);
        Assert.Empty(Site.Upstream.BrokenRequests);
    }

    [Fact]
    public async Task A_wrong_signature_under_it_is_no_better_than_without()
    {
        foreach (var offer in Offers.Keys)
        {
            await Site.IsRefusedAsync(() => Site.SendAsync(With(RawRequest.Post("/hook", "{}").WithHeader("X-Signature", new('0', 64)), offer)), 401,
                "signature-mismatch");
        }
    }

    private protected override Task<Site> StartAsync() => Site.StartAsync(
        """
        {
          "routes": {
            "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "empty": {
              "path": "/empty", "replay": "off",
              "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature", "emptyBody": true }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}"
            }
          }
        }
        """);

    private static RawRequest With(RawRequest request, string offer) =>
        Offers[offer].Aggregate(request, static (r, line) => r.WithHeader(line.Name, line.Value));

    private static void IsPlain(RecordedRequest request)
    {
        foreach (var name in new[] { "Upgrade", "HTTP2-Settings", "Connection" })
        {
            Assert.False(request.Headers.Contains(name), request.HeadText);
        }
    }
}
