using System.Reflection;
using System.Text.Json.Nodes;

namespace WebhookEdge.Configuration;

/// <summary>
/// What the JSON schema says beyond the shapes of the spec types: the rules of <c>Routes</c> that one value, or the presence of keys beside each other,
/// can break. Never stricter than the validator: an editor must not underline what the gateway takes.
/// </summary>
internal static class SchemaRules
{
    /// <summary>Keys without which an object means nothing.</summary>
    private static readonly Dictionary<Type, string[]> s_required = new()
    {
        [typeof(RouteSpec)] = ["path"],
        [typeof(VerifySpec)] = ["scheme"],
        [typeof(FreshnessSpec)] = ["at", "within"],
        [typeof(BudgetSpec)] = ["permits", "window"],
        [typeof(AllowOptions)] = ["from"],
        [typeof(JsonListSpec)] = ["url", "pointer"],
        [typeof(AwsSetSpec)] = ["regions"],
    };

    /// <summary>Keys of which exactly one is written, or, second, at least one.</summary>
    private static readonly Dictionary<Type, (string Rule, string[] Keys)> s_choices = new()
    {
        [typeof(RouteSpec)] = ("oneOf", ["cluster", "upstream"]),
        [typeof(AddressSetSpec)] = ("oneOf", ["cidrs", "aws", "json"]),
        [typeof(RateLimitSpec)] = ("anyOf", ["route", "address"]),
    };

    private static readonly Dictionary<(Type Owner, string Property), string> s_patterns = new()
    {
        [(typeof(RouteSpec), nameof(RouteSpec.Path))] = "^/",
        [(typeof(FreshnessSpec), nameof(FreshnessSpec.At))] = "^json:/",
        [(typeof(JsonListSpec), nameof(JsonListSpec.Pointer))] = "^(/|$)",
        [(typeof(HandshakeOptions), nameof(HandshakeOptions.VerifyToken))] = "^(env|file):.",
        [(typeof(TimestampSpec), nameof(TimestampSpec.From))] = "^(entry:.|header:.|json:/)",
        [(typeof(SchemeSpec), nameof(SchemeSpec.Id))] = "^(header:.|json:/)",
    };

    /// <summary>Lists that mean nothing when they are empty; what stands in them twice is a mistake.</summary>
    private static readonly HashSet<(Type Owner, string Property)> s_lists =
    [
        (typeof(RouteSpec), nameof(RouteSpec.Hosts)), (typeof(RouteSpec), nameof(RouteSpec.Methods)), (typeof(RouteSpec), nameof(RouteSpec.Secrets)),
        (typeof(VerifySpec), nameof(VerifySpec.Secrets)), (typeof(AllowOptions), nameof(AllowOptions.From)), (typeof(ReplayOptions), nameof(ReplayOptions.Key)),
        (typeof(AddressSetSpec), nameof(AddressSetSpec.Cidrs)), (typeof(AwsSetSpec), nameof(AwsSetSpec.Regions)),
        (typeof(AwsSetSpec), nameof(AwsSetSpec.Services)),
    ];

    /// <summary>Adds what is true of every value of <paramref name="type"/>.</summary>
    public static void OfType(Type type, JsonNode schema)
    {
        if (schema is not JsonObject written)
        {
            return;
        }

        if (s_required.TryGetValue(type, out var required))
        {
            written["required"] = new JsonArray([.. required.Select(static key => (JsonNode)key)]);
        }

        if (s_choices.TryGetValue(type, out var choice))
        {
            written[choice.Rule] = new JsonArray([.. choice.Keys.Select(static key => (JsonNode)new JsonObject { ["required"] = new JsonArray(key) })]);
        }
    }

    /// <summary>Adds what is true of the value of one key.</summary>
    public static void OfProperty(Type owner, MemberInfo member, JsonNode schema)
    {
        var property = member.Name;
        if (schema is not JsonObject written)
        {
            return;
        }

        if (member.GetCustomAttribute<BetweenAttribute>() is { Least: { } least, Most: { } most })
        {
            (written["minimum"], written["maximum"]) = (least, most);
        }

        if (s_patterns.TryGetValue((owner, property), out var pattern))
        {
            written["pattern"] = pattern;
        }

        if (s_lists.Contains((owner, property)))
        {
            (written["minItems"], written["uniqueItems"]) = (1, true);
        }

        switch ((owner.Name, property))
        {
            case (nameof(RoutesFile), nameof(RoutesFile.Routes)):
                written["minProperties"] = 1;
                written["propertyNames"] = new JsonObject { ["pattern"] = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" };
                break;
            case (nameof(RouteSpec), nameof(RouteSpec.Verify)):
                written["minItems"] = 1;
                break;
            case (nameof(RouteSpec), nameof(RouteSpec.Allow)) when written["anyOf"] is JsonArray { Count: > 0 } forms && forms[0] is JsonObject list:
                (list["minItems"], list["uniqueItems"]) = (1, true);
                break;
            case (nameof(RouteSpec), nameof(RouteSpec.Refuse)) when written["additionalProperties"] is JsonObject status:
                (status["minimum"], status["maximum"]) = (200, 599);
                break;
        }
    }
}
