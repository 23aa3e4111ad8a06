using System.Text;
using Microsoft.Net.Http.Headers;

namespace WebhookEdge.Ingress;

/// <summary>
/// RFC 9110 §8.6: a Content-Length is digits. The server's parser takes a sign as well (<c>+164</c>, <c>-0</c>), and keeps the number alone, so nobody behind
/// it can see what was written; another server would read another length out of the same head, or none. What the server offers is to say how a header's bytes
/// become characters: here digits do, and everything else becomes what no number has, so that the server refuses the request by itself.
/// </summary>
internal sealed class DigitsAlone : Encoding
{
    private static readonly DigitsAlone Instance = new();

    private DigitsAlone()
    {
    }

    /// <summary>The encoding of the request header <paramref name="name"/>; null = the server's own.</summary>
    public static Encoding? For(string name) =>
        name.Length == 14 && name.Equals(HeaderNames.ContentLength, StringComparison.OrdinalIgnoreCase) ? Instance : null;

    public override int GetByteCount(char[] chars, int index, int count) => count;

    public override int GetBytes(char[] chars, int charIndex, int charCount, byte[] bytes, int byteIndex) =>
        throw new NotSupportedException("this encoding only reads");

    public override int GetCharCount(byte[] bytes, int index, int count) => count;

    public override int GetCharCount(ReadOnlySpan<byte> bytes) => bytes.Length;

    public override int GetChars(byte[] bytes, int byteIndex, int byteCount, char[] chars, int charIndex) =>
        GetChars(bytes.AsSpan(byteIndex, byteCount), chars.AsSpan(charIndex));

    /// <summary>
    /// Fills <paramref name="chars"/> as far as it goes: the server offers one character more than the longest number has, and refuses what fills it.
    /// </summary>
    public override int GetChars(ReadOnlySpan<byte> bytes, Span<char> chars)
    {
        var length = Math.Min(bytes.Length, chars.Length);
        for (var i = 0; i < length; i++)
        {
            chars[i] = char.IsAsciiDigit((char)bytes[i]) ? (char)bytes[i] : '?';
        }

        return length;
    }

    public override int GetMaxByteCount(int charCount) => charCount;

    public override int GetMaxCharCount(int byteCount) => byteCount;
}
