using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.Admin;
using WebhookEdge.Cli;
using WebhookEdge.Configuration;
using WebhookEdge.Observability;
using WebhookEdge.Routes;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Page;

/// <summary>
/// A minute on six routes, played in a moment: what goes well, a wrong secret, an app that stumbles, a sender that has moved, observe mode, silence.
/// </summary>
internal sealed class Scene : IAsyncDisposable
{
    private const string Routes = """
        {
          "edge": {
            "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.0/8"] },
            "awsRanges": { "url": "file:{dir}/ip-ranges.json" }
          },
          "routes": {
            "real-id": { "path": "/hooks/real-id", "provider": "real-id", "secrets": ["file:{dir}/real-id", "file:{dir}/real-id-old"], "upstream": "{upstream}" },
            "verisync": { "path": "/hooks/verisync", "provider": "verisync", "secrets": ["file:{dir}/verisync"], "upstream": "{upstream}" },
            "cr3dentials": { "path": "/hooks/cr3dentials", "provider": "cr3dentials", "secrets": ["file:{dir}/cr3dentials"], "upstream": "{upstream}" },
            "billing": { "path": "/hooks/billing", "provider": "stripe", "allow": ["any"], "secrets": ["file:{dir}/stripe"], "upstream": "{upstream}" },
            "ci": { "path": "/hooks/ci", "provider": "github", "allow": ["any"], "secrets": ["file:{dir}/github"], "mode": "observe", "upstream": "{upstream}" },
            "orders": { "path": "/hooks/orders/{**rest}", "provider": "shopify", "allow": ["any"], "secrets": ["file:{dir}/shopify"], "upstream": "{upstream}" }
          }
        }
        """;

    private const string IpRanges = """
        { "syncToken": "1787356800", "createDate": "2026-08-22-00-00-00",
          "prefixes": [ { "ip_prefix": "3.80.0.0/12", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1" },
                        { "ip_prefix": "54.144.0.0/14", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1" } ],
          "ipv6_prefixes": [ { "ipv6_prefix": "2600:1f18::/33", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1" } ] }
        """;

    private readonly TestUpstream _upstream;
    private readonly Random _random = new(7);
    private RoutesFile? _file;
    private int _events;

    private Scene(TestGateway gateway, TestUpstream upstream, TestClock clock)
    {
        Gateway = gateway;
        _upstream = upstream;
        Clock = clock;
    }

    public TestGateway Gateway { get; }

    public TestClock Clock { get; }

    public static async Task<Scene> PlayAsync()
    {
        var clock = new TestClock();
        var upstream = TestUpstream.Start();
        var secrets = new[] { "real-id", "real-id-old", "verisync", "cr3dentials", "stripe", "github", "shopify" }.ToDictionary(static name => name,
            static name => RandomNumberGenerator.GetHexString(40, lowercase: true));
        secrets["ip-ranges.json"] = IpRanges;
        var gateway = await TestGateway.StartAsync(Routes, upstream.Address, secrets, clock);
        var scene = new Scene(gateway, upstream, clock);
        gateway.Host.Services.GetRequiredService<AdminState>().SecretUses = scene.SecretUses;
        await Deadline.UntilAsync(() =>
            gateway.Host.Services.GetRequiredService<WebhookEdge.AllowLists.AddressListPool>().All.All(static list => list.Current is not null),
            "the list is loaded");
        await scene.PlayMinuteAsync();
        return scene;
    }

    public Task<bool> RefuseReloadAsync() => Gateway.ReloadAsync(
        """
        { "routes": {
            "real-id": { "path": "/hooks/real-id", "provider": "real-ld", "secrets": ["file:{dir}/real-id"], "upstream": "{upstream}" },
            "verisync": { "path": "hooks/verisync", "provider": "verisync", "secrets": ["literal-secret"], "upstream": "{upstream}" } } }
        """);

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await _upstream.DisposeAsync();
    }

    private List<SecretLastUse> SecretUses()
    {
        var now = Clock.GetUtcNow();
        return
        [
            new("real-id", "env:REAL_ID_SECRET", now - TimeSpan.FromDays(9), now - TimeSpan.FromSeconds(3)),
            new("real-id", "env:REAL_ID_SECRET_OLD", now - TimeSpan.FromDays(9), now - TimeSpan.FromHours(41)),
            new("verisync", "env:VERISYNC_SECRET", now - TimeSpan.FromDays(9), now - TimeSpan.FromSeconds(1)),
        ];
    }

    private async Task PlayMinuteAsync()
    {
        _file = RoutesFileReader.ReadAndValidate(await File.ReadAllBytesAsync(Gateway.RoutesPath), out _)!;
        await using var client = await Gateway.ConnectAsync();
        for (var second = 0; second < 62; second++)
        {
            var begin = Clock.GetTimestamp();
            for (var i = 0; i < 2 + (second / 7 % 3); i++)
            {
                await SendAsync(client, "real-id", "3.80.1.2", 200, 14);
            }

            for (var i = 0; i < 3 + (int)(3 * Math.Sin(second / 6.0)); i++)
            {
                await SendAsync(client, "verisync", "13.42.70.11", 200, 6);
            }

            await SendAsync(client, "cr3dentials", "203.0.113.20", second is > 36 and < 44 ? 503 : 200, second > 33 ? 180 : 35);
            if (second % 4 == 1)
            {
                await SendAsync(client, "billing", "198.51.100.44", 200, 5, forge: true);
            }

            if (second % 3 == 0)
            {
                await SendAsync(client, "ci", "192.30.252.40", 200, 60, forge: second % 9 == 0);
            }

            if (second % 13 == 7)
            {
                await SendAsync(client, "verisync", "13.42.70.99", 200, 6);
                await client.ExchangeAsync(RawRequest.Post("/wp-login.php").WithHeader("X-Forwarded-For", "192.0.2.77"));
            }

            if (second % 10 == 3)
            {
                await RepeatAsync(client);
            }

            var left = TimeSpan.FromSeconds(1) - Clock.GetElapsedTime(begin);
            Clock.Advance(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }
    }

    private RawRequest? _last;

    private async Task RepeatAsync(RawHttpClient client)
    {
        if (_last is not null)
        {
            await client.ExchangeAsync(_last);
        }
    }

    private async Task SendAsync(RawHttpClient client, string route, string from, int status, double typical, bool forge = false)
    {
        var signer = RouteSigner.Create(_file!, route, out var problem) ?? throw new InvalidOperationException(problem!.ToString());
        var id = string.Create(CultureInfo.InvariantCulture, $"evt_{++_events:00000}");
        var body = SampleEvents.Create(_file!.Routes![route].Provider, Clock.GetUtcNow(), id);
        var request = RawRequest.Post(signer.Path, body).WithHeader("X-Forwarded-For", from).WithHeader("User-Agent", "Webhooks/2.1")
            .WithHeader("Content-Type", "application/json");
        foreach (var (name, value) in signer.Sign(body, Clock.GetUtcNow(), id))
        {
            request = request.WithHeader(name, forge ? value[..^1] + (value[^1] == '0' ? '1' : '0') : value);
        }

        var took = TimeSpan.FromMilliseconds(typical * Math.Exp(_random.NextDouble() * 1.2));
        _upstream.Respond(_ =>
        {
            Clock.Advance(took);
            return UpstreamAnswer.Status(status, "{}");
        });
        _last = route == "real-id" ? request : _last;
        await client.ExchangeAsync(request);
    }
}
