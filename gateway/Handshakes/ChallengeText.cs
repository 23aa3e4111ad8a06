using System.Buffers;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.Handshakes;

/// <summary>
/// What a challenge may be made of. It is sent back, and some handshakes sign it with the very secret that signs events: a text that could be an event
/// (<c>v0:1700000000:{"event":…</c>) must not pass, so there is no colon, brace, bracket, quote or space, and no room for much.
/// </summary>
internal static class ChallengeText
{
    public const int MaxLength = 128;

    private static readonly SearchValues<char> Token = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");

    /// <summary>Prose that is only sent back, never signed: Microsoft Graph's token is a sentence.</summary>
    private static readonly SearchValues<char> Prose = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=:,; ");

    /// <summary>All that a JSON number can be made of.</summary>
    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789+-.eE");

    public static bool IsToken(ReadOnlySpan<char> text) => text.Length is > 0 and <= MaxLength && !text.ContainsAnyExcept(Token);

    public static bool IsProse(ReadOnlySpan<char> text) => text.Length is > 0 and <= MaxLength * 4 && !text.ContainsAnyExcept(Prose);

    /// <summary>
    /// A token that an unsigned request may have us sign. Long enough to be no JSON word, and with a letter, so that it is no JSON number either: the
    /// signature of a whole document is never given away.
    /// </summary>
    public static bool IsSignable(ReadOnlySpan<char> text) => IsToken(text) && text.Length >= 16 && text.ContainsAnyExcept(NumberCharacters);

    /// <summary>Such a token as a whole body.</summary>
    public static bool IsSignable(ReadOnlySequence<byte> body)
    {
        if (body.Length > MaxLength)
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[MaxLength];
        Span<char> text = stackalloc char[MaxLength];
        body.CopyTo(bytes);
        return IsSignable(text[..System.Text.Encoding.Latin1.GetChars(bytes[..(int)body.Length], text)]);
    }

    /// <summary>A query parameter, decoded; null when it is absent, there twice, or broken.</summary>
    public static string? Parameter(Delivery delivery, string name)
    {
        var target = delivery.RawTarget.AsSpan();
        var mark = target.IndexOf('?');
        if (mark < 0)
        {
            return null;
        }

        string? found = null;
        foreach (var range in target[(mark + 1)..].Split('&'))
        {
            var part = target[(mark + 1)..][range];
            if (!part.StartsWith(name, StringComparison.Ordinal) || part.Length <= name.Length || part[name.Length] != '=')
            {
                continue;
            }

            if (found is not null || Decode(part[(name.Length + 1)..]) is not { } value)
            {
                return null;
            }

            found = value;
        }

        return found;
    }

    /// <summary>A string of the body; null when it is absent or no token.</summary>
    public static string? BodyToken(Delivery delivery, JsonPointer pointer)
    {
        Span<byte> bytes = stackalloc byte[MaxLength * 2];
        Span<char> text = stackalloc char[MaxLength * 2];
        if (pointer.Find(delivery.Body, bytes, out var length) != JsonScalar.String)
        {
            return null;
        }

        text = text[..System.Text.Encoding.Latin1.GetChars(bytes[..length], text)];
        return IsToken(text) ? text.ToString() : null;
    }

    private static string? Decode(ReadOnlySpan<char> text)
    {
        if (text.Length > MaxLength * 12)
        {
            return null;
        }

        Span<char> decoded = stackalloc char[text.Length];
        var written = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '%')
            {
                if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                {
                    return null;
                }

                c = (char)Convert.FromHexString(text.Slice(i + 1, 2))[0];
                i += 2;
            }
            else if (c == '+')
            {
                c = ' ';
            }

            decoded[written++] = c;
        }

        return decoded[..written].ToString();
    }
}
