using System.Security.Cryptography;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Authentication.Verifiers;

/// <summary>Public-key arithmetic is no work for a thread that sockets are served by; a MAC is done where it is asked for.</summary>
public sealed class WhereKeysAreUsedTests
{
    [Theory]
    [InlineData("rsa-key", false)]
    [InlineData("ecdsa-p256", false)]
    [InlineData("ed25519", false)]
    [InlineData("hmac", true)]
    public void Signatures_with_public_keys_are_left_to_the_thread_pool(string kind, bool onTheSpot)
    {
        var (spec, secret, signature) = Scheme(kind);
        var check = SchemeHarness.Create(spec, secret).Scheme.Checks[^1];
        var completed = OnAThreadOfItsOwn(() =>
        {
            var delivery = SchemeHarness.Deliver(new Dictionary<string, string> { ["X-Sig"] = signature }, "body");
            var pending = check.CheckAsync(delivery, CancellationToken.None);
            var atOnce = pending.IsCompleted;
            var verdict = pending.AsTask().GetAwaiter().GetResult();
            Assert.True(verdict.Reason is RejectReason.SignatureMismatch, $"{verdict}");
            return atOnce;
        });

        // What went elsewhere may be done before this thread looks, now and then; what is done here is always done.
        Assert.True(onTheSpot ? completed.TrueForAll(static done => done) : completed.Contains(false));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Verifiers_in_code_run_on_the_thread_pool_if_they_use_public_keys(bool usesPublicKeys)
    {
        var verifier = new Verifier();
        var check = new CodeSignatureCheck(verifier, TrustLevel.Verified, TimeProvider.System, usesPublicKeys);

        var passed = OnAThreadOfItsOwn(() => check.CheckAsync(new(), CancellationToken.None).AsTask().GetAwaiter().GetResult().Passed);

        Assert.DoesNotContain(false, passed);
        Assert.All(verifier.RanOnPool, onPool => Assert.Equal(usesPublicKeys, onPool));
    }

    [Fact]
    public void The_verifiers_that_use_public_keys_are_known()
    {
        Assert.Equal(
            ["aws-sns", "paypal", "plaid"],
            CodeVerifiers.All.Values.Where(CodeVerifiers.UsesPublicKeys).Select(static kind => kind.Name).Order());
    }

    private static (SchemeSpec Spec, string Secret, string Signature) Scheme(string kind)
    {
        using var rsa = RSA.Create(2048);
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var spec = new SchemeSpec { Kind = kind, Header = new(["X-Sig"]), Encoding = MacEncoding.Base64 };
        return kind switch
        {
            "rsa-key" => (spec, rsa.ExportSubjectPublicKeyInfoPem(),
                Convert.ToBase64String(rsa.SignData("another"u8, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))),
            "ecdsa-p256" => (
                spec with { Key = new() { Encoding = KeyEncoding.Base64 } },
                Convert.ToBase64String(ecdsa.ExportSubjectPublicKeyInfo()),
                Convert.ToBase64String(ecdsa.SignData("another"u8, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence))),
            "ed25519" => (
                spec with { Key = new() { Encoding = KeyEncoding.Base64 } },
                Convert.ToBase64String(Ed25519.PublicKeyOf(SHA256.HashData("seed"u8))),
                Convert.ToBase64String(new byte[64])),
            _ => (spec, "a-secret-of-thirty-two-characters", Convert.ToBase64String(new byte[32])),
        };
    }

    private static List<bool> OnAThreadOfItsOwn(Func<bool> run)
    {
        var results = new List<bool>();
        Exception? fault = null;
        var thread = new Thread(() =>
        {
            try
            {
                for (var i = 0; i < 20; i++)
                {
                    results.Add(run());
                }
            }
            catch (Exception e)
            {
                fault = e;
            }
        });
        thread.Start();
        thread.Join();
        Assert.Null(fault);
        return results;
    }

    private sealed class Verifier : ICodeVerifier
    {
        public List<bool> RanOnPool { get; } = [];

        public Verdict CheckHead(Delivery delivery, DateTimeOffset now) => Verdict.Pass;

        public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken)
        {
            RanOnPool.Add(Thread.CurrentThread.IsThreadPoolThread);
            return new(Verification.Accept("env:KEY"));
        }
    }
}
