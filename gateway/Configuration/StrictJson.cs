using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using WebhookEdge.Primitives;

namespace WebhookEdge.Configuration;

/// <summary>
/// Reads a file people write into its spec type and reports every structural fault at once: unknown and repeated keys, wrong types, values that
/// cannot be read. The serializer alone would stop at the first. Never throws, whatever the bytes.
/// </summary>
internal static class StrictJson
{
    public const int MaxBytes = 4 * 1024 * 1024;

    /// <summary>camelCase keys, exact case, comments and trailing commas; everything else is refused.</summary>
    public static JsonSerializerOptions Options { get; } = CreateOptions();

    /// <summary>The same, but a key that no type has is passed over: what else is wrong can then be told in the same round.</summary>
    private static readonly JsonSerializerOptions PassOver = CreateOptions(JsonUnmappedMemberHandling.Skip);

    /// <summary>Null when anything is wrong with the structure; <paramref name="tree"/> knows places unless the file is no JSON at all.</summary>
    public static T? Read<T>(ReadOnlySpan<byte> utf8, List<ConfigProblem> problems, out JsonTree? tree)
        where T : class
    {
        var before = problems.Count;
        var read = ReadPastUnknownKeys<T>(utf8, problems, out tree, out _);
        return problems.Count == before ? read : null;
    }

    /// <summary>
    /// As <see cref="Read"/>, but what was read is also given when unknown keys and words and values out of range are the only faults, for looking further;
    /// they are in <paramref name="problems"/> as errors, so it is not a file to act on.
    /// </summary>
    /// <param name="holders">Paths of the objects that have unknown keys. What such an object seems to lack may be there under the misspelt key.</param>
    public static T? ReadPastUnknownKeys<T>(ReadOnlySpan<byte> utf8, List<ConfigProblem> problems, out JsonTree? tree, out IReadOnlySet<string> holders)
        where T : class
    {
        tree = null;
        holders = new HashSet<string>();
        if (utf8.Length > MaxBytes)
        {
            problems.Add(new("", $"the file is larger than {new ByteSize(MaxBytes)}"));
            return null;
        }

        if (utf8 is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
        {
            problems.Add(new("", "the file is UTF-16", "save it as UTF-8"));
            return null;
        }

        var bytes = (utf8 is [0xEF, 0xBB, 0xBF, ..] ? utf8[3..] : utf8).ToArray();
        tree = JsonTree.Parse(bytes, out var fault);
        if (tree is null)
        {
            problems.Add(fault!);
            return null;
        }

        var walk = new StructureCheck(tree, problems);
        walk.Value("", tree.Root, typeof(T));
        holders = walk.Holders;
        if (walk.Found > walk.Passable)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<T>(bytes, walk.Passable > 0 ? PassOver : Options);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NotSupportedException)
        {
            // The walk is meant to see everything first. The message is left out: it may quote a value.
            problems.Add(new("", "the file cannot be read"));
            return null;
        }
    }

    private static JsonSerializerOptions CreateOptions(JsonUnmappedMemberHandling unknown = JsonUnmappedMemberHandling.Disallow)
    {
        var options = new JsonSerializerOptions(JsonSerializerOptions.Strict)
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            ReadCommentHandling = JsonCommentHandling.Skip,
            AllowTrailingCommas = true,
            MaxDepth = JsonTree.MaxDepth,
            UnmappedMemberHandling = unknown,
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        };
        options.MakeReadOnly();
        return options;
    }
}
