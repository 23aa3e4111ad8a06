using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>Good and bad requests in any order on long-lived connections: no connection dies, and no body or answer is another's.</summary>
public class Keep_alive
{
    private const int Connections = 8;
    private const int PerConnection = 250;

    [Fact]
    public async Task Two_thousand_mixed_requests_over_eight_connections_never_mix()
    {
        await using var site = await Site.StartAsync(
            """
            {
              "routes": {
                "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
                "token": { "path": "/token", "verify": [{ "scheme": { "kind": "token", "header": "X-Token" }, "secrets": ["file:{dir}/token"] }], "upstream": "{upstream}" }
              }
            }
            """);

        // The app says which request it got, by what stood in the body and in a header.
        site.Upstream.Respond(request => UpstreamAnswer.Status(IdOf(request) % 5 == 0 ? 500 : 200, $"{IdOf(request)}", ("X-Id", request.Headers["X-Id"]!)));

        var sent = await Deadline.WaitAsync(Task.WhenAll(Enumerable.Range(0, Connections).Select(c => RunAsync(site, c))), "all connections",
            TimeSpan.FromSeconds(60));

        var forwarded = sent.SelectMany(ids => ids).ToHashSet();
        var arrived = site.Upstream.Requests;
        Assert.Equal(forwarded.Count, arrived.Count);
        Assert.All(arrived, request =>
        {
            Assert.Contains(IdOf(request), forwarded);
            Assert.Equal(request.Headers["X-Id"], $"{IdOf(request)}");
            Assert.True(Body(IdOf(request)).AsSpan().SequenceEqual(request.Body));
        });
        Assert.Empty(site.Upstream.BrokenRequests);
        await site.IsIdleAsync();
    }

    private static async Task<List<int>> RunAsync(Site site, int connection)
    {
        var random = new Random(connection);
        var forwarded = new List<int>();
        await using var client = await site.Gateway.ConnectAsync();
        for (var i = 0; i < PerConnection; i++)
        {
            var id = (connection * PerConnection) + i;
            var body = Body(id);
            var good = Site.Signed(body).WithHeader("X-Id", $"{id}");
            var (request, status) = random.Next(9) switch
            {
                0 => (good.Chunked(random.Next(1, body.Length), 1), 0),
                1 => (RawRequest.Post("/token", body).WithHeader("X-Token", Site.Token).WithHeader("X-Id", $"{id}"), 0),
                2 => (RawRequest.Post("/hook", body).WithHeader("X-Signature", new string('0', 64)), 401),
                3 => (RawRequest.Post("/hook", body).Chunked(random.Next(1, body.Length)), 401),
                4 => (RawRequest.Post("/token", body).WithHeader("X-Token", "wrong"), 401),
                5 => (good with { Method = "PUT" }, 405),
                6 => (good.WithHeader("Content-Encoding", "gzip"), 415),
                7 => (good with { Target = "/hook/" }, 404),
                _ => (good, 0),
            };
            var answer = await client.ExchangeAsync(request);
            if (status == 0)
            {
                forwarded.Add(id);
                Assert.Equal((id, id % 5 == 0 ? 500 : 200), (id, answer.Status));
                Assert.Equal($"{id}", answer.BodyText);
                Assert.Equal($"{id}", answer.Headers["X-Id"]);
            }
            else
            {
                Assert.Equal((id, status), (id, answer.Status));
                Assert.Empty(answer.Body);
            }
        }

        return forwarded;
    }

    private static int IdOf(RecordedRequest request) => int.Parse(Encoding.ASCII.GetString(request.Body.AsSpan(0, 6)));

    /// <summary>Six digits, and up to 20 kB of which no two bodies share much.</summary>
    private static byte[] Body(int id) => [.. Encoding.ASCII.GetBytes($"{id:000000}"), .. Site.Bytes(1 + (id * 7919 % 20_000), id)];
}
