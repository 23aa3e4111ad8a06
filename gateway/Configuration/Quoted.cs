using System.Text.Json;

namespace WebhookEdge.Configuration;

/// <summary>What somebody wrote, for a message.</summary>
internal static class Quoted
{
    private const int Longest = 40;

    /// <summary>Encoded, since it may hold control characters, and cut short.</summary>
    public static string Name(string name) => $"\"{JsonEncodedText.Encode(name.Length > Longest ? string.Concat(name.AsSpan(0, Longest), "…") : name)}\"";
}
