using System.Security.Cryptography;

namespace WebhookEdge.Primitives;

/// <summary>
/// One shared secret and the reference it came from. The reference (<c>env:NAME</c>, <c>file:/path</c>) may be shown anywhere; nothing prints the
/// value, and a record that holds one of these prints the reference.
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
}
