using System.Net;
using System.Text;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>One gateway, every kind of secret, everything goes wrong: no value turns up anywhere a person or a log collector looks.</summary>
public sealed class SecretsStaySecretTests
{
    private const string Routes = """
        { "edge": { "redis": "file:{dir}/redis" },
          "routes": {
            "hmac": { "path": "/hmac", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/hmac", "file:{dir}/old"] }], "upstream": "{upstream}", "timeout": "500ms" },
            "digest": { "path": "/digest", "verify": [{ "scheme": { "kind": "digest", "header": "X-Sig", "signed": "{secret}.{body}" }, "secrets": ["file:{dir}/hmac"] }], "upstream": "{upstream}" },
            "token": { "path": "/token", "verify": [{ "scheme": { "kind": "token", "header": "X-Token" }, "secrets": ["file:{dir}/token"] }], "upstream": "{upstream}" },
            "basic": { "path": "/basic", "verify": [{ "scheme": "basic", "secrets": ["file:{dir}/basic"] }], "upstream": "{upstream}", "mode": "observe" },
            "bearer": { "path": "/bearer", "verify": [{ "scheme": "bearer", "secrets": ["file:{dir}/token"] }], "upstream": "{upstream}", "replay": { "onStoreError": "closed" } } } }
        """;

    [Fact]
    public async Task Whatever_fails_no_secret_body_or_signature_is_shown()
    {
        var shown = new StringBuilder();
        await using var upstream = TestUpstream.Start();
        await using var redis = await RedisServer.StartAsync();
        await redis.CommandAsync("CONFIG", "SET", "requirepass", "hush-the-other-password");
        var secrets = new Dictionary<string, string>
        {
            ["hmac"] = "hush-hmac-secret-0123456789abcdef",
            ["old"] = "hush-old-secret-0123456789abcdef0",
            ["token"] = "hush-token-0123456789abcdef0123456",
            ["basic"] = "hush-user:hush-password-0123456789",
            ["redis"] = redis.ConnectionString + ",password=hush-redis-password",
        };
        await using var gateway = await TestGateway.StartAsync(
            Routes, upstream.Address, secrets,
            arguments: ["--urls", "http://127.0.0.1:0", "--Admin:Token", "hush-admin-token", "--Logging:LogLevel:Default", "Trace"]);

        const string Body = """{"note":"hush-body"}""";
        var signature = Hook.Sign("""{"note":"hush-body"}"""u8, secrets["hmac"]);
        var requests = new List<RawRequest>
        {
            RawRequest.Post("/hmac", Body),
            RawRequest.Post("/hmac?token=hush-query", Body).WithHeader("X-Sig", "hush-not-hex"),
            RawRequest.Post("/hmac", Body).WithHeader("X-Sig", signature[..^1] + (signature[^1] == '0' ? '1' : '0')),
            RawRequest.Post("/hmac", Body).WithHeader("X-Sig", signature).WithHeader("X-Sig", signature),
            RawRequest.Post("/hmac", Body).WithHeader("X-Sig", signature),
            RawRequest.Post("/hmac", Body).WithHeader("X-Sig", signature),
            RawRequest.Post("/digest", Body).WithHeader("X-Sig", signature),
            RawRequest.Post("/token", Body).WithHeader("X-Token", secrets["token"] + "x"),
            RawRequest.Post("/token", Body).WithHeader("X-Token", secrets["token"]).WithHeader("X-Bad", "a\u0001b"),
            RawRequest.Post("/token", Body).WithHeader("X-Token", secrets["token"]),
            RawRequest.Post("/basic", Body).WithHeader("Authorization", "Basic " + Convert.ToBase64String("hush-user:hush-guess"u8)),
            RawRequest.Post("/basic", Body).WithHeader("Authorization", "Basic hush hush"),
            RawRequest.Post("/bearer", Body).WithHeader("Authorization", "Bearer " + secrets["token"]),
            RawRequest.Post("/bearer?access_token=" + secrets["token"], Body).WithHeader("Authorization", "Bearer hush-guess"),
            RawRequest.Post("/nowhere?token=hush-query", Body).WithHeader("Authorization", "Bearer " + secrets["token"]),
            RawRequest.Post("/hmac", Body).WithHeader("X-Sig", signature).WithHeader("Upgrade", "hush"),
        };

        // Four rounds: an upstream that answers, fails, redirects, and one that is not there.
        foreach (var answer in (UpstreamAnswer?[])[UpstreamAnswer.Status(500), UpstreamAnswer.ResetBeforeHead, UpstreamAnswer.Never, null])
        {
            if (answer is null)
            {
                upstream.StopListening();
                requests.RemoveAll(static r => r.Target.StartsWith("/token", StringComparison.Ordinal)
                    || r.Target.StartsWith("/basic", StringComparison.Ordinal));
            }
            else
            {
                upstream.Respond(r => answer.After == AfterAnswer.Silence && r.Target != "/hmac" ? UpstreamAnswer.Ok : answer);
            }

            foreach (var response in await Deadline.WaitAsync(Task.WhenAll(requests.Select(r => gateway.SendAsync(r))), "a round of failures"))
            {
                shown.AppendLine(response.HeadText).AppendLine(response.BodyText);
            }
        }

        // Bad files, secrets that are gone, and questions on the admin listener.
        foreach (var (from, to) in new[] { ("file:{dir}/hmac", "hush-literal-secret"), ("file:{dir}/hmac", "env:hush-literal-secret"),
            ("file:{dir}/hmac", "file:hush-literal/secret=="), ("file:{dir}/redis", "env:hush-redis"),
            ("\"header\"", "\"key\": { \"encoding\": \"base64\" }, \"header\""), ("{upstream}", "http://u:hush-in-url@127.0.0.1:9"),
            ("{ \"edge\"", "hush-no-json") })
        {
            Assert.False(await gateway.ReloadAsync(Routes.Replace(from, to, StringComparison.Ordinal)));
            shown.AppendLine(string.Join('\n', gateway.Reloader.Status.Problems));
        }

        gateway.WriteSecret("redis", "127.0.0.1:1,passwort=hush-redis-password");
        gateway.WriteSecret("hmac", "${hush-placeholder}");
        Assert.False(await gateway.ReloadAsync(Routes + "\n"));
        shown.AppendLine(string.Join('\n', gateway.Reloader.Status.Problems));
        using var http = new HttpClient();
        foreach (var path in (string[])["/readyz", "/healthz", "/api", "/api/replay/hmac/forget?key=hush"])
        {
            foreach (var method in (HttpMethod[])[HttpMethod.Get, HttpMethod.Post])
            {
                using var request = new HttpRequestMessage(method, new Uri(gateway.Admin, path));
                request.Headers.Add("Authorization", "Bearer hush-admin-token");
                using var answer = await Deadline.WaitAsync(http.SendAsync(request), path);
                shown.AppendLine($"{answer}").AppendLine(await answer.Content.ReadAsStringAsync());
            }
        }

        // The target with its query stays in the journal's memory; who shows an entry shows the path.
        foreach (var entry in gateway.Journal.Newest())
        {
            shown.AppendLine($"{entry with { Target = "" }}");
        }

        // Or else this shows nothing.
        Assert.Superset(
            new HashSet<RejectReason>
            {
                RejectReason.RouteUnknown, RejectReason.RequestMalformed, RejectReason.SignatureMissing, RejectReason.SignatureMalformed,
                    RejectReason.SignatureMismatch,
                RejectReason.CredentialMismatch, RejectReason.ReplayStoreDown, RejectReason.UpstreamFailed, RejectReason.UpstreamTimeout,
                RejectReason.UpstreamUnreachable,
            },
            gateway.Journal.Reasons().ToHashSet());
        AssertHushed(shown.ToString(), signature);
        AssertHushed(gateway.Logs.Everything, signature);
        AssertHushed(string.Join('\n', gateway.Metrics.Points), signature);
        foreach (var request in upstream.Requests)
        {
            // The app gets the body; credentials stay here.
            Assert.DoesNotContain(secrets["token"], request.Headers.ToString(), StringComparison.Ordinal);
            Assert.Null(request.Headers["X-Token"]);
            Assert.Null(request.Headers["Authorization"]);
        }
    }

    private static void AssertHushed(string text, string signature)
    {
        foreach (var hidden in (string[])["hush-", signature, Convert.ToBase64String("hush-user"u8)])
        {
            var at = text.IndexOf(hidden, StringComparison.Ordinal);
            Assert.True(at < 0, at < 0 ? "" : $"\"{hidden}\" in: {text[Math.Max(0, at - 300)..Math.Min(text.Length, at + 100)]}");
        }
    }
}
