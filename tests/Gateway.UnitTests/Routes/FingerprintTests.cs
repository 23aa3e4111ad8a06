using System.Collections;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using WebhookEdge.Cli;
using WebhookEdge.Configuration;
using WebhookEdge.Routes;
using WebhookEdge.TestKit;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.UnitTests.Routes;

/// <summary>
/// YARP keeps an endpoint, and with it the policy it was made with, while its RouteConfig is equal. So whatever changes how a route decides must change its
/// RouteConfig: every key of routes.json, and whatever a reference to a secret resolves to.
/// </summary>
public sealed class FingerprintTests : IAsyncLifetime, IDisposable
{
    /// <summary>Every key there is, somewhere; not all that stands here would be valid together.</summary>
    private const string Sample = """
        {
          "edge": {
            "clientAddress": { "from": "forwardedFor", "trustedProxies": ["10.0.0.1"] },
            "publicUrl": "https://hooks.example.com",
            "redis": "file:{dir}/redis",
            "awsRanges": { "url": "https://ranges.example.com/a.json", "refresh": "1h", "alarmAfter": "7d" },
            "stateDirectory": "{dir}/state",
            "limits": { "maxBody": "1MiB", "bufferedBodies": "16MiB", "concurrentRequests": 10, "rememberedEvents": 20000 }
          },
          "addressSets": {
            "fixed": { "cidrs": ["203.0.113.1", "198.51.100.0/24"] },
            "cloud": { "aws": { "regions": ["us-east-1"], "services": ["EC2"] } },
            "list": { "json": { "url": "https://lists.example.com/a.json", "pointer": "/a", "refresh": "6h" } }
          },
          "schemes": {
            "own": {
              "kind": "hmac", "algorithm": "sha256", "header": "X-Sig", "encoding": "hex", "prefix": "v1=", "entries": { "separator": ",", "keySeparator": "=", "key": "v1", "group": " " },
              "signed": "{id}.{timestamp}.{body}", "unsignedBody": false, "emptyBody": false, "timestamp": { "from": "header:X-Time", "unit": "s", "toleranceSeconds": 60 },
              "id": "header:X-Id", "key": { "strip": "whsec_", "encoding": "utf8", "derive": "none" }, "require": { "X-Version": "2" }
            },
            "claims": { "kind": "jwt-hs256", "header": ["X-Jwt", "X-Jwt-2"], "claims": { "body": "b", "bodyOptional": false, "url": "u", "issuer": "i", "id": "jti", "maxAgeSeconds": 60 }, "keysUrl": "https://keys.example.com" }
          },
          "clusters": {
            "app": {
              "LoadBalancingPolicy": "RoundRobin",
              "Destinations": { "a": { "Address": "http://a:80/", "Health": "http://a:81/", "Host": "a.example.com" }, "b": { "Address": "http://b:80/" } },
              "HealthCheck": { "Active": { "Enabled": true, "Interval": "00:00:10", "Timeout": "00:00:03", "Path": "/healthz" }, "Passive": { "Enabled": true, "Policy": "TransportFailureRate", "ReactivationPeriod": "00:00:10" } },
              "HttpClient": { "MaxConnectionsPerServer": 10, "DangerousAcceptAnyServerCertificate": false },
              "HttpRequest": { "Version": "1.1", "VersionPolicy": "RequestVersionExact", "ActivityTimeout": "00:01:00" },
              "Metadata": { "a": "b" }
            },
            "other": { "Destinations": { "a": { "Address": "http://c:80/" } } }
          },
          "routes": {
            "one": {
              "path": "/one", "hosts": ["a.example.com"], "methods": ["POST"], "cluster": "app", "provider": "meta", "secrets": ["file:{dir}/first", "env:WEBHOOKEDGE_TEST_FINGERPRINT"],
              "allow": { "from": ["fixed", "list"], "mode": "enforce" }, "replay": { "key": ["body"], "ttl": "72h", "onStoreError": "open", "mode": "enforce" },
              "freshness": { "at": "json:/at", "within": "24h" },
              "rateLimit": { "route": { "permits": 10, "window": "1s", "queue": 5 }, "address": { "permits": 10, "window": "1s" }, "mode": "enforce" },
              "maxBody": "64KiB", "timeout": "8s", "mode": "enforce", "transforms": [{ "RequestHeader": "X-From", "Set": "webhooks" }], "forwardCredentials": false, "forwardHeaders": ["X-User"], "encodings": ["gzip"],
              "refuse": { "rate-limited": 503 }, "handshake": { "name": "meta", "verifyToken": "file:{dir}/token" }
            },
            "two": {
              "path": "/two/{**rest}", "upstream": "http://app:80/", "allow": ["cloud", "aws:us-east-1"], "replay": "off", "handshake": "off",
              "verify": [{ "scheme": "own", "secrets": ["file:{dir}/second"], "mode": "enforce" }, { "scheme": { "kind": "token", "header": "X-Token" }, "secrets": ["file:{dir}/third"] }]
            },
            "three": { "path": "/three", "cluster": "other", "verify": [{ "scheme": "claims", "secrets": ["file:{dir}/second"] }] }
          }
        }
        """;

