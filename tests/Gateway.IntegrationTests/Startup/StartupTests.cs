using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using WebhookEdge.IntegrationTests.Requests;

namespace WebhookEdge.IntegrationTests.Startup;

/// <summary>What a gateway says of itself when it starts and when its configuration changes.</summary>
public sealed class StartupTests
{
    private const string Routes =
        """
        {
          "edge": { "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.0/8"] } },
          "clusters": { "kyc": { "Destinations": { "a": { "Address": "http://127.0.0.1:9/in" }, "b": { "Address": "http://127.0.0.1:10/" } } } },
          "routes": {
            "zeta": { "path": "/zeta", "provider": "cr3dentials", "secrets": ["file:{dir}/signing", "file:{dir}/older"], "cluster": "kyc" },
            "alpha": {
              "path": "/alpha/{**rest}", "methods": ["POST", "PUT"], "upstream": "{upstream}", "maxBody": "64KiB",
              "verify": [{ "scheme": { "kind": "token", "header": "X-Token" }, "secrets": ["file:{dir}/token"], "mode": "observe" }],
              "allow": ["127.0.0.1"], "replay": "off",
              "rateLimit": { "route": { "permits": 5, "window": "1s" }, "mode": "observe" }
            },
            "plain": { "path": "/plain", "mode": "observe", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}", "timeout": "45s" }
          }
        }
        """;

    [Fact]
    public async Task Starting_tells_what_is_served_in_a_line_for_the_gateway_and_one_a_route_in_the_order_of_the_file()
    {
        await using var site = await Site.StartAsync(Routes);
        var logs = site.Gateway.Logs;

        var summary = Assert.Single(logs.WithEvent(5105));
        Assert.Equal((3, "forwardedFor past 127.0.0.0/8", "this process alone", logs.WithEvent(5103).Count),
            (summary["Routes"], summary["ClientAddress"], summary["Store"], summary["Warnings"]));
        var routes = logs.WithEvent(5106);
        Assert.Equal(["zeta", "alpha", "plain"], routes.Select(line => line["Route"]));
        Assert.Equal("kyc http://127.0.0.1:9/in, http://127.0.0.1:10/", routes[0]["Upstream"]);
        Assert.Equal(
            $"Route zeta: POST /zeta to kyc http://127.0.0.1:9/in, http://127.0.0.1:10/; provider cr3dentials; checks cr3dentials "
            + $"(file:{site.Gateway.Directory}/signing, file:{site.Gateway.Directory}/older); "
            + "from any; replay body for 3d; limits body 1MiB, answer within 8.5s; sender gives up after 5 attempts, switches off after 5 failures in a "
            + "row; mode enforce",
            routes[0].Text);
        Assert.Equal(("POST,PUT /alpha/{**rest}", "127.0.0.1", "off", "observe (verify[0], rateLimit)"),
            (routes[1]["Match"], routes[1]["Addresses"], routes[1]["Replay"], routes[1]["Mode"]));
        Assert.Equal($"token X-Token (file:{site.Gateway.Directory}/token)", routes[1]["Checks"]);
        Assert.Equal("body 64KiB, answer within 8.5s, 5 per 1s in all", routes[1]["Limits"]);
        foreach (var secret in (string[])[Site.SigningSecret, Site.OlderSecret, Site.Token])
        {
            Assert.DoesNotContain(secret, logs.Everything, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Routes_in_observe_mode_are_loud_in_log_metric_and_readiness_and_stay_ready()
    {
        await using var site = await Site.StartAsync(Routes);

        Assert.Equal(
            [("zeta", null), ("alpha", "verify[0], rateLimit"), ("plain", "every check")],
            new[] { "zeta", "alpha", "plain" }.Select(route =>
                (route, (string?)site.Gateway.Logs.WithEvent(5104).SingleOrDefault(line => (string?)line["Route"] == route)?["Checks"])));
        Assert.All(site.Gateway.Logs.WithEvent(5104), line => Assert.Equal(LogLevel.Warning, line.Level));
        Assert.Equal([1, 1, 0], new[] { "alpha", "plain", "zeta" }.Select(route => site.Gateway.Metrics.Observe("webhookedge.observing", ("route", route))));

        using var client = new HttpClient();
        var ready = await client.GetFromJsonAsync<JsonElement>(new Uri(site.Gateway.Admin, "/readyz"));
        Assert.True(ready.GetProperty("ready").GetBoolean());
        Assert.Equal("""[{"route":"alpha","checks":["verify[0]","rateLimit"]},{"route":"plain","checks":["every check"]}]""",
            ready.GetProperty("observing").GetRawText());

        Assert.True(await site.Gateway.ReloadAsync(Routes.Replace("\"mode\": \"observe\", \"verify\"", "\"verify\"", StringComparison.Ordinal)));

        Assert.Equal(3, site.Gateway.Logs.WithEvent(5104).Count);
        Assert.Equal(0, site.Gateway.Metrics.Observe("webhookedge.observing", ("route", "plain")));
        Assert.Equal(1, (await client.GetFromJsonAsync<JsonElement>(new Uri(site.Gateway.Admin, "/readyz"))).GetProperty("observing").GetArrayLength());
    }

    [Fact]
    public async Task A_reload_tells_which_routes_it_adds_removes_and_changes()
    {
        await using var site = await Site.StartAsync(Routes);
        var text = Routes.Replace("\"plain\": { \"path\": \"/plain\"", "\"plainer\": { \"path\": \"/plainer\"", StringComparison.Ordinal)
            .Replace("64KiB", "65KiB", StringComparison.Ordinal);

        Assert.True(await site.Gateway.ReloadAsync(text));

        var line = Assert.Single(site.Gateway.Logs.WithEvent(5100));
        Assert.Equal(("plainer", "plain", "alpha"), (line["Added"], line["Removed"], line["Changed"]));

        Assert.True(await site.Gateway.ReloadAsync(text.Replace("127.0.0.1:10", "127.0.0.1:11", StringComparison.Ordinal)));
        line = site.Gateway.Logs.WithEvent(5100)[1];
        Assert.Equal(("none", "none", "zeta"), (line["Added"], line["Removed"], line["Changed"]));
    }
}
