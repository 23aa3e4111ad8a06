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

    public static string PathOf(SigningStyle style) => $"/hooks/{style.Name}";

    /// <summary>As <see cref="PathOf"/>, on a route that nobody here may send to.</summary>
    public static string ElsewhereOf(SigningStyle style) => $"/elsewhere/{style.Name}";

    public static string PathOf(SigningStyle style, RequestKind kind) => kind == RequestKind.WrongAddress ? ElsewhereOf(style) : PathOf(style);

    /// <summary>A routes.json.</summary>
    /// <param name="upstream">Where accepted events go, e.g. <c>http://127.0.0.1:9000</c>.</param>
    /// <param name="replayTtl">How long an event is remembered, as routes.json writes it.</param>
    public static byte[] Write(string upstream, string replayTtl = "72h", bool redis = false)
    {
        var routes = new JsonObject();
        foreach (var style in SigningStyle.All)
        {
            routes[style.Name] = Route(style, PathOf(style), ["127.0.0.1", "::1"], upstream, replayTtl);
            routes[style.Name + "-elsewhere"] = Route(style, ElsewhereOf(style), ["192.0.2.0/24"], upstream, replayTtl);
        }

        var file = new JsonObject();
        if (redis)
        {
            file["edge"] = new JsonObject { ["redis"] = "env:" + RedisVariable };
        }

        file["routes"] = routes;
        return Encoding.UTF8.GetBytes(file.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
    }

    private static JsonObject Route(SigningStyle style, string path, string[] allow, string upstream, string replayTtl) => new()
    {
        ["path"] = path,
        ["provider"] = style.Name,
        ["secrets"] = new JsonArray("env:" + SecretVariable),
        ["allow"] = new JsonArray([.. allow.Select(static entry => JsonValue.Create(entry))]),
        ["replay"] = new JsonObject { ["ttl"] = replayTtl },
        ["upstream"] = upstream,
    };
}
