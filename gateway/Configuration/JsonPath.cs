using System.Text.Json;

namespace WebhookEdge.Configuration;

/// <summary>The names of places in a JSON file, as problems print them: <c>routes.verisync.secrets[0]</c>, <c>clusters["a b"].Destinations</c>.</summary>
internal static class JsonPath
{
    private const int LongestKey = 64;

    public static string Key(string parent, string key)
    {
        if (!IsPlain(key))
        {
            // Encoded, since the text of a key may hold control characters meant for somebody's terminal.
            var shown = key.Length > LongestKey ? string.Concat(key.AsSpan(0, LongestKey), "…") : key;
            return $"{parent}[\"{JsonEncodedText.Encode(shown)}\"]";
        }

        return parent.Length == 0 ? key : $"{parent}.{key}";
    }

    public static string Item(string parent, int index) => $"{parent}[{index}]";

    private static bool IsPlain(string key)
    {
        if (key.Length is 0 or > LongestKey)
        {
            return false;
        }

        foreach (var c in key)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '-' or '$'))
            {
                return false;
            }
        }

        return true;
    }
}
