using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Observability;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>One signed route, <c>/hook</c>, and requests it accepts. The secret is the file <c>secret</c> in the gateway's folder.</summary>
internal static class Hook
{
    public const string Path = "/hook";
    public const string Secret = "a-secret-of-thirty-two-bytes-or-so";

    public static Dictionary<string, string> Secrets { get; } = new() { ["secret"] = Secret };

    /// <summary>Check, where to and timeout of a route, without its braces.</summary>
    public const string Verify = """ "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }] """;

    /// <param name="route">Further keys of the route; without a <c>cluster</c> the upstream is <c>{upstream}</c>.</param>
    /// <param name="file">Further keys of the file.</param>
    public static string Routes(string route = "", string file = "")
    {
        var where = route.Contains("\"cluster\"") ? "" : """, "upstream": "{upstream}" """;
        return $$"""{ {{(file.Length == 0 ? "" : file + ",")}} "routes": { "hook": { "path": "/hook", {{Verify}}{{where}}{{(route.Length == 0 ? "" : ", " + route)}} } } }""";
    }

    /// <summary>An <c>edge</c> with a replay store; the connection string is the file <c>redis</c>.</summary>
    public const string WithRedis = """ "edge": { "redis": "file:{dir}/redis" } """;

    public static Dictionary<string, string> SecretsWith(RedisServer redis) => new(Secrets) { ["redis"] = redis.ConnectionString };

    public static string Sign(ReadOnlySpan<byte> body, string secret = Secret) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), body));

    public static RawRequest Event(string body, string secret = Secret, string path = Path) => Event(Encoding.UTF8.GetBytes(body), secret, path);

    public static RawRequest Event(byte[] body, string secret = Secret, string path = Path) =>
        RawRequest.Post(path, body).WithHeader("X-Sig", Sign(body, secret));

    public static bool IsDuplicate(this RawResponse answer) => answer.Status == 200 && answer.Headers["X-Webhook-Duplicate"] == "true";

    /// <summary>A 2xx that the upstream gave, not our own for a duplicate.</summary>
    public static bool IsDelivered(this RawResponse answer) => answer.Status == 200 && !answer.Headers.Contains("X-Webhook-Duplicate");

    /// <summary>Fails with the whole answer, which names what was wrong.</summary>
    public static void AssertDelivered(this RawResponse answer) => Assert.True(answer.IsDelivered(), $"not delivered: {answer.Describe()}");

    /// <inheritdoc cref="AssertDelivered"/>
    public static void AssertDuplicate(this RawResponse answer) => Assert.True(answer.IsDuplicate(), $"no duplicate: {answer.Describe()}");

    private static string Describe(this RawResponse answer) => Encoding.UTF8.GetString(answer.Head) + Encoding.UTF8.GetString(answer.Body);

    public static IReadOnlyList<RejectReason> Reasons(this RejectJournal journal) => [.. journal.Newest().Reverse().Select(static entry => entry.Reason)];

    /// <summary>Every complete request at the upstream with its body once, and nothing else: what "nothing lost, nothing duplicated" means.</summary>
    public static void AssertEachOnce(this TestUpstream upstream, IEnumerable<string> bodies)
    {
        Assert.Equal(bodies.Order(StringComparer.Ordinal), upstream.Requests.Select(static r => r.BodyText).Order(StringComparer.Ordinal));
        Assert.Empty(upstream.BrokenRequests);
    }

    /// <summary>Lets real time go by, where that is the very thing under test.</summary>
    public static async Task PassAsync(TimeSpan time)
    {
        using var timer = new PeriodicTimer(time);
        await timer.WaitForNextTickAsync();
    }
}
