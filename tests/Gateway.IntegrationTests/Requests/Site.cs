using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.AllowLists;
using WebhookEdge.Gate;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>An internal app and a gateway in front of it, over real sockets, with the secrets of all four founding providers.</summary>
internal sealed class Site : IAsyncDisposable
{
    public const string SigningSecret = "a-signing-secret-of-decent-length";
    public const string OlderSecret = "the-signing-secret-before-this-one";
    public const string Token = "a-static-header-token-0123456789";
    public const string User = "idwise:correct horse battery staple";

    /// <summary>One route <c>hook</c> on /hook whose sender signs the body with HMAC-SHA256 in <c>X-Signature</c>; <c>{more}</c> takes further keys.</summary>
    private const string OneRoute =
        """
        {
          "edge": { {edge} },
          "routes": {
            "hook": {
              "path": "/hook",
              "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }],
              "upstream": "{upstream}"{more}
            }
          }
        }
        """;

    private Site(TestGateway gateway, TestUpstream upstream)
    {
        Gateway = gateway;
        Upstream = upstream;
    }

    public TestGateway Gateway { get; }

    public TestUpstream Upstream { get; }

    public Capacity Capacity => Gateway.Host.Services.GetRequiredService<Capacity>();

    public AddressListPool Lists => Gateway.Host.Services.GetRequiredService<AddressListPool>();

    /// <param name="routes">The text of routes.json.</param>
    /// <param name="time">Null for the system's.</param>
    /// <param name="arguments">For ASP.NET Core, in place of <c>--urls</c>.</param>
    /// <param name="placeholders">Further texts to replace in <paramref name="routes"/>.</param>
    /// <param name="files">Further files in <c>{dir}</c>.</param>
    /// <param name="ready">Wait until every address list is loaded.</param>
    /// <param name="services">Last word on the services.</param>
    public static async Task<Site> StartAsync(
        string routes,
        TimeProvider? time = null,
        IReadOnlyList<string>? arguments = null,
        IReadOnlyDictionary<string, string>? placeholders = null,
        IReadOnlyDictionary<string, string>? files = null,
        bool ready = false,
        Action<IServiceCollection>? services = null)
    {
        var upstream = TestUpstream.Start();
        try
        {
            var secrets = new Dictionary<string, string>(files ?? new Dictionary<string, string>()) { ["signing"] = SigningSecret, ["older"] = OlderSecret,
                ["token"] = Token, ["user"] = User };
            var site = new Site(await TestGateway.StartAsync(routes, upstream.Address, secrets, time, arguments, placeholders, services), upstream);
            if (ready)
            {
                await Deadline.UntilAsync(() => site.Lists.All.All(list => list.Current is not null), "the address lists are loaded");
            }

            return site;
        }
        catch
        {
            await upstream.DisposeAsync();
            throw;
        }
    }

    /// <param name="more">Further keys of the route, as JSON without a comma in front.</param>
    /// <param name="edge">Keys of <c>edge</c>.</param>
    public static Task<Site> WithOneRouteAsync(string more = "", string edge = "", TimeProvider? time = null, IReadOnlyList<string>? arguments = null,
        Action<IServiceCollection>? services = null) =>
        StartAsync(OneRouteText(more, edge), time, arguments, services: services);

    public static string OneRouteText(string more = "", string edge = "") =>
        OneRoute.Replace("{edge}", edge, StringComparison.Ordinal).Replace("{more}", more.Length == 0 ? "" : $", {more}", StringComparison.Ordinal);