    private static readonly string[] s_secrets = ["redis", "first", "second", "third", "token"];

    private readonly TempDirectory _folder = new();
    private readonly OfflineGateway _gateway = new();

    public FingerprintTests()
    {
        foreach (var name in s_secrets)
        {
            _folder.Write(name, name == "redis" ? "127.0.0.1:6379,password=one" : $"a-secret-of-thirty-two-characters-{name}");
        }

        Environment.SetEnvironmentVariable("WEBHOOKEDGE_TEST_FINGERPRINT", "a-secret-of-thirty-two-characters-env");
    }

    [Fact]
    public async Task Changing_or_leaving_out_any_key_of_routes_json_changes_the_fingerprint_of_the_routes_it_is_about()
    {
        var before = await CompileAsync(Tree());
        Assert.Equal(["one", "two", "three"], before.Routes.Keys);
        Assert.Equal(before.Revision, (await CompileAsync(Tree())).Revision);
        Assert.Empty(Changed(before, await CompileAsync(Tree())));

        var places = Places(Tree(), []).ToList();
        Assert.True(places.Count > 150, $"{places.Count}");
        foreach (var place in places)
        {
            foreach (var leaveOut in (bool[])[false, true])
            {
                var tree = Tree();
                if (Change(tree, place, leaveOut))
                {
                    AssertChanged(before, await CompileAsync(tree), place, leaveOut);
                }
            }
        }
    }

    [Fact]
    public async Task Changing_what_any_reference_to_a_secret_resolves_to_changes_the_fingerprint()
    {
        var routes = new Dictionary<string, string[]> { ["redis"] = ["one", "two", "three"], ["first"] = ["one"], ["second"] = ["two", "three"],
            ["third"] = ["two"], ["token"] = ["one"] };
        foreach (var name in s_secrets)
        {
            var before = await CompileAsync(Tree());
            _folder.Replace(name,
                (await File.ReadAllTextAsync(_folder.PathOf(name))).Replace("one", "two", StringComparison.Ordinal) + (name == "redis" ? "" : "x"));
            var after = await CompileAsync(Tree());

            Assert.Equal(routes[name], Changed(before, after));
            Assert.NotEqual(before.Revision, after.Revision);
        }

        var old = await CompileAsync(Tree());
        Environment.SetEnvironmentVariable("WEBHOOKEDGE_TEST_FINGERPRINT", "another-secret-of-thirty-two-characters");
        Assert.Equal(["one"], Changed(old, await CompileAsync(Tree())));
    }

    [Fact]
    public async Task Two_instances_with_the_same_file_and_secrets_are_at_the_same_revision()
    {
        await using var other = new OfflineGateway();

        Assert.Equal((await CompileAsync(Tree())).Revision, (await CompileAsync(Tree(), other)).Revision);
    }

    /// <summary>A key that the sample leaves out is a key that the property says nothing about.</summary>
    [Fact]
    public void The_sample_holds_every_key()
    {
        var (all, written) = (new HashSet<string>(), new HashSet<string>());
        Keys(typeof(RoutesFile), JsonSerializer.Deserialize<RoutesFile>(Tree().ToJsonString(), StrictJson.Options), all, written);

        Assert.Empty(all.Except(written).Except(["RoutesFile.Schema"]));
        Assert.True(all.Count > 80, $"{all.Count}");
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _gateway.DisposeAsync();

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("WEBHOOKEDGE_TEST_FINGERPRINT", null);
        _folder.Dispose();
    }

    private static void AssertChanged(Compiled before, Compiled after, IReadOnlyList<object> place, bool leaveOut)
    {
        var changed = Changed(before, after);
        var what = $"{string.Join('/', place)} {(leaveOut ? "left out" : "changed")}";
        Assert.True(before.Revision != after.Revision, what);
        string[] expected = place[0] switch
        {
            "routes" => [(string)place[1]],
            "clusters" => (string)place[1] == "app" ? ["one"] : ["three"],
            _ => ["one", "two", "three"],
        };
        Assert.True(expected.SequenceEqual(changed), $"{what} changed {string.Join(", ", changed)}");
    }

    /// <summary>Ids of the routes whose endpoints YARP would make anew, in the order of the file.</summary>
    private static string[] Changed(Compiled before, Compiled after) =>
        [.. before.Routes.Keys.Where(id => !before.Routes[id].Equals(after.Routes.GetValueOrDefault(id)))];

