using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using WebhookEdge.Admin;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Admin;

/// <summary>What operators and orchestrators ask on the admin listener.</summary>
public sealed class AdminTests : IDisposable
{
    private readonly HttpClient _http = new();

    /// <summary>Starts after the admin listener and before the server, and asks in between.</summary>
    private sealed class ReadyAtStart : IHostedService
    {
        private AdminListener? _admin;

        public HttpStatusCode Status { get; private set; }

        public string Text { get; private set; } = "";

        public ReadyAtStart With(AdminListener admin)
        {
            _admin = admin;
            return this;
        }

        public async Task StartAsync(CancellationToken cancellationToken)
        {
            using var http = new HttpClient();
            using var answer = await http.GetAsync(new Uri(_admin!.Address!, "/readyz"), cancellationToken);
            Status = answer.StatusCode;
            Text = await answer.Content.ReadAsStringAsync(cancellationToken);
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    [Fact]
    public async Task Alive_and_ready_say_so()
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);

        var alive = await GetAsync(gateway, "/healthz");
        var ready = await GetAsync(gateway, "/readyz");

        Assert.Equal((HttpStatusCode.OK, "alive\n"), (alive.Status, alive.Text));
        var answer = JsonDocument.Parse(ready.Text).RootElement;
        Assert.Equal(HttpStatusCode.OK, ready.Status);
        Assert.True(answer.GetProperty("ready").GetBoolean());
        Assert.True(answer.GetProperty("newestFileTaken").GetBoolean());
        Assert.Equal(gateway.Reloader.Status.Revision, answer.GetProperty("revision").GetString());
        Assert.Empty(answer.GetProperty("reasons").EnumerateArray());
    }

