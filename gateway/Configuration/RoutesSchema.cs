using System.ComponentModel;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using WebhookEdge.Primitives;

namespace WebhookEdge.Configuration;

/// <summary>
/// The JSON schema of routes.json for editors, made from the spec types so that it cannot drift from what the reader takes. It knows structure, words and
/// units; everything that needs two keys to be seen together is the rules of <c>Routes</c>'s.
/// </summary>
internal static class RoutesSchema
{
    private const string DurationPattern = @"^(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$";
    private const string SizePattern = "^[0-9]+(B|KiB|MiB|GiB)$";
    private const string SecretPattern = "^(env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:.+)$";

    private static readonly JsonSerializerOptions Written = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NewLine = "\n" };

    /// <summary>The text of config/routes.schema.json.</summary>
    public static string Generate()
    {
        var root = (JsonObject)Of(typeof(RoutesFile));
        root.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        root.Insert(1, "title", "routes.json of WebhookEdge");
        root.Add("required", new JsonArray("routes"));
        return root.ToJsonString(Written) + "\n";
    }

    private static JsonNode Of(Type type) =>
        StrictJson.Options.GetJsonSchemaAsNode(type, new() { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Transform });

    private static JsonNode Transform(JsonSchemaExporterContext context, JsonNode exported)
    {
        var type = Nullable.GetUnderlyingType(context.TypeInfo.Type) ?? context.TypeInfo.Type;
        var schema = Shape(type, exported);
        NotNull(schema);
        SchemaRules.OfType(type, schema);
        if (context.PropertyInfo is not { AttributeProvider: MemberInfo member } property)
        {
            return schema;
        }

        if (member.Name == nameof(RouteSpec.Secrets))
        {
            schema = new JsonObject { ["type"] = "array", ["items"] = Pattern(SecretPattern), ["minItems"] = 1 };
        }
        else if (member.Name == nameof(EdgeSpec.Redis))
        {
            schema = Pattern(SecretPattern);
        }
        else if (member.Name == nameof(RoutesFile.Clusters))
        {
            schema = new JsonObject { ["type"] = "object", ["additionalProperties"] = new JsonObject { ["type"] = "object" } };
        }
        else if (property.DeclaringType == typeof(SchemeSpec) && member.Name == nameof(SchemeSpec.Kind))
        {
            // Open, since code verifiers have names of their own; editors still offer these.
            schema = new JsonObject { ["type"] = "string", ["examples"] = Array(KnownNames.SchemeKinds) };
        }
        else if (member.Name is nameof(RouteSpec.Methods) or nameof(RouteSpec.Encodings))
        {
            var known = member.Name == nameof(RouteSpec.Methods) ? KnownNames.Methods : KnownNames.ContentCodings;
            schema = new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["enum"] = Array(known) }, ["minItems"] = 1 };
        }

        SchemaRules.OfProperty(property.DeclaringType, member, schema);
        if (schema is JsonObject written && member.GetCustomAttribute<DescriptionAttribute>() is { } description)
        {
            written.Insert(0, "description", description.Description);
        }

        return schema;
    }

    private static JsonNode Shape(Type type, JsonNode exported)
    {
        if (type == typeof(Duration))
        {
            return Pattern(DurationPattern);
        }

        if (type == typeof(ByteSize))
        {
            return Pattern(SizePattern);
        }

        if (type.IsEnum)
        {
            return new JsonObject { ["type"] = "string", ["enum"] = Array(WrittenWord.All(type)) };
        }

        if (type == typeof(int))
        {
            return new JsonObject { ["type"] = "integer" };
        }

        if (type == typeof(ReplaySpec))
        {
            return new JsonObject { ["anyOf"] = new JsonArray(new JsonObject { ["const"] = "off" }, Of(typeof(ReplayOptions))) };
        }

        if (type.GetCustomAttribute<TwoFormsAttribute>() is { } forms)
        {
            return forms.Long is null ? Of(forms.Short) : new JsonObject { ["anyOf"] = new JsonArray(Of(forms.Short), Of(forms.Long)) };
        }

        return exported;
    }

    private static JsonArray Array(IEnumerable<string> words) => [.. words.Select(w => (JsonNode)w)];

    private static JsonObject Pattern(string pattern) => new() { ["type"] = "string", ["pattern"] = pattern };

    /// <summary>The spec types say null for "not written"; the file may not.</summary>
    private static void NotNull(JsonNode schema)
    {
        if (schema is JsonObject written && written["type"] is JsonArray types)
        {
            written["type"] = types.Single(t => t!.GetValue<string>() != "null")!.DeepClone();
        }
    }
}
