using System.Text.Json.Serialization;
using System.Buffers;

namespace WebhookEdge.Primitives;

[JsonConverter(typeof(WrittenWord.Converter))]
internal enum MacEncoding
{
    [JsonStringEnumMemberName("hex")]
    Hex,

    [JsonStringEnumMemberName("base64")]
    Base64,

    [JsonStringEnumMemberName("base64url")]
    Base64Url,
}

internal enum Padding
{
    Required,
    Optional,
}

/// <summary>
/// Decoders that know one spelling of every value. The framework's skip white space, take non-canonical base64 (<c>YR==</c> for <c>YQ==</c>) or stop
/// at the first odd character; here every such text is refused.
/// </summary>
internal static class StrictText
{
    /// <summary>
    /// Characters an id, a URL or a header may hold when it is signed next to a body. Without <c>{ } [ ] "</c>, so that the edge of a JSON body
    /// cannot be moved into the neighbouring header under the same signature.
    /// </summary>
    private static readonly SearchValues<char> Plain = SearchValues.Create(
        "!#$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz|~");

    private static readonly SearchValues<char> PlainAndSpace = SearchValues.Create(
        "\t !#$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz|~");

    /// <summary>Decodes exactly <c>mac.Length</c> bytes. Hex is lower case or upper case, not both in one; base64url with or without its padding.</summary>
    public static bool TryDecodeMac(ReadOnlySpan<char> text, MacEncoding encoding, Span<byte> mac)
    {
        if (encoding == MacEncoding.Hex)
        {
            // Mixed, one digest would have thousands of spellings, and a changed letter would not be noticed.
            return text.Length == mac.Length * 2
                && IsOneCase(text)
                && Convert.FromHexString(text, mac, out _, out var decoded) == OperationStatus.Done && decoded == mac.Length;
        }

        var url = encoding == MacEncoding.Base64Url;
        return TryDecodeBase64(text, mac, url, url ? Padding.Optional : Padding.Required, out var written) && written == mac.Length;
    }

    private static bool IsOneCase(ReadOnlySpan<char> text)
    {
        var lower = false;
        var upper = false;
        foreach (var c in text)
        {
            lower |= c >= 'a';
            upper |= c is >= 'A' and <= 'F';
        }

        return !(lower && upper);
    }

    /// <summary>Canonical base64 (RFC 4648 §3.5): no white space, no other alphabet, right padding, unused bits zero.</summary>
    public static bool TryDecodeBase64(ReadOnlySpan<char> text, Span<byte> destination, bool urlAlphabet, Padding padding, out int written)
    {
        written = 0;
        var digits = text;
        if (text.EndsWith("=="))
        {
            digits = text[..^2];
        }
        else if (text.EndsWith("="))
        {
            digits = text[..^1];
        }

        var padded = digits.Length != text.Length;
        var rest = digits.Length % 4;
        var missing = rest == 0 ? 0 : 4 - rest;
        if (rest == 1 || (padded ? text.Length - digits.Length != missing : padding == Padding.Required && missing != 0)
            || digits.Length * 3 / 4 > destination.Length)
        {
            return false;
        }

        var bits = 0;
        var count = 0;
        foreach (var c in digits)
        {
            var value = c switch
            {
                >= 'A' and <= 'Z' => c - 'A',
                >= 'a' and <= 'z' => c - 'a' + 26,
                >= '0' and <= '9' => c - '0' + 52,
                '+' when !urlAlphabet => 62,
                '/' when !urlAlphabet => 63,
                '-' when urlAlphabet => 62,
                '_' when urlAlphabet => 63,
                _ => -1,
            };
            if (value < 0)
            {
                return false;
            }

            bits = (bits << 6) | value;
            count += 6;
            if (count >= 8)
            {
                count -= 8;
                destination[written++] = (byte)(bits >> count);
                bits &= (1 << count) - 1;
            }
        }

        return bits == 0;
    }

    public static bool IsPlain(ReadOnlySpan<char> text) => text.IndexOfAnyExcept(Plain) < 0;

    public static bool IsPlainOrSpace(ReadOnlySpan<char> text) => text.IndexOfAnyExcept(PlainAndSpace) < 0;

    /// <summary>A field name as RFC 9110 §5.1 spells it.</summary>
    public static bool IsHeaderName(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal))
            {
                return false;
            }
        }

        return text.Length > 0;
    }
}
