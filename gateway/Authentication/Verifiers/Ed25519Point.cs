using System.Numerics;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// A point of edwards25519 in extended coordinates (RFC 8032 §5.1.4), to judge public keys with. Slow, and its time depends on the values: never for
/// anything secret. Signatures are verified by libcrypto, not here.
/// </summary>
internal readonly record struct Ed25519Point(BigInteger X, BigInteger Y, BigInteger Z, BigInteger T)
{
    private static readonly BigInteger P = BigInteger.Pow(2, 255) - 19;
    private static readonly BigInteger D = Mod(-121665 * BigInteger.ModPow(121666, P - 2, P));
    private static readonly BigInteger RootOfMinusOne = BigInteger.ModPow(2, (P - 1) / 4, P);

    /// <summary>L of RFC 8032: the order of the base point, and of every key made as the RFC says.</summary>
    public static BigInteger Order { get; } = BigInteger.Pow(2, 252)
        + BigInteger.Parse("27742317777372353535851937790883648493", System.Globalization.CultureInfo.InvariantCulture);

    private static Ed25519Point Neutral { get; } = new(0, 1, 1, 0);

    public bool IsNeutral => X.IsZero && Y == Z;

    /// <summary>RFC 8032 §5.1.3; null, with the reason, for bytes that encode no point or not in the one way.</summary>
    /// <param name="encoded">32 bytes.</param>
    public static Ed25519Point? Decode(ReadOnlySpan<byte> encoded, out string? fault)
    {
        fault = null;
        Span<byte> bytes = stackalloc byte[32];
        encoded.CopyTo(bytes);
        var isOdd = bytes[31] >> 7;
        bytes[31] &= 0x7f;
        var y = new BigInteger(bytes, isUnsigned: true);
        if (y >= P)
        {
            fault = "not the canonical encoding of a point";
            return null;
        }

        var (u, v) = (Mod((y * y) - 1), Mod((D * y * y) + 1));
        var x = Mod(u * BigInteger.Pow(v, 3) * BigInteger.ModPow(u * BigInteger.Pow(v, 7), (P - 5) / 8, P));
        var square = Mod(v * x * x);
        if (square == Mod(-u))
        {
            x = Mod(x * RootOfMinusOne);
        }
        else if (square != u)
        {
            fault = "not a point of the curve";
            return null;
        }

        if (x.IsZero && isOdd == 1)
        {
            fault = "not the canonical encoding of a point";
            return null;
        }

        x = (x.IsEven ? 0 : 1) == isOdd ? x : P - x;
        return new(x, y, 1, Mod(x * y));
    }

    public Ed25519Point Times(BigInteger factor)
    {
        var sum = Neutral;
        for (var bit = (int)factor.GetBitLength() - 1; bit >= 0; bit--)
        {
            sum = sum.Plus(sum);
            if (!((factor >> bit) & 1).IsZero)
            {
                sum = sum.Plus(this);
            }
        }

        return sum;
    }

    /// <summary>The formulas are complete: they double too, and take the neutral point.</summary>
    private Ed25519Point Plus(in Ed25519Point other)
    {
        var a = Mod((Y - X) * (other.Y - other.X));
        var b = Mod((Y + X) * (other.Y + other.X));
        var c = Mod(2 * D * Mod(T * other.T));
        var d = Mod(2 * Z * other.Z);
        var (e, f, g, h) = (b - a, d - c, d + c, b + a);
        return new(Mod(e * f), Mod(g * h), Mod(f * g), Mod(e * h));
    }

    private static BigInteger Mod(BigInteger value)
    {
        var rest = value % P;
        return rest.Sign < 0 ? rest + P : rest;
    }
}
