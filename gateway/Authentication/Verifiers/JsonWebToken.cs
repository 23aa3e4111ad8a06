using System.Text;
using System.Text.Json;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// A signed JSON web token (RFC 7515, compact form), read strictly: three parts in unpadded base64url, the one algorithm the scheme names, no <c>crit</c>
/// and no key of its own. What it claims may be believed only after its signature was checked over <see cref="SignedText"/>.
/// </summary>
internal sealed class JsonWebToken : IDisposable
{
    private readonly JsonDocument _claims;

    private JsonWebToken(string? keyId, byte[] signedText, byte[] signature, JsonDocument claims)
    {
        KeyId = keyId;
        SignedText = signedText;
        Signature = signature;
        _claims = claims;
    }

    /// <summary><c>kid</c>; null when there is none.</summary>
    public string? KeyId { get; }

    public byte[] SignedText { get; }

    public byte[] Signature { get; }

    public JsonElement Claims => _claims.RootElement;

    public static JsonWebToken? Parse(ReadOnlySpan<char> text, string algorithm, int signatureLength)
    {
        var first = text.IndexOf('.');
        var second = first < 0 ? -1 : text[(first + 1)..].IndexOf('.');
        if (second < 0)
        {
            return null;
        }

        second += first + 1;
        var signature = new byte[signatureLength];
        if (Decode(text[..first]) is not { } head || Decode(text[(first + 1)..second]) is not { } payload
            || !StrictText.TryDecodeBase64(text[(second + 1)..], signature, urlAlphabet: true, Padding.Optional, out var length) || length != signatureLength
            || text.Contains('='))
        {
            return null;
        }

        using var header = StrictDocument.Parse(new(head));
        if (header is null || header.RootElement.ValueKind != JsonValueKind.Object || header.RootElement.Text("alg") != algorithm
            || header.RootElement.TryGetProperty("crit", out _)
            || (header.RootElement.TryGetProperty("kid", out _) && header.RootElement.Text("kid") is null))
        {
            return null;
        }

        var claims = StrictDocument.Parse(new(payload));
        if (claims is null || claims.RootElement.ValueKind != JsonValueKind.Object)
        {
            claims?.Dispose();
            return null;
        }

        return new(header.RootElement.Text("kid"), Encoding.ASCII.GetBytes(text[..second].ToString()), signature, claims);
    }

    /// <summary>A NumericDate (RFC 7519 §2) in whole seconds, as Unix milliseconds; null when it is absent or not such a number.</summary>
    public long? Time(string claim) =>
        Claims.TryGetProperty(claim, out var value) && value.ValueKind == JsonValueKind.Number
        && SignedTime.TryParse(value.GetRawText(), TimeUnit.Seconds, out var milliseconds) ? milliseconds : null;

    public void Dispose() => _claims.Dispose();

    private static byte[]? Decode(ReadOnlySpan<char> part)
    {
        var bytes = new byte[(part.Length * 3 / 4) + 1];
        return StrictText.TryDecodeBase64(part, bytes, urlAlphabet: true, Padding.Optional, out var length) ? bytes[..length] : null;
    }
}
