using System.Security.Cryptography;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication;

/// <summary>How a secret's text becomes key bytes: take <see cref="Strip"/> off the front if it is there, decode, derive.</summary>
internal sealed record KeyRule(byte[] Strip, KeyEncoding Encoding, KeyDerivation Derive)
{
    /// <summary>The key bytes a scheme makes of this secret, or null with a problem.</summary>
    public byte[]? KeyOf(Secret secret, ICollection<ConfigProblem> problems, string path)
    {
        var text = secret.Value;
        if (Strip.Length > 0 && text.StartsWith(Strip))
        {
            text = text[Strip.Length..];
        }

        byte[]? key = null;
        switch (Encoding)
        {
            case KeyEncoding.Utf8:
                key = text.ToArray();
                break;
            case KeyEncoding.Hex:
                var half = new byte[text.Length / 2];
                key = text.Length % 2 == 0
                    && Convert.FromHexString(System.Text.Encoding.Latin1.GetString(text), half, out _, out _) == System.Buffers.OperationStatus.Done ? half
                    : null;
                break;
            case KeyEncoding.Base64:
                var whole = new byte[text.Length];
                key = StrictText.TryDecodeBase64(System.Text.Encoding.Latin1.GetString(text), whole, urlAlphabet: false, Padding.Optional, out var length)
                    ? whole[..length] : null;
                break;
        }

        if (key is null)
        {
            var word = Encoding == KeyEncoding.Hex ? "hex" : "base64";
            problems.Add(new(path, $"the secret {secret.Id} is not {word}, as the scheme's key.encoding says",
                "copy it again from the provider; a stray space or line break is the usual cause"));
            return null;
        }

        if (key.Length == 0)
        {
            problems.Add(new(path, $"the secret {secret.Id} leaves an empty key", "there is nothing after the part the scheme strips; copy the whole secret"));
            return null;
        }

        return Derive switch
        {
#pragma warning disable CA5350 // Braintree-style keys are SHA-1 digests; the provider decides.
            KeyDerivation.Sha1 => SHA1.HashData(key),
#pragma warning restore CA5350
            KeyDerivation.Sha256Hex => System.Text.Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(key))),
            _ => key,
        };
    }
}
