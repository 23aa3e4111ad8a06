using System.Text.Json;
using WebhookEdge.Configuration;

namespace WebhookEdge.UnitTests.Configuration;

internal static class Word
{
    /// <summary>The value that <paramref name="word"/> stands for in routes.json.</summary>
    public static T As<T>(string word)
        where T : struct, Enum => JsonSerializer.Deserialize<T>($"\"{word}\"", StrictJson.Options);
}
