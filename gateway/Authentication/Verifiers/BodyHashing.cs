using System.Buffers;
using System.Security.Cryptography;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>SHA-256 of a body, for schemes that sign the hash.</summary>
internal static class BodyHashing
{
    private static readonly SigningKey Pool = new("", [], HashAlgorithmName.SHA256, keyed: false);

    public static void Sha256(in ReadOnlySequence<byte> body, Span<byte> destination)
    {
        var hash = Pool.Borrow();
        SigningTemplate.AppendBody(new HashSink(hash), body);
        hash.GetHashAndReset(destination);
        Pool.Return(hash);
    }

    public static bool Matches(in ReadOnlySequence<byte> body, ReadOnlySpan<byte> expected)
    {
        Span<byte> made = stackalloc byte[SHA256.HashSizeInBytes];
        Sha256(body, made);
        return CryptographicOperations.FixedTimeEquals(made, expected);
    }
}
