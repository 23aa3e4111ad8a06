using System.Text;
using WebhookEdge.Authentication;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.Verdicts;
using static WebhookEdge.UnitTests.Authentication.VerdictAssert;

namespace WebhookEdge.UnitTests.Authentication.Verifiers;

/// <summary>Requests as the vendors' own code signs them, for the kinds that are code.</summary>
public sealed class CodeVectorTests
{
    /// <summary>Kinds of whose body only a part is signed; what is signed of each is in its own test.</summary>
    private static readonly string[] PartlySigned = ["adyen-items", "mailgun", "aws-sns", "braintree", "paypal"];

    public static TheoryData<string> Valid() => [.. CodeBench.Vectors(static vector => vector.Valid)];

    public static TheoryData<string> Invalid() => [.. CodeBench.Vectors(static vector => !vector.Valid)];

    public static TheoryData<string> WhollySigned() =>
        [.. CodeBench.Vectors(static vector => vector.Valid && vector.Body.Length > 0 && !PartlySigned.Contains(vector.Scheme!.Kind))];

    [Fact]
    public void Every_kind_that_is_code_has_a_vector_and_a_preset()
    {
        var kinds = CodeVerifiers.Facts.Keys.Order();

        Assert.Equal(kinds, CodeBench.Vectors(static vector => vector.Valid).Select(name => VendorVector.Load(name).Scheme!.Kind!).Distinct().Order());
        Assert.Equal(kinds, Presets.All.Values.Select(preset => preset.Scheme.Kind ?? "hmac").Where(CodeVerifiers.Facts.ContainsKey).Distinct().Order());
    }

    [Theory]
    [MemberData(nameof(Valid))]
    public async Task A_vendors_own_request_verifies(string name)
    {
        var vector = VendorVector.Load(name);

        var (verdict, delivery) = await CodeBench.DecideAsync(vector);

        Assert.True(verdict.Passed, verdict.Detail);
        Assert.Equal("env:SECRET_0", delivery.Proof!.Value.KeyId);
        Assert.Equal(PartlySigned.Contains(vector.Scheme!.Kind) ? TrustLevel.Authenticated : TrustLevel.Verified, delivery.Trust);
    }

    [Theory]
    [MemberData(nameof(Invalid))]
    public async Task What_the_vendor_says_must_be_refused_is_refused(string name)
    {
        var (verdict, delivery) = await CodeBench.DecideAsync(VendorVector.Load(name));

        Refused(RejectReason.SignatureMismatch, verdict);
        Assert.Null(delivery.Proof);
    }

    [Theory]
    [MemberData(nameof(WhollySigned))]
    public async Task Any_changed_byte_of_a_signed_body_is_refused(string name)
    {
        var vector = VendorVector.Load(name);
        for (var i = 0; i < vector.Body.Length; i += 1 + (vector.Body.Length / 40))
        {
            var changed = vector.Body[..i] + (vector.Body[i] == 'x' ? 'y' : 'x') + vector.Body[(i + 1)..];

            Assert.False((await CodeBench.DecideAsync(vector, body: changed)).Verdict.Passed, $"{name} at {i}");
        }

        Assert.False((await CodeBench.DecideAsync(vector, body: vector.Body + "x")).Verdict.Passed);
    }

    [Theory]
    [MemberData(nameof(Valid))]
    public async Task A_header_the_scheme_reads_is_there_once_and_to_the_letter(string name)
    {
        var vector = VendorVector.Load(name);
        foreach (var (header, value) in vector.Headers.Where(static h => !h.Key.Equals("Content-Type", StringComparison.OrdinalIgnoreCase)))
        {
            Assert.False((await CodeBench.DecideAsync(vector, headers: (header, default))).Verdict.Passed, $"without {header}");
            Assert.False((await CodeBench.DecideAsync(vector, headers: (header, new[] { value, value }))).Verdict.Passed, $"two {header}");
            Assert.False((await CodeBench.DecideAsync(vector, headers: (header, ""))).Verdict.Passed, $"empty {header}");
            if (header == "x-amz-sns-message-type")
            {
                continue;
            }

            foreach (var other in new[] { value + "!", value + " zz", "\"" + value, new string('a', 9000) })
            {
                Assert.False((await CodeBench.DecideAsync(vector, headers: (header, other))).Verdict.Passed, $"{header}: {other[..Math.Min(other.Length, 80)]}");
            }

            for (var i = 0; i < value.Length; i += 1 + (value.Length / 30))
            {
                var changed = value[..i] + (value[i] == 'A' ? 'B' : 'A') + value[(i + 1)..];
                Assert.False((await CodeBench.DecideAsync(vector, headers: (header, changed))).Verdict.Passed && !IsSameHex(value, changed),
                    $"{header}: {changed}");
            }
        }

        // 0xA and 0xa are one digit.
        static bool IsSameHex(string a, string b) => a.Equals(b, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [MemberData(nameof(Valid))]
    public async Task Another_secret_does_not_verify(string name)
    {
        var vector = VendorVector.Load(name);
        var other = vector.Scheme!.Kind switch
        {
            "twilio" or "mandrill" or "plivo-v3" or "mailgun" or "contentful" or "jwt-hs256" => vector.Secret + "x",
            "braintree" => vector.Secret + "x",
            "adyen-items" => vector.Secret[..^2] + "57",
            "paypal" => "2" + vector.Secret[1..],
            "aws-sns" => vector.Secret + "2",
            _ => null,
        };
        if (other is not null)
        {
            Refused(RejectReason.SignatureMismatch, (await CodeBench.DecideAsync(vector, secret: other)).Verdict);
        }
        else
        {
            Assert.Contains(vector.Scheme!.Kind, new[] { "ed25519", "ecdsa-p256", "rsa-key", "plaid" });
        }
    }

    [Theory]
    [MemberData(nameof(Valid))]
    public async Task Bodies_no_sender_makes_are_refused_and_nothing_throws(string name)
    {
        var vector = VendorVector.Load(name);
        foreach (var body in new[] { " ", "{", "[]", "null", "\"x\"", "{\"a\":1}{", "a=%", "a=%4", "&&", "=", "a=b&=c", "\u00ff", new string('[', 200),
            new string('&', 2000), "{\"signature\":1,\"notificationItems\":{}}", "{\"notificationItems\":[]}", "{\"notificationItems\":[1]}",
            "{\"signature\":{\"timestamp\":[],\"token\":{},\"signature\":null}}" })
        {
            var verdict = (await CodeBench.DecideAsync(vector, body: body)).Verdict;

            Assert.False(verdict.Passed, body);
            Assert.NotNull(verdict.Detail);
        }
    }

    [Fact]
    public void No_code_verifier_loads_without_what_it_needs()
    {
        foreach (var name in CodeBench.Vectors(static vector => vector.Valid))
        {
            var vector = VendorVector.Load(name);
            var problems = new List<WebhookEdge.Configuration.ConfigProblem>();

            Assert.Null(SchemeCompiler.Compile(vector.Scheme!, [new("env:EMPTY", [])], new(vector.PublicUrl, "/in", TimeProvider.System, null), problems, "s"));
            Assert.Contains(problems, problem => !problem.IsWarning);
            Assert.Null(SchemeCompiler.Compile(vector.Scheme! with { Entries = new() { Separator = ";" }, Require = null, Prefix = "x" },
                [new("env:S", Encoding.UTF8.GetBytes(vector.Secret))], new(null, "/in", TimeProvider.System, null), problems, "s"));
        }
    }
}