    /// <summary>Compiled whether or not it is valid: what is refused is never published, and every value goes the same way into the fingerprint.</summary>
    private async Task<Compiled> CompileAsync(JsonNode tree, OfflineGateway? gateway = null)
    {
        var file = RoutesFileReader.Read(Encoding.UTF8.GetBytes(tree.ToJsonString()), out var problems);
        Assert.True(file is not null, string.Join('\n', problems));
        var compiled = await (gateway ?? _gateway).Compiler.CompileAsync(file, [], CompileMode.WithSecrets, CancellationToken.None);
        return new(compiled.RevisionId, compiled.Routes.ToDictionary(
            static route => route.RouteId,
            route => route with { Metadata = new Dictionary<string, string> { [SnapshotProvider.FingerprintKey] = compiled.Policies[route.RouteId].Policy.Fingerprint } }));
    }

    private JsonNode Tree() => JsonNode.Parse(Sample.Replace("{dir}", _folder.Path, StringComparison.Ordinal))!;

    /// <summary>Every value in the tree, by the keys and indices that lead to it.</summary>
    private static IEnumerable<IReadOnlyList<object>> Places(JsonNode node, IReadOnlyList<object> at)
    {
        var inner = node switch
        {
            JsonObject o => o.SelectMany(p => Places(p.Value!, [.. at, p.Key])),
            JsonArray a => a.SelectMany((item, i) => Places(item!, [.. at, i])),
            _ => [],
        };
        return at.Count == 0 ? inner : inner.Prepend(at);
    }

    /// <summary>False where there is nothing to change: an object has its own keys, and a route or a named thing left out is another file.</summary>
    private static bool Change(JsonNode tree, IReadOnlyList<object> place, bool leaveOut)
    {
        var holder = place.Take(place.Count - 1).Aggregate(tree, static (node, step) => step is int i ? node[i]! : node[(string)step]!);
        var last = place[^1];
        var value = last is int index ? holder[index]! : holder[(string)last]!;
        if (leaveOut)
        {
            // A cluster or a list of destinations that is gone takes its routes along, and a file without edge is another one.
            if (place.Count < 3 || last is int || (place[0] is "clusters" && place.Count < 5))
            {
                return false;
            }

            ((JsonObject)holder).Remove((string)last);
            return true;
        }

        if (value is not JsonValue leaf)
        {
            return false;
        }

        JsonNode other = leaf.GetValueKind() switch
        {
            JsonValueKind.True => false,
            JsonValueKind.False => true,
            JsonValueKind.Number => leaf.GetValue<int>() + 1,
            _ => Other(place, leaf.GetValue<string>()),
        };
        if (last is int at)
        {
            holder[at] = other;
        }
        else
        {
            holder[(string)last] = other;
        }

        return true;
    }

    private static string Other(IReadOnlyList<object> place, string text) => (place[0], place[^1], text) switch
    {
        ("routes", "cluster", "app") => "other",
        ("routes", "cluster", _) => "app",
        ("routes", "provider", _) => "github",
        ("routes", "handshake", _) => "xero",
        (_, "name", _) => "xero",
        ("routes", "replay", _) => "on",
        (_, "mode", "observe") => "enforce",
        (_, "mode", _) => "observe",
        (_, "onStoreError", "closed") => "open",
        (_, "onStoreError", _) => "closed",
        (_, "algorithm", "sha512") => "sha1",
        (_, "algorithm", _) => "sha512",
        (_, "encoding", "base64") => "hex",
        (_, "encoding", _) => "base64",
        (_, "unit", "ms") => "s",
        (_, "unit", _) => "ms",
        (_, "derive", "sha1") => "sha256hex",
        (_, "derive", _) => "sha1",
        (_, "from", "forwardedFor") => "proxyProtocol",
        (_, "from", "proxyProtocol") => "forwardedFor",
        ("clusters", "Version", _) => "2",
        ("clusters", "VersionPolicy", _) => "RequestVersionOrLower",
        ("clusters", _, _) when TimeSpan.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var time) =>
            (time + TimeSpan.FromSeconds(1)).ToString(),

        // Durations, sizes and addresses begin with a digit.
        _ when char.IsAsciiDigit(text[0]) => "3" + text[1..] == text ? "4" + text[1..] : "3" + text[1..],
        _ => text + "x",
    };

    /// <summary>Properties of the spec types under <paramref name="type"/>, and those that <paramref name="value"/> has.</summary>
    private static void Keys(Type type, object? value, HashSet<string> all, HashSet<string> written)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type != typeof(string) && type.IsAssignableTo(typeof(IEnumerable)) || type.IsGenericType)
        {
            var element = type.GetGenericArguments()[^1];
            Keys(element, null, all, written);
            foreach (var item in value is IDictionary named ? named.Values : (IEnumerable?)value ?? Array.Empty<object>())
            {
                Keys(element, item, all, written);
            }
        }
        else if (type.Namespace == typeof(RoutesFile).Namespace && type.IsClass)
        {
            foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            {
                var name = $"{type.Name}.{property.Name}";
                var inner = value is null ? null : property.GetValue(value);
                if (all.Add(name) || value is not null)
                {
                    Keys(property.PropertyType, inner, all, written);
                }

                if (inner is not null)
                {
                    written.Add(name);
                }
            }
        }
    }

    private sealed record Compiled(string Revision, Dictionary<string, RouteConfig> Routes);
}
