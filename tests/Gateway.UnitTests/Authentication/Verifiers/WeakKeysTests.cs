using System.Formats.Asn1;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Authentication;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.UnitTests.Configuration;

namespace WebhookEdge.UnitTests.Authentication.Verifiers;

/// <summary>
/// Public keys that are well formed and prove nothing are refused when they are read, from the configuration, a JSON Web Key or a certificate.
/// </summary>
public sealed class WeakKeysTests
{
    private static readonly BigInteger Field = BigInteger.Pow(2, 255) - 19;
    private static readonly BigInteger P256 = BigInteger.Pow(2, 256) - BigInteger.Pow(2, 224) + BigInteger.Pow(2, 192) + BigInteger.Pow(2, 96) - 1;

    /// <summary>
    /// The eight points of small order, in all fourteen ways to write them: the first eight are canonical. The list of libsodium and of "Taming the many
    /// EdDSAs" (Chalkias et al., 2020).
    /// </summary>
    public static TheoryData<string> SmallOrder => new(
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");

    /// <summary>The public keys of RFC 8032 §7.1.</summary>
    public static TheoryData<string> Rfc8032 => new(
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf");

    [Theory]
    [MemberData(nameof(SmallOrder))]
    public void An_ed25519_key_of_small_order_is_refused_in_every_spelling(string hex)
    {
        var key = Convert.FromHexString(hex);

        Assert.NotNull(WeakKeys.OfEd25519(key));
        Assert.Null(Ed25519Key.Read("env:K", key, out var fault));
        Assert.NotNull(fault);

        // As configured, bare and as SubjectPublicKeyInfo.
        Assert.Contains("env:K is", Assert.Single(Problems("ed25519", hex, "hex")).Message, StringComparison.Ordinal);
        Assert.Single(Problems("ed25519", "302a300506032b6570032100" + hex, "hex"));
    }

    [Fact]
    public void Under_the_neutral_point_the_library_lets_anybody_sign_anything()
    {
        var neutral = Convert.FromHexString("0100000000000000000000000000000000000000000000000000000000000000");
        byte[] forged = [.. neutral, .. new byte[32]];

        Assert.True(Ed25519.Verify(neutral, "any message"u8, forged));
        Assert.True(Ed25519.Verify(neutral, "another"u8, forged));
    }

    [Fact]
    public void A_coordinate_of_p_or_more_is_refused_with_either_sign()
    {
        for (var y = Field; y < BigInteger.Pow(2, 255); y++)
        {
            var key = y.ToByteArray(isUnsigned: true);
            Assert.Contains("canonical", WeakKeys.OfEd25519(key), StringComparison.Ordinal);
            key[31] |= 0x80;
            Assert.Contains("canonical", WeakKeys.OfEd25519(key), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_key_beside_the_group_or_beside_the_curve_is_refused()
    {
        Assert.Contains("outside the group", WeakKeys.OfEd25519(Convert.FromHexString("cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d")),
            StringComparison.Ordinal);

        var beside = Enumerable.Range(2, 60).Count(static y => WeakKeys.OfEd25519(new BigInteger(y).ToByteArray().Concat(new byte[32]).Take(32).ToArray())?.Contains("not a point", StringComparison.Ordinal) == true);
        Assert.InRange(beside, 20, 40);
    }

    [Theory]
    [MemberData(nameof(Rfc8032))]
    public void The_keys_of_rfc_8032_are_accepted(string hex)
    {
        Assert.Null(WeakKeys.OfEd25519(Convert.FromHexString(hex)));
        Assert.Empty(Problems("ed25519", hex, "hex"));
    }

    [Fact]
    public void Keys_made_as_they_should_be_are_accepted()
    {
        for (var i = 0; i < 16; i++)
        {
            Assert.Null(WeakKeys.OfEd25519(Ed25519.PublicKeyOf(SHA256.HashData([(byte)i]))));
            using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            Assert.Null(WeakKeys.OfP256(ec.ExportParameters(includePrivateParameters: false)));
        }

        using var rsa = RSA.Create(2048);
        Assert.Null(WeakKeys.OfRsa(rsa.ExportParameters(includePrivateParameters: false)));
        Assert.NotNull(RsaKey.Read("env:K", rsa.ExportSubjectPublicKeyInfo(), HashAlgorithmName.SHA256, out _));
    }

    [Fact]
    public void A_point_that_is_not_on_p256_is_refused()
    {
        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var good = ec.ExportParameters(includePrivateParameters: false);
        Assert.NotNull(EcdsaKey.Create("", good, DSASignatureFormat.Rfc3279DerSequence));

        foreach (var (x, y) in new[] { (good.Q.Y!, good.Q.X!), (good.Q.X!, Flipped(good.Q.Y!)), (new byte[32], new byte[32]), (new byte[32], good.Q.Y!),
            (good.Q.X![..31], good.Q.Y!) })
        {
            var bad = good with { Q = new() { X = x, Y = y } };

            Assert.NotNull(WeakKeys.OfP256(bad));
            Assert.Null(EcdsaKey.Create("", bad, DSASignatureFormat.Rfc3279DerSequence));
        }

        // A point of the curve, with p added to its x: 32 bytes hold that for small x.
        var twice = SmallPoint();
        Assert.Null(WeakKeys.OfP256(twice));
        var same = twice with { Q = new() { X = (new BigInteger(twice.Q.X!, isUnsigned: true, isBigEndian: true) + P256)
            .ToByteArray(isUnsigned: true, isBigEndian: true), Y = twice.Q.Y } };
        Assert.NotNull(WeakKeys.OfP256(same));
        Assert.Null(EcdsaKey.Create("", same, DSASignatureFormat.Rfc3279DerSequence));
    }

    [Fact]
    public void A_key_of_another_curve_or_of_a_home_made_one_is_refused()
    {
        foreach (var curve in new[] { ECCurve.NamedCurves.nistP384, ECCurve.NamedCurves.nistP521, ECCurve.CreateFromFriendlyName("secp256k1") })
        {
            using var other = ECDsa.Create(curve);
            Assert.Null(EcdsaKey.Read("env:K", other.ExportSubjectPublicKeyInfo(), DSASignatureFormat.Rfc3279DerSequence));
        }

        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var info = ec.ExportSubjectPublicKeyInfo();
        Assert.NotNull(EcdsaKey.Read("env:K", info, DSASignatureFormat.Rfc3279DerSequence));

        // P-256 by its own numbers, with the victim's key as the generator: whoever chooses that knows the private key, 1 (CVE-2020-0601).
        var own = ec.ExportExplicitParameters(includePrivateParameters: false);
        own.Curve.G = own.Q;
        byte[] forged;
        try
        {
            using var homeMade = ECDsa.Create(own);
            forged = homeMade.ExportSubjectPublicKeyInfo();
        }
        catch (CryptographicException)
        {
            forged = [];
        }

        Assert.Null(EcdsaKey.Read("env:K", forged, DSASignatureFormat.Rfc3279DerSequence));

        // The point at infinity: one byte, 00.
        byte[] infinity = [0x30, 0x19, .. info.AsSpan(2, 21), 0x03, 0x02, 0x00, 0x00];
        Assert.Null(EcdsaKey.Read("env:K", infinity, DSASignatureFormat.Rfc3279DerSequence));
    }

    [Fact]
    public void An_rsa_key_with_an_exponent_that_proves_nothing_is_refused()
    {
        using var rsa = RSA.Create(2048);
        var good = rsa.ExportParameters(includePrivateParameters: false);
        foreach (var exponent in new byte[][] { [1], [0], [2], [4], [1, 0, 0], [.. new byte[] { 1 }, .. new byte[32]],
            [.. new byte[] { 1 }, .. new byte[32], 1] })
        {
            var bad = good with { Exponent = exponent };

            Assert.NotNull(WeakKeys.OfRsa(bad));
            Assert.Null(RsaKey.Read("env:K", Spki(bad), HashAlgorithmName.SHA256, out _));
            Assert.Contains(Problems("rsa-key", "-----BEGIN PUBLIC KEY-----\n" + Convert.ToBase64String(Spki(bad)) + "\n-----END PUBLIC KEY-----"),
                static p => !p.IsWarning);
        }

        Assert.Null(WeakKeys.OfRsa(good with { Exponent = [3] }));
        var small = Problems("rsa-key",
            "-----BEGIN PUBLIC KEY-----\n" + Convert.ToBase64String(Spki(good with { Exponent = [3] })) + "\n-----END PUBLIC KEY-----");
        Assert.True(Assert.Single(small).IsWarning);
    }

    [Fact]
    public void An_rsa_key_that_is_short_or_that_anybody_can_factor_is_refused()
    {
        using var rsa = RSA.Create(2048);
        var good = rsa.ExportParameters(includePrivateParameters: false);
        var modulus = new BigInteger(good.Modulus, isUnsigned: true, isBigEndian: true);
        foreach (var bad in new[] { modulus - 1, modulus * 3, modulus * 1999, BigInteger.Pow(modulus, 2), CloseProduct(modulus) })
        {
            Assert.NotNull(WeakKeys.OfRsa(good with { Modulus = bad.ToByteArray(isUnsigned: true, isBigEndian: true) }));
        }

        foreach (var bits in new[] { 512, 1024, 2040 })
        {
            using var key = RSA.Create(bits);
            Assert.Contains($"{bits} bits", WeakKeys.OfRsa(key.ExportParameters(includePrivateParameters: false)), StringComparison.Ordinal);
            Assert.Null(RsaKey.Read("env:K", key.ExportSubjectPublicKeyInfo(), HashAlgorithmName.SHA256, out _));
        }
    }

    /// <summary>Two neighbours without small factors; whether they are prime does not matter to who looks for them.</summary>
    private static BigInteger CloseProduct(BigInteger from)
    {
        var primes = Enumerable.Range(3, 2000).Aggregate(BigInteger.One, static (product, n) => product * n);
        for (var first = from; ; first += 2)
        {
            var other = first + 100;
            if (BigInteger.GreatestCommonDivisor(first, primes).IsOne && BigInteger.GreatestCommonDivisor(other, primes).IsOne)
            {
                return first * other;
            }
        }
    }

    private static List<ConfigProblem> Problems(string kind, string secret, string? encoding = null)
    {
        var problems = new List<ConfigProblem>();
        SchemeCompiler.Compile(
            new() { Kind = kind, Header = new(["X-Sig"]), Key = encoding is null ? null : new() { Encoding = Word.As<KeyEncoding>(encoding) } },
            [new("env:K", Encoding.ASCII.GetBytes(secret))], new(null, "/in", TimeProvider.System), problems, "s");
        return problems;
    }

    private static byte[] Flipped(byte[] coordinate) => [.. coordinate[..31], (byte)(coordinate[31] ^ 2)];

    /// <summary>The point of P-256 with the smallest x.</summary>
    private static ECParameters SmallPoint()
    {
        var b = new BigInteger(Convert.FromHexString("5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B"), isUnsigned: true, isBigEndian: true);
        for (BigInteger x = 0; ; x++)
        {
            var square = ((x * x * x) - (3 * x) + b) % P256;
            var y = BigInteger.ModPow(square, (P256 + 1) / 4, P256);
            if (y * y % P256 == square)
            {
                return new() { Curve = ECCurve.NamedCurves.nistP256, Q = new() { X = Padded(x), Y = Padded(y) } };
            }
        }
    }

    private static byte[] Padded(BigInteger value)
    {
        var bytes = value.ToByteArray(isUnsigned: true, isBigEndian: true);
        return [.. new byte[32 - bytes.Length], .. bytes];
    }

    /// <summary>SubjectPublicKeyInfo of an RSA key that no library would make.</summary>
    private static byte[] Spki(RSAParameters key)
    {
        var inner = new AsnWriter(AsnEncodingRules.DER);
        using (inner.PushSequence())
        {
            inner.WriteInteger(new BigInteger(key.Modulus, isUnsigned: true, isBigEndian: true));
            inner.WriteInteger(new BigInteger(key.Exponent, isUnsigned: true, isBigEndian: true));
        }

        var outer = new AsnWriter(AsnEncodingRules.DER);
        using (outer.PushSequence())
        {
            using (outer.PushSequence())
            {
                outer.WriteObjectIdentifier("1.2.840.113549.1.1.1");
                outer.WriteNull();
            }

            outer.WriteBitString(inner.Encode());
        }

        return outer.Encode();
    }
}
