using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using WebhookEdge.Primitives;

namespace WebhookEdge.Configuration;

/// <summary>
/// Holds what is written against the spec types, place by place: unknown and repeated keys, wrong kinds, unknown words, values out of range and such as cannot
/// be read.
/// </summary>
internal sealed class StructureCheck(JsonTree tree, List<ConfigProblem> problems)
{
    /// <summary>A file with more faults than this is not a file with faults, it is another file.</summary>
    private const int MaxProblems = 100;

    public int Found { get; private set; }

    /// <summary>Of those: unknown keys and words, and values out of range. What the file says otherwise can be looked at all the same.</summary>
    public int Passable { get; private set; }

    public HashSet<string> Holders { get; } = new(StringComparer.Ordinal);

    public void Value(string path, JsonTree.Node node, Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (node.Kind == JsonTokenType.Null)
        {
            Add(path, node.Start, "null is not a value here", "leave the key out instead");
        }
        else if (type == typeof(JsonElement))
        {
            Free(path, node);
        }
        else if (type.GetCustomAttribute<TwoFormsAttribute>() is { } forms)
        {
            if (Fits(node, forms.Short))
            {
                Value(path, node, forms.Short);
            }
            else if (forms.Long is not null && Fits(node, forms.Long))
            {
                Value(path, node, forms.Long);
            }
            else
            {
                Mismatch(path, node, forms.Long is null ? Name(forms.Short) : $"{Name(forms.Short)} or {Name(forms.Long)}");
            }
        }
        else
        {
            var info = StrictJson.Options.GetTypeInfo(type);
            switch (info.Kind)
            {
                case JsonTypeInfoKind.Object:
                    Object(path, node, info);
                    break;
                case JsonTypeInfoKind.Dictionary:
                    Dictionary(path, node, info.ElementType!);
                    break;
                case JsonTypeInfoKind.Enumerable:
                    List(path, node, type, info.ElementType!);
                    break;
                default:
                    Scalar(path, node, type);
                    break;
            }
        }
    }

    private void Object(string path, JsonTree.Node node, JsonTypeInfo info)
    {
        if (node.Kind != JsonTokenType.StartObject)
        {
            Mismatch(path, node, Name(info.Type));
            return;
        }

        Repeated(path, node, StringComparer.Ordinal);
        foreach (var member in node.Members)
        {
            var place = JsonPath.Key(path, member.Key);
            var property = info.Properties.FirstOrDefault(p => p.Name == member.Key);
            if (property is null)
            {
                Passable++;
                Holders.Add(path);
                Add(place, member.Start, "unknown key", NearestName.Hint(member.Key, [.. info.Properties.Select(p => p.Name)])
                    ?? "is it one level too deep, or in the wrong object?");
            }
            else
            {
                var found = Found;
                Value(place, member.Value, property.PropertyType);
                if (Found == found && property.AttributeProvider?.GetCustomAttributes(typeof(BetweenAttribute), inherit: false) is [BetweenAttribute between])
                {
                    Range(place, member.Value, property.PropertyType, between);
                }
            }
        }

        foreach (var property in info.Properties)
        {
            if (property.IsRequired && !node.Members.Exists(m => m.Key == property.Name))
            {
                Add(JsonPath.Key(path, property.Name), node.Start, "this key is required");
            }
        }
    }

    private void Dictionary(string path, JsonTree.Node node, Type element)
    {
        if (node.Kind != JsonTokenType.StartObject)
        {
            Mismatch(path, node, "an object");
            return;
        }

        Repeated(path, node, StringComparer.OrdinalIgnoreCase);
        foreach (var member in node.Members)
        {
            var place = JsonPath.Key(path, member.Key);
            if (member.Key.Length == 0)
            {
                Add(place, member.Start, "the name is empty");
            }

            Value(place, member.Value, element);
        }
    }

    private void List(string path, JsonTree.Node node, Type type, Type element)
    {
        if (node.Kind != JsonTokenType.StartArray)
        {
            Mismatch(path, node, Name(type), Fits(node, element) ? "put it in [ ]" : null);
            return;
        }

        for (var i = 0; i < node.Items.Count; i++)
        {
            Value(JsonPath.Item(path, i), node.Items[i], element);
        }
    }