    [Fact]
    public async Task Not_ready_before_the_public_listener_is_open()
    {
        var during = new ReadyAtStart();

        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets,
            services: services => services.AddSingleton<IHostedService>(s => during.With(s.GetRequiredService<AdminListener>())));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, during.Status);
        Assert.Contains("not open yet", Assert.Single(JsonDocument.Parse(during.Text).RootElement.GetProperty("reasons").EnumerateArray()).GetString(),
            StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(gateway, "/readyz")).Status);
    }

    [Fact]
    public async Task A_refused_file_shows_and_does_not_make_the_gateway_unready()
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);
        var revision = gateway.Reloader.Status.Revision;
        await gateway.ReloadAsync("{");

        var ready = await GetAsync(gateway, "/readyz");

        var answer = JsonDocument.Parse(ready.Text).RootElement;
        Assert.Equal(HttpStatusCode.OK, ready.Status);
        Assert.False(answer.GetProperty("newestFileTaken").GetBoolean());
        Assert.Equal(revision, answer.GetProperty("revision").GetString());
    }

    [Fact]
    public async Task Not_ready_while_an_address_list_was_never_loaded_and_ready_once_it_is()
    {
        await using var gateway = await TestGateway.StartAsync(
            """
            { "edge": { "awsRanges": { "url": "file:{dir}/ip-ranges.json" } },
              "routes": { "hook": { "path": "/hook", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "allow": ["aws:us-east-1"], "upstream": "{upstream}" } } }
            """,
            secrets: Hook.Secrets);

        var before = await GetAsync(gateway, "/readyz");
        var refused = await gateway.SendAsync(Hook.Event("one"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, before.Status);
        Assert.Contains("never loaded", Assert.Single(JsonDocument.Parse(before.Text).RootElement.GetProperty("reasons").EnumerateArray()).GetString(),
            StringComparison.Ordinal);
        Assert.Equal(503, refused.Status);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(gateway, "/healthz")).Status);
    }

    [Fact]
    public async Task A_list_that_a_reload_brings_and_that_cannot_be_had_does_not_take_the_other_routes_away()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(gateway, "/readyz")).Status);

        Assert.True(await gateway.ReloadAsync(
            """
            { "edge": { "awsRanges": { "url": "file:{dir}/ip-ranges.json" } },
              "routes": {
                "hook": { "path": "/hook", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "upstream": "{upstream}" },
                "new":  { "path": "/new",  "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "allow": ["aws:us-east-1"], "upstream": "{upstream}" } } }
            """));

        var after = await GetAsync(gateway, "/readyz");
        Assert.Equal(HttpStatusCode.OK, after.Status);
        Assert.Contains("never loaded", Assert.Single(JsonDocument.Parse(after.Text).RootElement.GetProperty("missing").EnumerateArray()).GetString(),
            StringComparison.Ordinal);
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();
        Assert.Equal(503, (await gateway.SendAsync(RawRequest.Post("/new", "x"))).Status);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Forgetting_an_event_lets_its_resend_through(bool shared)
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = shared ? await RedisServer.StartAsync() : null;
        await using var gateway = shared
            ? await TestGateway.StartAsync(Hook.Routes(file: Hook.WithRedis), upstream.Address, Hook.SecretsWith(redis!))
            : await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);
        await gateway.SendAsync(Hook.Event("one"));
        (await gateway.SendAsync(Hook.Event("one"))).AssertDuplicate();
        var key = upstream.Requests[0].Headers["X-Webhook-Event-Key"];

        var forgotten = await PostAsync(gateway, $"/api/replay/hook/forget?key={key}");

        Assert.Equal(HttpStatusCode.OK, forgotten.Status);
        Assert.Equal(key, JsonDocument.Parse(forgotten.Text).RootElement.GetProperty("forgotten").GetString());
        if (redis is not null)
        {
            Assert.Null(await redis.CommandAsync("GET", "wh:1:" + key));
        }

        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();
        (await gateway.SendAsync(Hook.Event("one"))).AssertDuplicate();
        Assert.Equal(2, upstream.Requests.Count);
    }

    public static TheoryData<string, int> Mistakes => new()
    {
        { "/api/replay/nope/forget?key=" + new string('a', 64), 404 },
        { "/api/replay/hook/forget", 400 },
        { "/api/replay/hook/forget?key=abc", 400 },
        { "/api/replay/hook/forget?key=" + new string('z', 64), 400 },
        { "/api/replay/hook/forget?key=" + new string('a', 64), 404 },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task A_mistaken_forget_is_explained(string path, int status)
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);

        var answer = await PostAsync(gateway, path);

        Assert.Equal((status, "application/problem+json"), ((int)answer.Status, answer.Type));
        Assert.NotEmpty(JsonDocument.Parse(answer.Text).RootElement.GetProperty("detail").GetString()!);
    }

    [Fact]
    public async Task A_forget_that_the_store_could_not_be_told_of_says_so()
    {
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(file: Hook.WithRedis), upstream.Address, Hook.SecretsWith(redis));
        await gateway.SendAsync(Hook.Event("one"));
        await redis.FreezeAsync();

        var answer = await PostAsync(gateway, $"/api/replay/hook/forget?key={upstream.Requests[0].Headers["X-Webhook-Event-Key"]}");
        await redis.ThawAsync();

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "application/problem+json"), (answer.Status, answer.Type));
        Assert.DoesNotContain(gateway.Logs.Entries, static e => e.Exception is not null);
    }

    [Fact]
    public async Task With_a_token_nobody_forgets_anything_without_it()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets,
            arguments: ["--urls", "http://127.0.0.1:0", "--Admin:Token", "the-token-of-the-operator"]);
        await gateway.SendAsync(Hook.Event("one"));
        var path = $"/api/replay/hook/forget?key={upstream.Requests[0].Headers["X-Webhook-Event-Key"]}";

        foreach (var wrong in (string?[])[null, "", "the-token-of-the-operatoR", "the-token-of-the-operator2", "Bearer the-token-of-the-operator"])
        {
            var refused = await PostAsync(gateway, path, wrong);
            Assert.Equal((HttpStatusCode.Unauthorized, "application/problem+json"), (refused.Status, refused.Type));
            Assert.DoesNotContain("the-token-of-the-operator", refused.Text, StringComparison.Ordinal);
        }

        (await gateway.SendAsync(Hook.Event("one"))).AssertDuplicate();
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(gateway, "/readyz")).Status);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(gateway, path, "the-token-of-the-operator")).Status);
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();
    }

    [Theory]
    [InlineData("/healthz")]
    [InlineData("/readyz")]
    [InlineData("/metrics")]
    [InlineData("/api/replay/hook/forget?key=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public async Task Admin_paths_are_unknown_on_the_public_listener(string path)
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);

        Assert.Equal(404, (await gateway.SendAsync(RawRequest.Get(path))).Status);
        Assert.Equal(404, (await gateway.SendAsync(RawRequest.Post(path))).Status);
    }

    [Fact]
    public async Task Hooks_are_unknown_on_the_admin_listener()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), upstream.Address, Hook.Secrets);

        var answer = await RawHttpClient.SendOnceAsync(new(IPAddress.Loopback, gateway.Admin.Port), Hook.Event("one"));

        Assert.Equal(404, answer.Status);
        Assert.Equal(0, upstream.ConnectionCount);
    }

    public void Dispose() => _http.Dispose();

    private async Task<(HttpStatusCode Status, string Text)> GetAsync(TestGateway gateway, string path)
    {
        using var answer = await Deadline.WaitAsync(_http.GetAsync(new Uri(gateway.Admin, path)), path);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    private async Task<(HttpStatusCode Status, string Text, string? Type)> PostAsync(TestGateway gateway, string path, string? token = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(gateway.Admin, path));
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        using var answer = await Deadline.WaitAsync(_http.SendAsync(request), path);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Content.Headers.ContentType?.MediaType);
    }
}
