using System.Buffers.Binary;

namespace WebhookEdge.Primitives;

/// <summary>
/// What makes two deliveries the same event: a SHA-256 digest, held by value so that looking it up allocates nothing.
/// Its text is 64 lower-case hex digits, the form in logs, in <c>Idempotency-Key</c> and in Redis.
/// </summary>
internal readonly struct EventKey : IEquatable<EventKey>
{
    /// <summary>Bytes in a key.</summary>
    public const int Size = 32;

    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    /// <param name="digest">Exactly <see cref="Size"/> bytes.</param>
    public EventKey(ReadOnlySpan<byte> digest)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(digest.Length, Size, nameof(digest));
        _a = BinaryPrimitives.ReadUInt64BigEndian(digest);
        _b = BinaryPrimitives.ReadUInt64BigEndian(digest[8..]);
        _c = BinaryPrimitives.ReadUInt64BigEndian(digest[16..]);
        _d = BinaryPrimitives.ReadUInt64BigEndian(digest[24..]);
    }

    /// <summary>Reads 64 hex digits of either case; false for anything else.</summary>
    public static bool TryParse(ReadOnlySpan<char> hex, out EventKey key)
    {
        Span<byte> digest = stackalloc byte[Size];
        key = default;
        if (hex.Length != Size * 2 || Convert.FromHexString(hex, digest, out _, out var written) != System.Buffers.OperationStatus.Done || written != Size)
        {
            return false;
        }

        key = new(digest);
        return true;
    }

    /// <summary>Writes the digest; <paramref name="destination"/> has at least <see cref="Size"/> bytes.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _a);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _b);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], _c);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], _d);
    }

    public bool Equals(EventKey other) => _a == other._a && _b == other._b && _c == other._c && _d == other._d;

    public override bool Equals(object? obj) => obj is EventKey other && Equals(other);

    // HashCode mixes in a random seed of the process: a sender who can choose bodies cannot choose which keys share a bucket.
    public override int GetHashCode() => HashCode.Combine(_a, _b);

    /// <summary>Writes the 64 hex digits.</summary>
    public void Format(Span<char> destination)
    {
        Span<byte> digest = stackalloc byte[Size];
        CopyTo(digest);
        Convert.TryToHexStringLower(digest, destination, out _);
    }

    public override string ToString()
    {
        Span<byte> digest = stackalloc byte[Size];
        CopyTo(digest);
        return Convert.ToHexStringLower(digest);
    }
}
