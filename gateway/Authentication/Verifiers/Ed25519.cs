using System.Runtime.InteropServices;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>Ed25519 (RFC 8032) by OpenSSL. Verifying refuses what is not canonical (S ≥ L), as RFC 8032 §5.1.7 asks.</summary>
internal static class Ed25519
{
    public const int KeyLength = 32;
    public const int SignatureLength = 64;

    /// <summary>SubjectPublicKeyInfo of RFC 8410 up to the 32 bytes of the key.</summary>
    private static ReadOnlySpan<byte> PublicKeyHead => [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

    /// <summary>PKCS #8 of RFC 8410 up to the 32 bytes of the seed.</summary>
    private static ReadOnlySpan<byte> PrivateKeyHead => [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

    public static bool IsAvailable => LibCrypto.IsAvailable;

    /// <summary>The 32 bytes of a public key that came raw or as SubjectPublicKeyInfo; null when it is neither.</summary>
    public static byte[]? ReadPublicKey(ReadOnlySpan<byte> key) => Unwrap(key, PublicKeyHead);

    /// <summary>The 32 bytes of a private key that came raw or as PKCS #8; null when it is neither.</summary>
    public static byte[]? ReadPrivateKey(ReadOnlySpan<byte> key) => Unwrap(key, PrivateKeyHead);

    /// <summary>False for a signature that does not hold, and for a key or a signature of another length.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (publicKey.Length != KeyLength || signature.Length != SignatureLength || !IsAvailable)
        {
            return false;
        }

        var key = LibCrypto.NewPublicKey(LibCrypto.Ed25519Type, 0, MemoryMarshal.GetReference(publicKey), KeyLength);
        var context = LibCrypto.NewContext();
        try
        {
            var good = key != 0
                && context != 0
                && LibCrypto.VerifyInit(context, 0, 0, 0, key) == 1
                && LibCrypto.Verify(context, MemoryMarshal.GetReference(signature), SignatureLength, Start(message), (nuint)message.Length) == 1;
            if (!good)
            {
                // OpenSSL keeps the reason on this thread's queue, where the framework's next TLS call would find it.
                LibCrypto.ClearErrors();
            }

            return good;
        }
        finally
        {
            LibCrypto.FreeContext(context);
            LibCrypto.FreeKey(key);
        }
    }

    /// <summary>For <c>send</c> and tests. Throws <see cref="InvalidOperationException"/> where libcrypto is missing.</summary>
    public static byte[] Sign(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> message)
    {
        var key = PrivateHandle(privateKey);
        var context = LibCrypto.NewContext();
        try
        {
            var signature = new byte[SignatureLength];
            nuint length = SignatureLength;
            return LibCrypto.SignInit(context, 0, 0, 0, key) == 1
                && LibCrypto.Sign(context, ref signature[0], ref length, Start(message), (nuint)message.Length) == 1
                ? signature
                : throw new InvalidOperationException("libcrypto could not sign");
        }
        finally
        {
            LibCrypto.FreeContext(context);
            LibCrypto.FreeKey(key);
        }
    }

    public static byte[] PublicKeyOf(ReadOnlySpan<byte> privateKey)
    {
        var key = PrivateHandle(privateKey);
        try
        {
            var bytes = new byte[KeyLength];
            nuint length = KeyLength;
            return LibCrypto.GetPublicKey(key, ref bytes[0], ref length) == 1 ? bytes
                : throw new InvalidOperationException("libcrypto could not derive the public key");
        }
        finally
        {
            LibCrypto.FreeKey(key);
        }
    }

    private static nint PrivateHandle(ReadOnlySpan<byte> privateKey)
    {
        if (!IsAvailable)
        {
            throw new InvalidOperationException("Ed25519 needs OpenSSL's libcrypto, which was not found");
        }

        var key = privateKey.Length == KeyLength ? LibCrypto.NewPrivateKey(LibCrypto.Ed25519Type, 0, MemoryMarshal.GetReference(privateKey), KeyLength) : 0;
        return key != 0 ? key : throw new InvalidOperationException("not an Ed25519 private key");
    }

    private static byte[]? Unwrap(ReadOnlySpan<byte> key, ReadOnlySpan<byte> head) =>
        key.Length == KeyLength ? key.ToArray()
        : key.Length == head.Length + KeyLength && key.StartsWith(head) ? key[head.Length..].ToArray()
        : null;

    /// <summary>A reference that is valid to pass for an empty message too.</summary>
    private static ref readonly byte Start(ReadOnlySpan<byte> message) =>
        ref message.IsEmpty ? ref MemoryMarshal.GetReference("\0"u8) : ref MemoryMarshal.GetReference(message);
}
