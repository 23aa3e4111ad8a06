using System.Globalization;
using System.Text;

namespace WebhookEdge.LoadTests;

/// <summary>Ports, folders and programs a contender's set-up is filled in with.</summary>
internal sealed record CompareSite
{
    public required string Folder { get; init; }

    /// <summary>The folder of the configuration templates.</summary>
    public required string Setups { get; init; }

    public required string NginxModules { get; init; }

    /// <summary>The published gateway's executable.</summary>
    public required string Gateway { get; init; }

    public required string Secret { get; init; }

    public required int UpstreamPort { get; init; }

    public required int RedisPort { get; init; }

    /// <summary>Fills in <paramref name="template"/> and writes it to the site's folder; answers its path.</summary>
    public string Write(string template, string name, int port, int redisPort = 0)
    {
        var text = new StringBuilder(File.ReadAllText(Path.Combine(Setups, template)))
            .Replace("{{DIR}}", Folder)
            .Replace("{{SETUPS}}", Setups)
            .Replace("{{MODULES}}", NginxModules)
            .Replace("{{NAME}}", name)
            .Replace("{{SECRET}}", Secret)
            .Replace("{{SECRET_BASE64}}", Convert.ToBase64String(Encoding.UTF8.GetBytes(Secret)))
            .Replace("{{UPSTREAM}}", Text(UpstreamPort))
            .Replace("{{REDIS}}", Text(redisPort))
            .Replace("{{PORT}}", Text(port));
        var path = Path.Combine(Folder, name + Path.GetExtension(template));
        File.WriteAllText(path, text.ToString());
        return path;
    }

    public static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Something that takes webhooks, how it is started, and what may be asked of it.</summary>
internal sealed record Contender(string Id, string Title, Func<CompareSite, int, PinnedCommand> Command)
{
    /// <summary>Programs it needs beside ours.</summary>
    public IReadOnlyList<string> Programs { get; init; } = [];

    /// <summary>It judges address and signature; else it forwards whatever comes.</summary>
    public bool Checks { get; init; } = true;

    /// <summary>It forwards to the app.</summary>
    public bool Forwards { get; init; } = true;

    /// <summary>It remembers events, here for one second.</summary>
    public bool Remembers { get; init; }

    public bool NeedsRedis { get; init; }

    /// <summary>It compiles while it runs, and is slow until that is done.</summary>
    public bool IsDotNet { get; init; }

    /// <summary>Where requests go whose sender's address is not allowed.</summary>
    public string Elsewhere { get; init; } = LoadRoutes.ElsewhereOf(SigningStyle.GitHub);

    public const string BareYarpId = "yarp";
    public const string GatewayId = "gateway";
    public const string GatewayRedisId = "gateway-redis";
    public const string GatewayGrownId = "gateway-grown";
    public const string NginxLuaId = "nginx-lua";
    public const string NginxLuaRedisId = "nginx-lua-redis";

    public static IReadOnlyList<Contender> All { get; } =
    [
        new(BareYarpId, "bare YARP, no checks", static (site, port) => Self("yarp", "--url", $"http://127.0.0.1:{port}", "--upstream", $"http://127.0.0.1:{site.UpstreamPort}"))
        {
            Checks = false, IsDotNet = true,
        },
        new(GatewayId, "WebhookEdge: address, HMAC, replay in memory", static (site, port) => Gateway(site, port)) { Remembers = true, IsDotNet = true },
        new(GatewayRedisId, "WebhookEdge: address, HMAC, replay in Redis", static (site, port) => Gateway(site, port, redis: true))
        {
            Remembers = true, NeedsRedis = true, IsDotNet = true, Programs = ["redis-server"],
        },
        new(GatewayGrownId, "WebhookEdge, replay in memory, 1,000 routes, 10,000 addresses, 16 secrets", static (site, port) => Gateway(site, port, grown: true)) { Remembers = true, IsDotNet = true },
        new("nginx", "nginx, no checks", static (site, port) => Nginx(site, "nginx-plain.conf", "nginx-plain", port, 0)) { Checks = false },
        new(NginxLuaId, "nginx + Lua: address, HMAC", static (site, port) => Nginx(site, "nginx-lua.conf", "nginx-lua", port, 0)),
        new(NginxLuaRedisId, "nginx + Lua: address, HMAC, SET NX in Redis", static (site, port) => Nginx(site, "nginx-lua.conf", "nginx-lua-redis", port, site.RedisPort))
        {
            Remembers = true, NeedsRedis = true, Programs = ["redis-server"],
        },
        new("haproxy", "HAProxy: address, HMAC", static (site, port) => new("haproxy", ["-db", "-f", site.Write("haproxy.cfg", "haproxy", port)])) { Programs = ["haproxy"] },
        new("webhook", "adnanh/webhook: address, HMAC, forwards nothing", static (site, port) =>
            new("webhook", ["-hooks", site.Write("hooks.json", "webhook", port), "-ip", "127.0.0.1", "-port", CompareSite.Text(port)])) { Programs = ["webhook"], Forwards = false, Elsewhere = "/hooks/elsewhere" },
    ];

    private static PinnedCommand Self(params IReadOnlyList<string> arguments) => new(Environment.ProcessPath!, [.. SelfPrefix, .. arguments])
    {
        // What an application of the web SDK has by default, which this console is not; and the gateway's own setting for compiling hot methods early,
        // without which a process on one core is measured half compiled.
        Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_gcServer"] = "1", ["DOTNET_TC_CallCountingDelayMs"] = "0" },
    };

    /// <summary>How to start this program again: its own executable, or dotnet with its assembly.</summary>
    public static IReadOnlyList<string> SelfPrefix { get; } =
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [typeof(Contender).Assembly.Location] : [];

    private static PinnedCommand Gateway(CompareSite site, int port, bool redis = false, bool grown = false)
    {
        var routes = Path.Combine(site.Folder, redis ? "routes-redis.json" : grown ? "routes-grown.json" : "routes.json");
        File.WriteAllBytes(routes, LoadRoutes.Write($"http://127.0.0.1:{site.UpstreamPort}", replayTtl: "1s", redis, grown));
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [LoadRoutes.SecretVariable] = site.Secret, [LoadRoutes.RedisVariable] = $"127.0.0.1:{site.RedisPort}",
        };
        foreach (var name in grown ? LoadRoutes.OtherSecretVariables : [])
        {
            environment[name] = $"another secret, in {name}, of the same length";
        }

        // Port 0: the admin listener is of no interest here.
        return new(site.Gateway, ["serve", "--config", routes, "--urls", $"http://127.0.0.1:{port}", "--Admin:Url", "http://127.0.0.1:0"])
        {
            Environment = environment,
        };
    }

    private static PinnedCommand Nginx(CompareSite site, string template, string name, int port, int redisPort) =>
        NginxAt(site, site.Write(template, name, port, redisPort), name);

    /// <summary>nginx with the configuration at <paramref name="path"/>, its first error log among ours.</summary>
    public static PinnedCommand NginxAt(CompareSite site, string path, string name) => new("nginx", ["-e", Path.Combine(site.Folder, name + ".log"), "-c", path]);
}