    private void Scalar(string path, JsonTree.Node node, Type type)
    {
        if (!Fits(node, type))
        {
            Mismatch(path, node, Name(type),
                node.Kind == JsonTokenType.Number && (type == typeof(Duration) || type == typeof(ByteSize)) ? "a number needs a unit and double quotes" : null);
            return;
        }

        if (type.IsEnum)
        {
            var (word, known) = (JsonSerializer.Deserialize<string>(tree.Bytes(node))!, WrittenWord.All(type));
            if (!known.Contains(word))
            {
                Passable++;
                Add(path, node.Start, $"unknown word {Quoted.Name(word)}", NearestName.Hint(word, known));
            }

            return;
        }

        try
        {
            _ = JsonSerializer.Deserialize(tree.Bytes(node), type, StrictJson.Options);
        }
        catch (JsonException e) when (type == typeof(Duration) || type == typeof(ByteSize))
        {
            var parts = e.Message.Split("; ", 2);
            Add(path, node.Start, parts[0], parts.Length > 1 ? parts[1] : null);
        }
        catch (JsonException)
        {
            Add(path, node.Start, $"not {Name(type)}");
        }
    }

    private void Range(string path, JsonTree.Node node, Type type, BetweenAttribute between)
    {
        if (between.FaultOf(JsonSerializer.Deserialize(tree.Bytes(node), type, StrictJson.Options)) is { } fault)
        {
            Passable++;
            Add(path, node.Start, fault.Message, fault.Hint);
        }
    }

    /// <summary>Text that somebody else's types will read: only what is wrong whatever they are.</summary>
    private void Free(string path, JsonTree.Node node)
    {
        if (node.Kind == JsonTokenType.Null)
        {
            Add(path, node.Start, "null is not a value here", "leave the key out instead");
        }

        Repeated(path, node, StringComparer.OrdinalIgnoreCase);
        foreach (var member in node.Members)
        {
            Free(JsonPath.Key(path, member.Key), member.Value);
        }

        for (var i = 0; i < node.Items.Count; i++)
        {
            Free(JsonPath.Item(path, i), node.Items[i]);
        }
    }

    private void Repeated(string path, JsonTree.Node node, StringComparer comparer)
    {
        var seen = new Dictionary<string, JsonTree.Member>(comparer);
        foreach (var member in node.Members)
        {
            if (!seen.TryAdd(member.Key, member))
            {
                var first = seen[member.Key];
                var line = tree.Position(first.Start).Line;
                Add(
                    JsonPath.Key(path, member.Key),
                    member.Start,
                    first.Key == member.Key ? $"the key is written twice, first on line {line}" : $"differs only in case from the key on line {line}",
                    "keep one of them");
            }
        }
    }

    private void Mismatch(string path, JsonTree.Node node, string expected, string? hint = null)
    {
        var found = node.Kind switch
        {
            JsonTokenType.StartObject => "an object",
            JsonTokenType.StartArray => "a list",
            JsonTokenType.String => "a string",
            JsonTokenType.Number => "a number",
            _ => "true or false",
        };
        Add(path, node.Start, $"expected {expected}, found {found}", hint);
    }

    private void Add(string path, int offset, string message, string? hint = null)
    {
        Found++;
        if (Found <= MaxProblems)
        {
            problems.Add(new(path, message, hint) { At = tree.Position(offset) });
        }
        else if (Found == MaxProblems + 1)
        {
            problems.Add(new("", $"and more than {MaxProblems} faults in all; the rest is not shown"));
        }
    }

    private static bool Fits(JsonTree.Node node, Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return node.Kind switch
        {
            JsonTokenType.String =>
                type == typeof(string) || type.IsEnum || type == typeof(Duration) || type == typeof(ByteSize) || type.IsDefined(typeof(TwoFormsAttribute)),
            JsonTokenType.Number => type == typeof(int),
            JsonTokenType.True or JsonTokenType.False => type == typeof(bool),
            JsonTokenType.StartArray => StrictJson.Options.GetTypeInfo(type).Kind == JsonTypeInfoKind.Enumerable,
            JsonTokenType.StartObject => StrictJson.Options.GetTypeInfo(type).Kind is JsonTypeInfoKind.Object or JsonTypeInfoKind.Dictionary,
            _ => false,
        };
    }

    private static string Name(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type == typeof(string) || type.IsEnum ? "a string"
            : type == typeof(bool) ? "true or false"
            : type == typeof(int) ? "a whole number"
            : type == typeof(Duration) ? "a duration such as \"8s\""
            : type == typeof(ByteSize) ? "a size such as \"1MiB\""
            : StrictJson.Options.GetTypeInfo(type) is { Kind: JsonTypeInfoKind.Enumerable } list
            ? (list.ElementType == typeof(string) ? "a list of strings" : "a list of objects")
            : "an object";
    }
}
