using System.Buffers;

namespace WebhookEdge.Primitives;

/// <summary>What header names and values may hold, inbound and on the way back.</summary>
internal static class HeaderCharacters
{
    /// <summary>RFC 9110 §5.5: no control characters in a field value but HTAB. Neither a log nor a terminal behind us should meet them.</summary>
    public static SearchValues<char> ControlCharacters { get; } =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Where(static c => c != '\t').Append(0x7f).Select(static c => (char)c)]);

    private static readonly SearchValues<char> TokenCharacters = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>RFC 9110 §5.6.2: what a field name is.</summary>
    public static bool IsToken(ReadOnlySpan<char> name) => !name.IsEmpty && !name.ContainsAnyExcept(TokenCharacters);
}
