using System.Text;
using WebhookEdge.Authentication;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Providers;

/// <summary>What a preset brings to a route besides its scheme, on a whole gateway.</summary>
public sealed class PresetRouteTests
{
    private const string Secret = "a-secret-of-thirty-two-characters";
    private const string Body = """{"events":[{"id":1}]}""";

    [Fact]
    public async Task The_addresses_of_a_preset_count_when_the_route_asks_for_them()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream, """ "provider": "paystack" """, """ "provider": "paystack", "allow": ["paystack"] """,
            """ "provider": "paystack", "allow": ["paystack", "127.0.0.1"] """);

        Assert.Equal(200, (await SendAsync(gateway, 0, "paystack")).Status);
        Assert.Equal(403, (await SendAsync(gateway, 1, "paystack")).Status);
        Assert.Equal(200, (await SendAsync(gateway, 2, "paystack")).Status);
    }

    [Fact]
    public async Task The_statuses_a_sender_insists_on_are_answered_unless_the_route_says_otherwise()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream, """ "provider": "xero" """, """ "provider": "xero", "refuse": { "signature-mismatch": 403 } """);

        Assert.Equal(401, (await SendAsync(gateway, 0, "xero", Body + " ")).Status);
        Assert.Equal(403, (await SendAsync(gateway, 1, "xero", Body + " ")).Status);
        Assert.Equal(200, (await SendAsync(gateway, 0, "xero")).Status);
    }

    [Fact]
    public async Task Pings_that_look_the_same_all_arrive()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream, """ "provider": "dropbox" """, """ "provider": "xero" """);

        Assert.Equal(200, (await SendAsync(gateway, 0, "dropbox")).Status);
        Assert.Equal(200, (await SendAsync(gateway, 0, "dropbox")).Status);
        Assert.Equal(200, (await SendAsync(gateway, 1, "xero")).Status);
        Assert.Equal(200, (await SendAsync(gateway, 1, "xero")).Status);

        Assert.Equal(["/hooks/0", "/hooks/0", "/hooks/1"], upstream.Requests.Select(request => request.Target));
    }

    /// <summary>Whatever a route writes about replay, what it does not write stays the preset's.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(""", "replay": { "ttl": "24h" } """)]
    [InlineData(""", "replay": { "onStoreError": "closed" } """)]
    [InlineData(""", "replay": { "mode": "enforce", "ttl": "24h" } """)]
    public async Task Notifications_whose_bodies_are_equal_all_arrive_whatever_else_the_route_writes_about_replay(string replay)
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream, """ "provider": "google-drive" """ + replay, """ "provider": "dropbox" """ + replay);

        var answers = new List<RawResponse>();
        foreach (var number in (string[])["1", "2", "2", "5"])
        {
            answers.Add(await gateway.SendAsync(RawRequest.Post("/hooks/0", "").WithHeader("X-Goog-Channel-Token", Secret)
                .WithHeader("X-Goog-Channel-ID", "a-channel").WithHeader("X-Goog-Message-Number", number)));
        }

        answers.Add(await SendAsync(gateway, 1, "dropbox"));
        answers.Add(await SendAsync(gateway, 1, "dropbox"));

        Assert.All(answers, static answer => Assert.Equal(200, answer.Status));
        Assert.Equal([null, null, "true", null, null, null], answers.Select(static answer => answer.Headers["X-Webhook-Duplicate"]));
        Assert.Equal(["/hooks/0", "/hooks/0", "/hooks/0", "/hooks/1", "/hooks/1"], upstream.Requests.Select(static request => request.Target));
        Assert.Equal(["1", "2", "5"], upstream.Requests.Take(3).Select(static request => request.Headers["X-Goog-Message-Number"]));
        Assert.DoesNotContain(upstream.Requests, static request => request.Headers["X-Webhook-Trust"] == "observed");
    }

    private static Task<TestGateway> StartAsync(TestUpstream upstream, params string[] routes)
    {
        var text = string.Join(",\n",
            routes.Select((route, i) => $$""" "r{{i}}": { "path": "/hooks/{{i}}", "upstream": "{upstream}", "secrets": ["file:{dir}/secret"], {{route}} }"""));
        return TestGateway.StartAsync($$"""{ "routes": { {{text}} } }""", upstream.Address, new Dictionary<string, string> { ["secret"] = Secret });
    }

    private static Task<RawResponse> SendAsync(TestGateway gateway, int route, string preset, string sent = Body)
    {
        var request = RawRequest.Post($"/hooks/{route}", sent);
        foreach (var (name, value) in RequestSigner.Sign(Presets.Find(preset)!.Scheme, Encoding.UTF8.GetBytes(Secret), "POST", "",
            Encoding.UTF8.GetBytes(Body), TimeProvider.System.GetUtcNow()))
        {
            request = request.WithHeader(name, value);
        }

        return gateway.SendAsync(request);
    }
}
