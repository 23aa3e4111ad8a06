using System.Collections.Immutable;
using System.Security.Cryptography;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>A key that tells whether a signature holds and cannot make one. Used by many requests at once.</summary>
internal interface IPublicKey
{
    /// <summary>The reference of the secret, see <see cref="Secret.Id"/>; for a fetched key the reference that allowed it.</summary>
    string Id { get; }

    /// <summary><paramref name="message"/> is the digest for schemes that hash first (ECDSA, RSA), the signed bytes themselves for Ed25519.</summary>
    bool Verifies(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature);
}

/// <summary>Few objects that cannot be shared, kept for the next request. Beyond its size they are made anew and thrown away.</summary>
internal sealed class IdlePool<T>(Func<T> create)
    where T : class, IDisposable
{
    private readonly T?[] _idle = new T?[Math.Max(4, Environment.ProcessorCount)];

    public T Borrow()
    {
        for (var i = 0; i < _idle.Length; i++)
        {
            if (_idle[i] is not null && Interlocked.Exchange(ref _idle[i], null) is { } item)
            {
                return item;
            }
        }

        return create();
    }

    public void Return(T item)
    {
        for (var i = 0; i < _idle.Length; i++)
        {
            if (_idle[i] is null && Interlocked.CompareExchange(ref _idle[i], item, null) is null)
            {
                return;
            }
        }

        item.Dispose();
    }
}

/// <summary>Ed25519 under a key that is no weak one.</summary>
internal sealed class Ed25519Key : IPublicKey
{
    private readonly byte[] _key;

    private Ed25519Key(string id, byte[] key)
    {
        Id = id;
        _key = key;
    }

    public string Id { get; }

    /// <summary>Null when the bytes are no usable key; then <paramref name="fault"/> says more, if there is more to say than that.</summary>
    public static Ed25519Key? Read(string id, ReadOnlySpan<byte> key, out string? fault)
    {
        fault = null;
        if (Ed25519.ReadPublicKey(key) is not { } raw)
        {
            return null;
        }

        fault = WeakKeys.OfEd25519(raw);
        return fault is null ? new(id, raw) : null;
    }

    public bool Verifies(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => Ed25519.Verify(_key, message, signature);
}

/// <summary>ECDSA over P-256.</summary>
internal sealed class EcdsaKey : IPublicKey
{
    private readonly IdlePool<ECDsa> _keys;
    private readonly DSASignatureFormat _format;

    private EcdsaKey(string id, ECParameters parameters, DSASignatureFormat format)
    {
        Id = id;
        _format = format;
        _keys = new(() => ECDsa.Create(parameters));
    }

    public string Id { get; }

    /// <summary>Null when the bytes are not the SubjectPublicKeyInfo of a P-256 key.</summary>
    public static EcdsaKey? Read(string id, ReadOnlySpan<byte> key, DSASignatureFormat format)
    {
        try
        {
            using var read = ECDsa.Create();
            read.ImportSubjectPublicKeyInfo(key, out var used);
            return used == key.Length ? Create(id, read.ExportParameters(includePrivateParameters: false), format) : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>Null when the point is not on P-256.</summary>
    public static EcdsaKey? Create(string id, ECParameters parameters, DSASignatureFormat format)
    {
        try
        {
            // Checked here and not left to the platform, which may or may not.
            if (!parameters.Curve.IsNamed || parameters.Curve.Oid.Value != ECCurve.NamedCurves.nistP256.Oid.Value || WeakKeys.OfP256(parameters) is not null)
            {
                return null;
            }

            var key = new EcdsaKey(id, parameters, format);
            key._keys.Return(key._keys.Borrow());
            return key;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    public bool Verifies(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        var key = _keys.Borrow();
        try
        {
            return key.VerifyHash(message, signature, _format);
        }
        catch (CryptographicException)
        {
            // A signature that is not even DER; platforms differ in whether they throw.
            return false;
        }
        finally
        {
            _keys.Return(key);
        }
    }
}

/// <summary>RSA with PKCS #1 v1.5 padding under a key that is no weak one.</summary>
internal sealed class RsaKey : IPublicKey
{
    private readonly IdlePool<RSA> _keys;
    private readonly HashAlgorithmName _algorithm;

    private RsaKey(string id, RSAParameters parameters, HashAlgorithmName algorithm, int length)
    {
        Id = id;
        Length = length;
        HasSmallExponent = WeakKeys.HasSmallExponent(parameters);
        _algorithm = algorithm;
        _keys = new(() => RSA.Create(parameters));
    }

    public string Id { get; }

    /// <summary>Length of a signature in bytes.</summary>
    public int Length { get; }

    /// <summary>Sound, but smaller than today's standards ask for.</summary>
    public bool HasSmallExponent { get; }

    /// <summary>
    /// Null when the bytes are not the SubjectPublicKeyInfo of a usable RSA key; then <paramref name="fault"/> says more, if there is more to say than that.
    /// </summary>
    public static RsaKey? Read(string id, ReadOnlySpan<byte> key, HashAlgorithmName algorithm, out string? fault)
    {
        fault = null;
        try
        {
            using var read = RSA.Create();
            read.ImportSubjectPublicKeyInfo(key, out var used);
            return used == key.Length ? Create(id, read, algorithm, out fault) : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    public static RsaKey? Create(string id, RSA key, HashAlgorithmName algorithm, out string? fault)
    {
        var parameters = key.ExportParameters(includePrivateParameters: false);
        fault = WeakKeys.OfRsa(parameters);
        return fault is null ? new(id, parameters, algorithm, (key.KeySize + 7) / 8) : null;
    }

    public bool Verifies(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => Verifies(message, signature, _algorithm);

    public bool Verifies(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature, HashAlgorithmName algorithm)
    {
        if (signature.Length != Length)
        {
            return false;
        }

        var key = _keys.Borrow();
        try
        {
            return key.VerifyHash(message, signature, algorithm, RSASignaturePadding.Pkcs1);
        }
        catch (CryptographicException)
        {
            return false;
        }
        finally
        {
            _keys.Return(key);
        }
    }
}

/// <summary>Key bytes of PEM text (RFC 7468), of which exactly one block must be there.</summary>
internal static class PemText
{
    public static bool LooksLikePem(ReadOnlySpan<byte> text) => text.TrimStart(" \t\r\n"u8).StartsWith("-----BEGIN "u8);

    public static byte[]? Decode(ReadOnlySpan<byte> text, string label)
    {
        var characters = System.Text.Encoding.Latin1.GetString(text);
        if (!PemEncoding.TryFind(characters, out var fields) || characters.AsSpan()[fields.Label].SequenceEqual(label) is false)
        {
            return null;
        }

        var bytes = new byte[fields.DecodedDataLength];
        return Convert.TryFromBase64Chars(characters.AsSpan()[fields.Base64Data], bytes, out var length) ? bytes[..length] : null;
    }
}

/// <summary>The keys of a public-key scheme, all of one kind, and how what they sign is hashed first.</summary>
/// <param name="Hashing">A pool of plain hashes; null when the message itself is signed (Ed25519).</param>
internal sealed record PublicKeySet(ImmutableArray<IPublicKey> Keys, SigningKey? Hashing);
