using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Configuration;

namespace WebhookEdge.Signatures;

/// <summary>
/// One shared secret and the reference it came from. The reference (<c>env:NAME</c>, <c>file:/path</c>) may be shown anywhere; the value never leaves
/// this folder, and nothing prints it.
/// </summary>
internal sealed class Secret
{
    private readonly byte[] _value;

    public Secret(string id, byte[] value)
    {
        Id = id;
        _value = value;
    }

    /// <summary>The text of the reference; what <c>X-Webhook-Key-Id</c> shows when this secret matched.</summary>
    public string Id { get; }

    public ReadOnlySpan<byte> Value => _value;

    /// <summary>For a policy's fingerprint: tells whether the value changed without telling the value.</summary>
    public byte[] Digest() => SHA256.HashData(_value);

    public override string ToString() => Id;

    /// <summary>
    /// Reports what is wrong with a secret before any scheme uses it. Errors: empty or blank, or a placeholder nobody filled in.
    /// Warnings name the usual mistakes. Returns false when the secret cannot be used.
    /// </summary>
    /// <param name="problems">Where they go.</param>
    /// <param name="path">The secret's place in the file.</param>
    /// <param name="isPem">The value is PEM text, which has lines and is longer than any shared secret.</param>
    public bool Inspect(ICollection<ConfigProblem> problems, string path, bool isPem = false)
    {
        if (_value.Length == 0 || _value.AsSpan().Trim(" \t\r\n"u8).IsEmpty)
        {
            problems.Add(new(path, $"the secret {Id} is empty", "an empty secret would let anyone sign; put the provider's secret there"));
            return false;
        }

        if (_value.AsSpan().StartsWith("${"u8) && _value[^1] == (byte)'}')
        {
            problems.Add(new(path, $"the secret {Id} is a placeholder that was never filled in", "something was to replace ${…} before the gateway started"));
            return false;
        }

        if (isPem)
        {
            return true;
        }

        if (_value[^1] is (byte)'\n' or (byte)'\r')
        {
            problems.Add(new(path, $"the secret {Id} ends in a line break", "probably written with echo; use printf, or is it really part of the secret?", IsWarning: true));
        }
        else if (_value.AsSpan().ContainsAnyInRange((byte)0, (byte)0x1F) || _value.AsSpan().Contains((byte)0x7F))
        {
            problems.Add(new(path, $"the secret {Id} holds control characters", "is it a binary file, or a copy with stray line breaks?", IsWarning: true));
        }
        else if (_value[0] == (byte)' ' || _value[^1] == (byte)' ')
        {
            problems.Add(new(path, $"the secret {Id} begins or ends with a space", "probably copied along; remove it unless the provider shows it too", IsWarning: true));
        }

        if (_value.Length >= 2 && _value[0] == _value[^1] && _value[0] is (byte)'"' or (byte)'\'')
        {
            problems.Add(new(path, $"the secret {Id} stands in quotes", "an env file does not take quotes away; remove them unless they belong to the secret", IsWarning: true));
        }

        return true;
    }

    /// <summary>Warns below 16 bytes: short enough to be guessed from one captured request, yet some providers hand out such secrets.</summary>
    public void WarnWhenShort(ICollection<ConfigProblem> problems, string path)
    {
        if (_value.Length < 16)
        {
            problems.Add(new(path, $"the secret {Id} is only {_value.Length} bytes long", "16 bytes or more cannot be guessed from a captured request; 32 are better", IsWarning: true));
        }
    }

    /// <summary>The key bytes a scheme makes of this secret, or null with a problem.</summary>
    public byte[]? ToKey(KeyRule rule, ICollection<ConfigProblem> problems, string path)
    {
        var text = _value.AsSpan();
        if (rule.Strip.Length > 0 && text.StartsWith(rule.Strip))
        {
            text = text[rule.Strip.Length..];
        }

        byte[]? key = null;
        switch (rule.Encoding)
        {
            case KeyEncoding.Utf8:
                key = text.ToArray();
                break;
            case KeyEncoding.Hex:
                var half = new byte[text.Length / 2];
                key = text.Length % 2 == 0 && Convert.FromHexString(Encoding.Latin1.GetString(text), half, out _, out _) == System.Buffers.OperationStatus.Done ? half : null;
                break;
            case KeyEncoding.Base64:
                var whole = new byte[text.Length];
                key = StrictText.TryDecodeBase64(Encoding.Latin1.GetString(text), whole, urlAlphabet: false, Padding.Optional, out var length) ? whole[..length] : null;
                break;
        }

        if (key is null)
        {
            var word = rule.Encoding == KeyEncoding.Hex ? "hex" : "base64";
            problems.Add(new(path, $"the secret {Id} is not {word}, as the scheme's key.encoding says", "copy it again from the provider; a stray space or line break is the usual cause"));
            return null;
        }

        if (key.Length == 0)
        {
            problems.Add(new(path, $"the secret {Id} leaves an empty key", "there is nothing after the part the scheme strips; copy the whole secret"));
            return null;
        }

        return rule.Derive switch
        {
#pragma warning disable CA5350 // Braintree-style keys are SHA-1 digests; the provider decides.
            KeyDerivation.Sha1 => SHA1.HashData(key),
#pragma warning restore CA5350
            KeyDerivation.Sha256Hex => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(key))),
            _ => key,
        };
    }
}

internal enum KeyEncoding
{
    Utf8,
    Base64,
    Hex,
}

internal enum KeyDerivation
{
    None,
    Sha1,
    Sha256Hex,
}

/// <summary>How a secret's text becomes key bytes: take <see cref="Strip"/> off the front if it is there, decode, derive.</summary>
internal sealed record KeyRule(byte[] Strip, KeyEncoding Encoding, KeyDerivation Derive);
