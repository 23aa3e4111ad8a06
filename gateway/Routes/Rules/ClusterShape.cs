using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Routes.Rules;

/// <summary>
/// Holds a cluster against the type it will be read into. Keys are YARP's property names in any case, as in its own configuration;
/// YARP's reader ignores what it does not know, so a misspelt health check would silently not exist.
/// </summary>
internal static class ClusterShape
{
    public static void Check(string path, JsonElement element, Type type, List<ConfigProblem> problems)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (DictionaryValue(type) is { } valueType)
        {
            if (Expect(path, element, JsonValueKind.Object, "an object", problems))
            {
                foreach (var member in element.EnumerateObject())
                {
                    Check(JsonPath.Key(path, member.Name), member.Value, valueType, problems);
                }
            }
        }
        else if (IsScalar(type))
        {
            if (ScalarFault(element, type) is { } fault)
            {
                problems.Add(new(path, fault.Message, fault.Hint));
            }
        }
        else if (typeof(IEnumerable).IsAssignableFrom(type))
        {
            if (Expect(path, element, JsonValueKind.Array, "a list", problems))
            {
                var item = type.IsGenericType ? type.GetGenericArguments()[0] : typeof(string);
                var index = 0;
                foreach (var value in element.EnumerateArray())
                {
                    Check(JsonPath.Item(path, index++), value, item, problems);
                }
            }
        }
        else if (Expect(path, element, JsonValueKind.Object, "an object", problems))
        {
            var properties = type.GetProperties(BindingFlags.Public | BindingFlags.Instance);
            foreach (var member in element.EnumerateObject())
            {
                var place = JsonPath.Key(path, member.Name);
                if (Array.Find(properties, p => p.Name.Equals(member.Name, StringComparison.OrdinalIgnoreCase)) is { } property)
                {
                    Check(place, member.Value, property.PropertyType, problems);
                }
                else
                {
                    problems.Add(new(place, "unknown key", NearestName.Hint(member.Name, [.. properties.Select(p => p.Name)])));
                }
            }
        }
    }

    private static bool Expect(string path, JsonElement element, JsonValueKind kind, string name, List<ConfigProblem> problems)
    {
        if (element.ValueKind == kind)
        {
            return true;
        }

        problems.Add(new(path, $"expected {name}"));
        return false;
    }

    private static Type? DictionaryValue(Type type) =>
        new[] { type }.Concat(type.GetInterfaces())
            .FirstOrDefault(i => i.IsGenericType
                && (i.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>) || i.GetGenericTypeDefinition() == typeof(IDictionary<,>)))
            ?.GetGenericArguments()[1];

    private static bool IsScalar(Type type) =>
        type.IsPrimitive || type.IsEnum || type == typeof(string) || type == typeof(TimeSpan) || type == typeof(Version) || type == typeof(Uri)
        || type == typeof(decimal);

    private static (string Message, string? Hint)? ScalarFault(JsonElement element, Type type)
    {
        var text = element.ValueKind switch
        {
            JsonValueKind.String => element.GetString()!,
            JsonValueKind.Number => element.GetRawText(),
            _ => null,
        };
        if (type == typeof(bool))
        {
            return element.ValueKind is JsonValueKind.True or JsonValueKind.False ? null : ("expected true or false", null);
        }

        if (type.IsEnum)
        {
            // A flags value (SslProtocols) is written as a list of its names.
            var words = element.ValueKind == JsonValueKind.Array && type.IsDefined(typeof(FlagsAttribute))
                ? [.. element.EnumerateArray().Select(e => e.ToString())] : new[] { text ?? "" };
            var known = Enum.GetNames(type);
            var unknown = Array.Find(words, w => !known.Contains(w, StringComparer.OrdinalIgnoreCase));
            return unknown is null ? null : ($"not a value of {type.Name}", NearestName.Hint(unknown, known));
        }

        if (type == typeof(TimeSpan))
        {
            return element.ValueKind == JsonValueKind.String && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out _)
                && text!.Contains(':', StringComparison.Ordinal)
                ? null
                : ("not a time span as YARP writes it", "write hours:minutes:seconds, e.g. \"00:00:10\"");
        }

        if (type == typeof(Version))
        {
            return text is "1.0" or "1.1" or "2" or "2.0" or "3" or "3.0" ? null : ("not an HTTP version", "write \"1.1\", \"2\" or \"3\"");
        }

        if (type == typeof(string) || type == typeof(Uri))
        {
            return element.ValueKind == JsonValueKind.String ? null : ("expected a string", null);
        }

        return element.ValueKind == JsonValueKind.Number ? null : ("expected a number", null);
    }
}
