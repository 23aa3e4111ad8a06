using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WebhookEdge.LoadTests;

/// <summary>The routes the scenarios go to: for each signing style one that takes requests from this machine, and one that does not.</summary>
internal static class LoadRoutes
{
    /// <summary>The variable that holds the signing secret of every route.</summary>
    public const string SecretVariable = "LOAD_SECRET";

    /// <summary>The variable that holds the Redis connection string, when there is one.</summary>
    public const string RedisVariable = "LOAD_REDIS";

    /// <summary>Routes of a grown configuration, the scenarios' own included.</summary>
    public const int GrownRoutes = 1000;

    /// <summary>Entries of the allow-lists of a grown configuration.</summary>
    public const int GrownAddresses = 10_000;

    /// <summary>Active secrets of the routes of a grown configuration. The first is the one that signs.</summary>
    public const int GrownSecrets = 16;

    /// <summary>The variables that hold the other secrets of a grown configuration.</summary>
    public static IEnumerable<string> OtherSecretVariables => Enumerable.Range(2, GrownSecrets - 1).Select(static number => $"{SecretVariable}_{number}");

    public static string PathOf(SigningStyle style) => $"/hooks/{style.Name}";

    /// <summary>As <see cref="PathOf"/>, on a route that nobody here may send to.</summary>
    public static string ElsewhereOf(SigningStyle style) => $"/elsewhere/{style.Name}";

    public static string PathOf(SigningStyle style, RequestKind kind) => kind == RequestKind.WrongAddress ? ElsewhereOf(style) : PathOf(style);

    /// <summary>A routes.json.</summary>
    /// <param name="upstream">Where accepted events go, e.g. <c>http://127.0.0.1:9000</c>.</param>
    /// <param name="replayTtl">How long an event is remembered, as routes.json writes it.</param>
    /// <param name="redis">Remember events in Redis.</param>
    /// <param name="grown">What the scenarios ask of it is the same, in a configuration of a thousand routes, ten thousand addresses and sixteen secrets.</param>
    public static byte[] Write(string upstream, string replayTtl = "72h", bool redis = false, bool grown = false)
    {
        string[] secrets = ["env:" + SecretVariable, .. grown ? OtherSecretVariables.Select(static name => "env:" + name) : []];
        string[] here = ["127.0.0.1", "::1", .. grown ? Enumerable.Range(0, GrownAddresses - 2).Select(static i => $"10.{i / 250 % 250}.{i % 250}.{1 + (i % 254)}") : []];
        var routes = new JsonObject();
        foreach (var style in SigningStyle.All)
        {
            routes[style.Name] = Route(style, PathOf(style), secrets, here, upstream, replayTtl);
            routes[style.Name + "-elsewhere"] = Route(style, ElsewhereOf(style), secrets, ["192.0.2.0/24"], upstream, replayTtl);
        }

        for (var number = routes.Count; grown && number < GrownRoutes; number++)
        {
            var style = SigningStyle.All[number % SigningStyle.All.Count];
            routes[$"{style.Name}-{number}"] = Route(style, $"{PathOf(style)}/{number}", ["env:" + SecretVariable], ["127.0.0.1"], upstream, replayTtl);
        }

        var file = new JsonObject();
        if (redis)
        {
            file["edge"] = new JsonObject { ["redis"] = "env:" + RedisVariable };
        }

        file["routes"] = routes;
        return Encoding.UTF8.GetBytes(file.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
    }

    private static JsonObject Route(SigningStyle style, string path, string[] secrets, string[] allow, string upstream, string replayTtl) => new()
    {
        ["path"] = path,
        ["provider"] = style.Name,
        ["secrets"] = new JsonArray([.. secrets.Select(static secret => JsonValue.Create(secret))]),
        ["allow"] = new JsonArray([.. allow.Select(static entry => JsonValue.Create(entry))]),
        ["replay"] = new JsonObject { ["ttl"] = replayTtl },
        ["upstream"] = upstream,
    };
}
