using System.Numerics;
using System.Security.Cryptography;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// Public keys that prove nothing although they are well formed: anybody can make signatures that hold under them, or no signature holds. Looked for once,
/// when a key is read, wherever it comes from; what is looked at is public, so nothing here needs fixed time. Each method returns what is wrong with the key
/// in words that go after "the secret X is", or null.
/// </summary>
internal static class WeakKeys
{
    /// <summary>FIPS 186-5 §5.1: shorter moduli can be factored, or soon.</summary>
    public const int LeastRsaBits = 2048;

    /// <summary>FIPS 186-5 §A.1.1: 2^16 &lt; e &lt; 2^256.</summary>
    private const int MostExponentBits = 256;

    /// <summary>
    /// Steps of Fermat's method. Primes drawn as they should be differ in their first half; broken generators gave neighbours (CVE-2022-26320).
    /// </summary>
    private const int FermatSteps = 16;

    private static readonly BigInteger SmallPrimes = Enumerable.Range(3, 2000)
        .Where(static n => Enumerable.Range(2, n - 2).TakeWhile(d => d * d <= n).All(d => n % d != 0))
        .Aggregate(BigInteger.One, static (product, prime) => product * prime);

    /// <summary>NIST P-256, SP 800-186 §3.2.1.3.</summary>
    private static readonly BigInteger P256 = BigInteger.Pow(2, 256) - BigInteger.Pow(2, 224) + BigInteger.Pow(2, 192) + BigInteger.Pow(2, 96) - 1;

    private static readonly BigInteger P256B = new(Convert.FromHexString("5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B"), isUnsigned: true,
        isBigEndian: true);

    /// <summary>
    /// RFC 8032 §5.1.3 decodes a key to a point, one way only; a sound key's point has the order of the base point. Under a point of small order
    /// (8 of them, in 14 spellings) a signature holds for any message.
    /// </summary>
    public static string? OfEd25519(ReadOnlySpan<byte> key) => key.Length != Ed25519.KeyLength ? "no Ed25519 public key"
        : Ed25519Point.Decode(key, out var fault) is not { } point ? $"no Ed25519 public key: {fault}"
        : point.Times(8).IsNeutral ? "an Ed25519 public key of small order, under which anybody can sign anything"
        : !point.Times(Ed25519Point.Order).IsNeutral ? "no Ed25519 public key that an honest sender has: its point lies outside the group of the base point"
        : null;

    /// <summary>The point must be one of P-256, in coordinates below p; the curve's order is prime, so no other point is weak.</summary>
    public static string? OfP256(in ECParameters key)
    {
        if (key.Q.X is not { Length: 32 } first || key.Q.Y is not { Length: 32 } second)
        {
            return "no P-256 public key";
        }

        var (x, y) = (new BigInteger(first, isUnsigned: true, isBigEndian: true), new BigInteger(second, isUnsigned: true, isBigEndian: true));
        return x < P256 && y < P256 && ((y * y) - (x * x * x) + (3 * x) - P256B) % P256 == 0 ? null : "no P-256 public key: its point is not on the curve";
    }

    public static string? OfRsa(in RSAParameters key)
    {
        var modulus = new BigInteger(key.Modulus, isUnsigned: true, isBigEndian: true);
        var exponent = new BigInteger(key.Exponent, isUnsigned: true, isBigEndian: true);
        return modulus.GetBitLength() < LeastRsaBits ? $"an RSA public key of {modulus.GetBitLength()} bits, fewer than {LeastRsaBits}"
            : exponent <= 1 || exponent.IsEven
            ? $"an RSA public key with the exponent "
            + $"{(exponent <= 1 ? exponent.ToString(System.Globalization.CultureInfo.InvariantCulture) : "of an even number")}, under which a signature "
            + "proves nothing"
            : exponent.GetBitLength() > MostExponentBits ? $"an RSA public key with an exponent of more than {MostExponentBits} bits"
            : modulus.IsEven || !BigInteger.GreatestCommonDivisor(modulus, SmallPrimes).IsOne || HasCloseFactors(modulus)
            ? "an RSA public key whose modulus anybody can factor"
            : null;
    }

    /// <summary>Sound with the strict padding check that verifying does, and known for what it did to lax ones.</summary>
    public static bool HasSmallExponent(in RSAParameters key) => new BigInteger(key.Exponent, isUnsigned: true, isBigEndian: true) < 65537;

    /// <summary>Fermat's method: with neighbouring primes, (p+q)/2 is just above the root.</summary>
    private static bool HasCloseFactors(BigInteger modulus)
    {
        var middle = Root(modulus);
        middle += middle * middle < modulus ? 1 : 0;
        for (var step = 0; step < FermatSteps; step++, middle++)
        {
            var square = (middle * middle) - modulus;
            var root = Root(square);
            if (root * root == square)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The largest whole number whose square is not above <paramref name="value"/>; Newton's method from above.</summary>
    private static BigInteger Root(BigInteger value)
    {
        if (value <= 1)
        {
            return value;
        }

        var root = BigInteger.One << (int)((value.GetBitLength() + 1) / 2);
        while (true)
        {
            var next = (root + (value / root)) >> 1;
            if (next >= root)
            {
                return root;
            }

            root = next;
        }
    }
}
