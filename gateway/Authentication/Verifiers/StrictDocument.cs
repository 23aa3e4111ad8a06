using System.Buffers;
using System.Text.Json;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// JSON of strangers whose fields are signed one by one. A name that stands twice is refused: the verifier would read one value and the app the other.
/// </summary>
internal static class StrictDocument
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    /// <summary>Null when it is not one JSON document, or a name is repeated. Dispose what comes.</summary>
    public static JsonDocument? Parse(in ReadOnlySequence<byte> json)
    {
        try
        {
            return JsonDocument.Parse(json, Options);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The text of a string property; null when it is absent, of another type, or not valid Unicode.</summary>
    public static string? Text(this JsonElement element, string name)
    {
        try
        {
            return element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
                ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            // A string of invalid UTF-8, or an escaped half of a surrogate pair.
            return null;
        }
    }

    public static bool Has(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>A number's digits as they stand, or a string's text; null for anything else.</summary>
    public static string? Digits(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number
        ? value.GetRawText() : Text(element, name);
}