    /// <summary>Lower-case hex of the HMAC-SHA256, as the founding providers write it.</summary>
    public static string Sign(ReadOnlySpan<byte> body, string secret = SigningSecret) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), body));

    /// <summary>A validly signed request for the one route.</summary>
    public static RawRequest Signed(ReadOnlyMemory<byte> body, string target = "/hook") =>
        RawRequest.Post(target, body).WithHeader("X-Signature", Sign(body.Span));

    public static RawRequest Signed(string body, string target = "/hook") => Signed(Encoding.UTF8.GetBytes(body), target);

    /// <summary>Bytes that compress badly and differ by <paramref name="seed"/>.</summary>
    public static byte[] Bytes(int length, int seed = 1)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public Task<RawResponse> SendAsync(RawRequest request, IPAddress? from = null) => Gateway.SendAsync(request, from);

    /// <summary>What the socket of the app has seen so far; equal before and after means that nothing at all reached it.</summary>
    public (int Connections, long Bytes, int Requests) Seen => (Upstream.ConnectionCount, Upstream.BytesReceived, Upstream.Requests.Count);

    /// <summary>Everything taken from the gateway's two bounds was given back.</summary>
    public Task IsIdleAsync() => Deadline.UntilAsync(() => Capacity is { Requests: 0, BufferedBytes: 0 }, "requests and buffered bytes are back at 0");

    /// <summary>
    /// Runs <paramref name="send"/> and holds its answer and its traces against the table: status, no body, a request id, Retry-After where promised,
    /// exactly one metric point, one log line and one journal entry, all with the reason; nothing at the app's socket unless said otherwise.
    /// </summary>
    public async Task<RawResponse> IsRefusedAsync(Func<Task<RawResponse>> send, int status, string reason, bool retryAfter = false,
        bool reachesUpstream = false, string route = "hook")
    {
        // What the request before this one records after its answer is not this one's.
        await IsIdleAsync();
        var seen = Seen;
        var traces = Traces();
        var answer = await send();

        Assert.Equal(status, answer.Status);
        Assert.Empty(answer.Body);
        Assert.Equal("0", answer.Headers["Content-Length"]);
        Assert.Equal(retryAfter, answer.Headers.Contains("Retry-After"));
        if (retryAfter)
        {
            Assert.InRange(int.Parse(answer.Headers["Retry-After"]!), 1, 3600);
        }

        await LeavesTracesAsync(traces, reason, status, route, answer.Headers["X-Request-Id"]);
        var allowed = new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "Content-Length", "Date", "X-Request-Id", "Retry-After", "Connection" };
        Assert.DoesNotContain(answer.Headers.Lines, line => !allowed.Contains(line.Key));
        if (!reachesUpstream)
        {
            Assert.Equal(seen, Seen);
        }

        await IsIdleAsync();
        return answer;
    }

    public (int Points, int Lines, int Entries) Traces() =>
        (Gateway.Metrics.Of("webhookedge.requests").Count, Gateway.Logs.WithEvent(1100).Count, Gateway.Journal.Newest().Count);

    /// <summary>Exactly one metric point, log line 1100 and journal entry since <paramref name="before"/>, each with the reason.</summary>
    public async Task LeavesTracesAsync((int Points, int Lines, int Entries) before, string reason, int status, string route, string? requestId)
    {
        await Deadline.UntilAsync(() => Gateway.Metrics.Of("webhookedge.requests").Count > before.Points, "the metric is recorded");
        var point = Assert.Single(Gateway.Metrics.Of("webhookedge.requests").Skip(before.Points));
        Assert.Equal(1, point.Value);
        Assert.Equal(reason, point.Tags["reason"]);
        Assert.Equal(route, point.Tags["route"]);
        Assert.Equal("refused", point.Tags["outcome"]);
        Assert.Equal(["outcome", "reason", "route"], point.Tags.Keys.Order());

        await Deadline.UntilAsync(() => Gateway.Logs.WithEvent(1100).Count > before.Lines, "the refusal is logged");
        var line = Assert.Single(Gateway.Logs.WithEvent(1100).Skip(before.Lines));
        Assert.Equal(reason, line["Reason"]);
        Assert.Equal(route, line["Route"]);
        Assert.Equal(status, line["Status"]);

        var entries = Gateway.Journal.Newest();
        var entry = Assert.Single(entries.Take(entries.Count - before.Entries));
        Assert.Equal(reason, Verdicts.RejectReasons.Describe(entry.Reason).Slug);
        Assert.Equal(status, entry.Status);
        Assert.Equal(route, entry.Route);
        Assert.False(entry.Observed);
        if (requestId is not null)
        {
            Assert.Equal(requestId, line["RequestId"]);
            Assert.Equal(requestId, entry.RequestId);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await Upstream.DisposeAsync();
    }
}

/// <summary>One <see cref="Site"/> for all tests of a class: a class says which by its routes.</summary>
public abstract class SiteTests : IAsyncLifetime
{
    private Site? _site;

    internal Site Site => _site ?? throw new InvalidOperationException("the site has not started");

    public async Task InitializeAsync() => _site = await StartAsync();

    public async Task DisposeAsync() => await Site.DisposeAsync();

    private protected abstract Task<Site> StartAsync();
}
