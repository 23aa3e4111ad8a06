using System.Collections.Frozen;
using System.Reflection;
using System.Text.Json;
using WebhookEdge.Primitives;

namespace WebhookEdge.Providers;

/// <summary>The catalogue of known senders: one embedded JSON file each, read strictly, since a misspelt field would weaken a scheme silently.</summary>
internal static class Presets
{
    private const string Folder = "WebhookEdge.Providers.";

    private static readonly JsonSerializerOptions Options = new(JsonSerializerOptions.Strict) { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    private static readonly Lazy<FrozenDictionary<string, PresetSpec>> Loaded = new(Load);

    /// <summary>By name. A broken file is a fault of the build and throws <see cref="InvalidOperationException"/> on first use.</summary>
    public static FrozenDictionary<string, PresetSpec> All => Loaded.Value;

    public static PresetSpec? Find(string name) => All.GetValueOrDefault(name);

    /// <summary>A known name near <paramref name="name"/>, for "did you mean"; null when none is near.</summary>
    public static string? Nearest(string name) => NearestName.Of(name, All.Keys.Order(StringComparer.Ordinal));

    /// <summary>Reads one file of the catalogue; unknown, duplicate or missing keys throw <see cref="JsonException"/>.</summary>
    public static PresetSpec Read(ReadOnlySpan<byte> json) =>
        JsonSerializer.Deserialize<PresetSpec>(json, Options) ?? throw new JsonException("a preset is an object");

    private static FrozenDictionary<string, PresetSpec> Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        var presets = new Dictionary<string, PresetSpec>(StringComparer.Ordinal);
        foreach (var resource in assembly.GetManifestResourceNames())
        {
            if (!resource.StartsWith(Folder, StringComparison.Ordinal))
            {
                continue;
            }

            using var stream = assembly.GetManifestResourceStream(resource)!;
            using var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            try
            {
                var preset = Read(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
                if (preset.Name + ".json" != resource[Folder.Length..])
                {
                    throw new JsonException($"its name is \"{preset.Name}\"");
                }

                presets.Add(preset.Name, preset);
            }
            catch (JsonException e)
            {
                throw new InvalidOperationException($"the embedded preset {resource[Folder.Length..]} is broken: {e.Message}", e);
            }
        }

        return presets.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
