using System.Text;
using System.Text.Json;
using WebhookEdge.Authentication;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.UnitTests.Authentication;

public sealed class SchemeCompilerTests
{
    private const string Good = "\"header\":\"X-S\"";

    private static readonly JsonSerializerOptions Options = new(JsonSerializerOptions.Strict) { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    [Theory]
    [InlineData("""{"kind":"hmca","header":"X-S"}""", "s.kind")]
    [InlineData("{}", "s.header")]
    [InlineData("""{"header":[]}""", "s.header")]
    [InlineData("""{"header":"X S"}""", "s.header")]
    [InlineData("""{"header":"X-{n}-S"}""", "s.header")]
    [InlineData("""{"header":["X-{n}","Y"]}""", "s.header")]
    [InlineData("""{"header":["X-S","x-s"]}""", "s.header")]
    [InlineData("{" + Good + ""","prefix":""}""", "s.prefix")]
    [InlineData("{" + Good + ""","prefix":"a","entries":{"separator":",","key":"v1"}}""", "s.prefix")]
    [InlineData("{" + Good + ""","entries":{"key":"v1"}}""", "s.entries.separator")]
    [InlineData("{" + Good + ""","entries":{"separator":"=","key":"v1"}}""", "s.entries.keySeparator")]
    [InlineData("{" + Good + ""","entries":{"separator":",","keySeparator":"="}}""", "s.entries.key")]
    [InlineData("{" + Good + ""","entries":{"separator":",","key":"t"},"signed":"{timestamp}.{body}","timestamp":{"from":"entry:t"}}""", "s.entries.key")]
    [InlineData("{" + Good + ""","signed":""}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"{bdoy}"}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"{body"}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"body}"}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"{header:}{body}"}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"{timestamp}.{body}"}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"{id}.{body}"}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"{id}.{body}","id":"json:/id"}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"{timestamp}.{body}","timestamp":{"from":"json:/t"}}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"{method}"}""", "s.signed")]
    [InlineData("{" + Good + ""","unsignedBody":true}""", "s.unsignedBody")]
    [InlineData("{" + Good + ""","timestamp":{}}""", "s.timestamp.from")]
    [InlineData("{" + Good + ""","timestamp":{"from":"entry:t"}}""", "s.timestamp.from")]
    [InlineData("{" + Good + ""","timestamp":{"from":"body:/t"}}""", "s.timestamp.from")]
    [InlineData("{" + Good + ""","timestamp":{"from":"json:t"}}""", "s.timestamp.from")]
    [InlineData("{" + Good + ""","timestamp":{"from":"json:/t","toleranceSeconds":-1}}""", "s.timestamp.toleranceSeconds")]
    [InlineData("{" + Good + ""","signed":"{method}","unsignedBody":true,"timestamp":{"from":"json:/t"}}""", "s.timestamp.from")]
    [InlineData("{" + Good + ""","signed":"{method}","unsignedBody":true,"id":"json:/t"}""", "s.id")]
    [InlineData("{" + Good + ""","id":"X-Id"}""", "s.id")]
    [InlineData("{" + Good + ""","require":{"X":""}}""", "s.require")]
    [InlineData("{\"kind\":\"digest\"," + Good + "}", "s.signed")]
    [InlineData("""{"kind":"token"}""", "s.header")]
    [InlineData("""{"kind":"token","header":"x","signed":"{body}"}""", "s.signed")]
    [InlineData("""{"kind":"basic","header":"x"}""", "s.header")]
    [InlineData("""{"kind":"bearer","timestamp":{"from":"header:x"}}""", "s.timestamp")]
    public void A_fault_is_an_error_at_its_place_with_a_way_out(string json, string place)
    {
        var problems = SchemeHarness.Problems(Spec(json));

        Assert.Contains(problems, problem => problem.Path == place && !problem.IsWarning);
        Assert.All(problems, problem => Assert.False(string.IsNullOrEmpty(problem.Hint)));
    }

    [Fact]
    public void All_faults_are_reported_at_once()
    {
        var problems = SchemeHarness.Problems(Spec("""{"signed":"{foo}{bar}","timestamp":{"from":"x"},"id":"z","prefix":" "}"""));

        Assert.Equal(["s.header", "s.id", "s.prefix", "s.signed", "s.signed", "s.timestamp.from"], problems.Select(problem => problem.Path).Order());
    }

    [Theory]
    [InlineData("{" + Good + ""","signed":"{body}","timestamp":{"from":"header:X-T"}}""", "s.timestamp")]
    [InlineData("{" + Good + ""","signed":"{timestamp}.{body}","timestamp":{"from":"header:X-T","toleranceSeconds":0}}""", "s.timestamp.toleranceSeconds")]
    [InlineData("{" + Good + ""","signed":"{timestamp}{body}","timestamp":{"from":"header:X-T","toleranceSeconds":0}}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"{timestamp}.{body}","timestamp":{"from":"header:X-T","toleranceSeconds":100000}}""", "s.timestamp.toleranceSeconds")]
    [InlineData("{" + Good + ""","signed":"{id}{body}","id":"header:X-Id"}""", "s.signed")]
    [InlineData("{" + Good + ""","signed":"{body}{header:X-Topic}"}""", "s.signed")]
    [InlineData("{\"kind\":\"digest\"," + Good + ""","signed":"{secret}{body}"}""", "s.signed")]
    public void A_weakness_is_a_warning(string json, string place)
    {
        var problems = SchemeHarness.Problems(Spec(json));

        Assert.All(problems, problem => Assert.True(problem.IsWarning, problem.ToString()));
        Assert.Contains(problems, problem => problem.Path == place);
    }

    [Theory]
    [InlineData("{" + Good + ""","signed":"{timestamp}{body}","timestamp":{"from":"header:X-T"}}""")]
    [InlineData("{" + Good + ""","signed":"{id}{timestamp}{body}","id":"header:X-Id","timestamp":{"from":"header:X-T","unit":"iso"}}""")]
    [InlineData("{" + Good + ""","signed":"{url}{body}"}""")]
    [InlineData("{" + Good + ""","signed":"{method}{url}{body}{timestamp}","timestamp":{"from":"header:X-T","unit":"ms"}}""")]
    [InlineData("""{"kind":"basic"}""")]
    [InlineData("""{"header":"X-Signature-{n}"}""")]
    public void A_sound_scheme_has_no_problems(string json) => Assert.Empty(SchemeHarness.Problems(Spec(json)));

    [Theory]
    [InlineData(null)]
    [InlineData("hooks.example.com")]
    [InlineData("ftp://hooks.example.com")]
    [InlineData("https://hooks.example.com/?a=b")]
    public void A_scheme_that_signs_the_url_needs_the_public_one(string? publicUrl) =>
        Assert.Equal("s.signed", Assert.Single(SchemeHarness.Problems(Spec("{" + Good + ""","signed":"{url}{body}"}"""), publicUrl)).Path);

    [Theory]
    [InlineData("")]
    [InlineData("  \n")]
    [InlineData("${SIGNING_SECRET}")]
    public void An_empty_or_unfilled_secret_does_not_load(string secret)
    {
        var problems = Secrets("{" + Good + "}", secret);

        Assert.Contains(problems, problem => problem is { Path: "v.secrets[0]", IsWarning: false });
    }

    [Fact]
    public void No_secret_at_all_does_not_load() => Assert.Contains(Secrets("{" + Good + "}"), problem => problem is { Path: "v.secrets", IsWarning: false });

    [Theory]
    [InlineData("short", "only 5 bytes")]
    [InlineData("a-secret-long-enough-to-pass\n", "line break")]
    [InlineData("a-secret-long-enough\tto-pass", "control characters")]
    [InlineData(" a-secret-long-enough-to-pass", "space")]
    [InlineData("\"a-secret-long-enough-to-pass\"", "quotes")]
    public void A_doubtful_secret_is_a_warning_that_does_not_tell_it(string secret, string word)
    {
        var problem = Assert.Single(Secrets("{" + Good + "}", secret));

        Assert.True(problem.IsWarning);
        Assert.Contains(word, problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(secret.Trim(), problem.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_secret_twice_is_a_warning() =>
        Assert.True(Assert.Single(Secrets("{" + Good + "}", "a-secret-long-enough-to-pass", "a-secret-long-enough-to-pass")).IsWarning);

    [Theory]
    [InlineData("""{"header":"x","key":{"encoding":"base64"}}""", "not base64 at all!!")]
    [InlineData("""{"header":"x","key":{"encoding":"base64"}}""", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS")]
    [InlineData("""{"header":"x","key":{"encoding":"hex"}}""", "0123456789abcdef0123456789abcde")]
    [InlineData("""{"header":"x","key":{"strip":"whsec_"}}""", "whsec_")]
    [InlineData("""{"kind":"basic"}""", "user")]
    [InlineData("""{"kind":"basic"}""", ":password")]
    [InlineData("""{"kind":"basic"}""", "user:")]
    [InlineData("""{"kind":"bearer"}""", "a token with spaces")]
    [InlineData("""{"kind":"bearer"}""", "one-token-0123,another-token-0123")]
    public void A_secret_that_does_not_fit_the_scheme_does_not_load(string json, string secret) =>
        Assert.Contains(Secrets(json, secret), problem => problem is { Path: "v.secrets[0]", IsWarning: false });

    [Fact]
    public void A_secret_never_prints_itself()
    {
        var secret = new Secret("env:NAME", "the value"u8.ToArray());

        Assert.Equal("env:NAME", secret.ToString());
        Assert.Equal("env:NAME", $"{secret}");
    }

    [Fact]
    public void What_a_scheme_proves_is_told()
    {
        var plain = SchemeHarness.Create(Spec("{" + Good + "}")).Scheme;
        var standard = SchemeHarness.Create(Presets.Find("standard-webhooks")!.Scheme, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").Scheme;
        var unsigned = SchemeHarness.Create(Spec("{" + Good + ""","signed":"{header:X-Token}","unsignedBody":true}""")).Scheme;

        Assert.Equal((true, false, false, TrustLevel.Verified), (plain.SignsBody, plain.SignsId, plain.SignsTime, plain.Trust));
        Assert.Equal((true, true, true, TrustLevel.Verified), (standard.SignsBody, standard.SignsId, standard.SignsTime, standard.Trust));
        Assert.Equal((false, false, false, TrustLevel.Authenticated), (unsigned.SignsBody, unsigned.SignsId, unsigned.SignsTime, unsigned.Trust));
        Assert.Empty(plain.CredentialHeaders);
    }

    [Fact]
    public void An_unsigned_id_header_is_neither_needed_nor_told()
    {
        var harness = SchemeHarness.Create(Spec("{" + Good + ""","id":"header:X-Delivery"}"""));
        var delivery = SchemeHarness.Deliver(harness.Sign(id: "d-1"));

        Assert.False(harness.Scheme.SignsId);
        Assert.True(harness.Decide(delivery).Passed);
        Assert.Null(delivery.Proof!.Value.SignedId);
        Assert.True(harness.Decide(harness.Sign().Where(pair => pair.Key != "X-Delivery")).Passed);
    }

    [Theory]
    [InlineData("""{"id":"evt_1"}""", "evt_1")]
    [InlineData("""{"id":17}""", "17")]
    public void An_id_in_the_signed_body_is_told(string body, string id)
    {
        var harness = SchemeHarness.Create(Spec("{" + Good + ""","id":"json:/id"}"""));
        var delivery = SchemeHarness.Deliver(harness.Sign(body), body);

        Assert.True(harness.Scheme.SignsId);
        Assert.True(harness.Decide(delivery).Passed);
        Assert.Equal(id, delivery.Proof!.Value.SignedId);
    }

    [Fact]
    public void A_body_without_its_id_is_refused()
    {
        var harness = SchemeHarness.Create(Spec("{" + Good + ""","id":"json:/id"}"""));

        VerdictAssert.Refused(WebhookEdge.Verdicts.RejectReason.SignatureMissing, harness.Decide(harness.Sign("{}"), "{}"));
    }

    [Fact]
    public void The_proof_names_key_id_and_time()
    {
        var harness = SchemeHarness.Create(Presets.Find("standard-webhooks")!.Scheme, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_plJ3nmyCDGBKInavdOK15jsl");
        var delivery = SchemeHarness.Deliver(harness.Sign(secret: 1, id: "msg_1"));

        Assert.True(harness.Decide(delivery).Passed);
        Assert.Equal(new VerifiedIdentity("env:SECRET_1", "msg_1", 1_700_000_000_000), delivery.Proof);
        Assert.Equal(TrustLevel.Verified, delivery.Trust);
    }

    [Fact]
    public void A_refused_delivery_has_no_proof()
    {
        var harness = SchemeHarness.Create(Spec("{" + Good + "}"));
        var delivery = SchemeHarness.Deliver(harness.Sign("{}"), "{ }");

        Assert.False(harness.Decide(delivery).Passed);
        Assert.Null(delivery.Proof);
        Assert.Equal(TrustLevel.Observed, delivery.Trust);
    }

    [Fact]
    public void Several_checks_of_a_route_do_not_disturb_each_other()
    {
        var standard = SchemeHarness.Create(Presets.Find("standard-webhooks")!.Scheme, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        var others = Enumerable.Range(0, 6)
            .Select(i => SchemeHarness.Create(new SchemeSpec { Header = new([$"X-S{i}"]), Entries = new() { Separator = ",", Key = $"v{i}" } },
            $"the-secret-of-scheme-number-{i}")).ToList();
        var token = SchemeHarness.Create(Spec("""{"kind":"token","header":"secret"}"""));
        SchemeHarness[] all = [standard, .. others, token];
        var delivery = SchemeHarness.Deliver(all.SelectMany(harness => harness.Sign(id: "msg_1")));

        foreach (var check in all.SelectMany(harness => harness.Scheme.Checks).OrderBy(check => check.Stage).ToList())
        {
            Assert.True(SchemeHarness.Run(check, delivery).Passed);
        }

        Assert.Equal("msg_1", delivery.Proof!.Value.SignedId);
        Assert.Equal(TrustLevel.Verified, delivery.Trust);
    }

    [Fact]
    public void A_pooled_delivery_remembers_nothing_of_its_last_request()
    {
        var harness = SchemeHarness.Create(Presets.Find("stripe")!.Scheme);
        var good = SchemeHarness.Deliver(harness.Sign());
        Assert.True(harness.Decide(good).Passed);

        good.Reset();
        var next = SchemeHarness.Deliver([new("Stripe-Signature", "t=1700000000,v1=" + new string('0', 64))]);
        next.SignatureScratch = good.SignatureScratch;
        Assert.False(harness.Decide(next).Passed);

        var without = SchemeHarness.Deliver([]);
        without.SignatureScratch = good.SignatureScratch;
        VerdictAssert.Refused(WebhookEdge.Verdicts.RejectReason.SignatureMissing, harness.Decide(without));
    }

    private static SchemeSpec Spec(string json) => JsonSerializer.Deserialize<SchemeSpec>(json, Options)!;

    private static List<ConfigProblem> Secrets(string json, params string[] secrets)
    {
        var problems = new List<ConfigProblem>();
        var compiled = SchemeCompiler.Compile(Spec(json), [.. secrets.Select((text, i) => new Secret($"env:S{i}", Encoding.UTF8.GetBytes(text)))],
            new(null, "/x", TimeProvider.System), problems, "v.scheme", "v.secrets");

        Assert.Equal(problems.TrueForAll(problem => problem.IsWarning), compiled is not null);
        return problems;
    }
}
