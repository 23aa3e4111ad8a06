using System.Text;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Verdicts;
using static WebhookEdge.UnitTests.Authentication.VerdictAssert;

namespace WebhookEdge.UnitTests.Authentication;

public sealed class CredentialCheckTests
{
    private const string Secret = "tok-0123456789abcdef";

    private static readonly SchemeSpec Basic = new() { Kind = "basic" };
    private static readonly SchemeSpec Bearer = new() { Kind = "bearer" };
    private static readonly SchemeSpec Token = new() { Kind = "token", Header = new(["secret"]) };

    [Fact]
    public void What_the_signer_sends_is_accepted()
    {
        foreach (var (spec, secret) in new[] { (Basic, "user:pass:word"), (Bearer, Secret), (Token, Secret), (Token with { Prefix = "Token " }, Secret),
            (Token, "pässwörd-with-ümläuts") })
        {
            var harness = SchemeHarness.Create(spec, secret);
            var delivery = SchemeHarness.Deliver(harness.Sign());

            Assert.True(harness.Decide(delivery).Passed);
            Assert.Equal(new VerifiedIdentity("env:SECRET_0", null, null), delivery.Proof);
            Assert.Equal(TrustLevel.Authenticated, delivery.Trust);
        }
    }

    [Theory]
    [InlineData("basic", "user:password")]
    [InlineData("bearer", Secret)]
    [InlineData("token", Secret)]
    public void Any_changed_byte_is_refused(string kind, string secret)
    {
        var harness = SchemeHarness.Create(new() { Kind = kind, Header = kind == "token" ? new(["secret"]) : null }, secret);
        var (name, value) = harness.Sign()[0];

        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] == ' ' || (i < value.IndexOf(' ', StringComparison.Ordinal) && char.IsAsciiLetter(value[i])))
            {
                continue;
            }

            Refused(RejectReason.CredentialMismatch, harness.Decide([new(name, value[..i] + (char)(value[i] ^ 1) + value[(i + 1)..])]));
            Refused(RejectReason.CredentialMismatch, harness.Decide([new(name, value.Remove(i, 1))]));
        }

        Refused(RejectReason.CredentialMismatch, harness.Decide([new(name, value + "x")]));
        Refused(RejectReason.CredentialMismatch, harness.Decide([new(name, value + "," + value)]));
    }

    [Theory]
    [InlineData("basic", "user:password")]
    [InlineData("bearer", Secret)]
    [InlineData("token", Secret)]
    public void A_missing_empty_or_repeated_credential_is_refused(string kind, string secret)
    {
        var harness = SchemeHarness.Create(new() { Kind = kind, Header = kind == "token" ? new(["secret"]) : null }, secret);
        var (name, value) = harness.Sign()[0];

        Refused(RejectReason.CredentialMismatch, harness.Decide([]));
        Refused(RejectReason.CredentialMismatch, harness.Decide([new(name, "")]));
        Refused(RejectReason.CredentialMismatch, harness.Decide(SchemeHarness.Deliver([KeyValuePair.Create(name, new StringValues([value, value]))], default(System.Buffers.ReadOnlySequence<byte>))));
        Refused(RejectReason.CredentialMismatch,
            harness.Decide(SchemeHarness.Deliver([KeyValuePair.Create(name, new StringValues([value, ""]))], default(System.Buffers.ReadOnlySequence<byte>))));
    }

    [Theory]
    [InlineData("Basic")]
    [InlineData("basic")]
    [InlineData("BASIC")]
    [InlineData("Basic ")]
    public void The_schemes_name_is_case_insensitive(string word)
    {
        var harness = SchemeHarness.Create(Basic, "user:password");

        Assert.True(harness.Decide([new("Authorization", word + " dXNlcjpwYXNzd29yZA==")]).Passed);
    }

    [Theory]
    [InlineData("Basic dXNlcjpwYXNzd29yZA")]
    [InlineData("Basic dXNlcjpwYXNzd29yZB==")]
    [InlineData("Basic dXNlcjpw YXNzd29yZA==")]
    [InlineData("Basic dXNlcjpwYXNzd29yZA== ")]
    [InlineData("Basic\tdXNlcjpwYXNzd29yZA==")]
    [InlineData("BasicdXNlcjpwYXNzd29yZA==")]
    [InlineData(" Basic dXNlcjpwYXNzd29yZA==")]
    [InlineData("Bearer dXNlcjpwYXNzd29yZA==")]
    [InlineData("Basic user:password")]
    [InlineData("Basic")]
    [InlineData("Basic ")]
    [InlineData("Basic =")]
    public void Basic_credentials_have_one_spelling(string value)
    {
        var harness = SchemeHarness.Create(Basic, "user:password");

        Refused(RejectReason.CredentialMismatch, harness.Decide([new("Authorization", value)]));
    }

    [Fact]
    public void Basic_splits_at_the_first_colon()
    {
        var harness = SchemeHarness.Create(Basic, "user:pass:word");

        Assert.True(harness.Decide([new("Authorization", Encode("user:pass:word"))]).Passed);
        foreach (var other in new[] { "user:pass", "user:word", "user", "user:pass:word:", ":pass:word" })
        {
            Refused(RejectReason.CredentialMismatch, harness.Decide([new("Authorization", Encode(other))]));
        }
    }

    [Fact]
    public void An_endless_credential_is_refused_without_being_looked_at()
    {
        foreach (var spec in new[] { Bearer, Basic, Token })
        {
            var harness = SchemeHarness.Create(spec, "user:password-0123");
            var name = spec == Token ? "secret" : "Authorization";

            Refused(RejectReason.CredentialMismatch, harness.Decide([new(name, spec.Kind + " " + new string('A', 4096))]));
            Refused(RejectReason.CredentialMismatch, harness.Decide([new(name, spec.Kind + " " + new string('A', 4000))]));
            Refused(RejectReason.CredentialMismatch, harness.Decide([new(name, spec.Kind + " " + new string('€', 4000))]));
            Refused(RejectReason.CredentialMismatch, harness.Decide([new(name, spec.Kind + " \ud800")]));
        }
    }

    [Fact]
    public void Either_of_two_tokens_matches_and_is_named()
    {
        var harness = SchemeHarness.Create(Bearer, Secret, "another-token-0123456789");
        var delivery = SchemeHarness.Deliver(harness.Sign(secret: 1));

        Assert.True(harness.Decide(delivery).Passed);
        Assert.Equal("env:SECRET_1", delivery.Proof!.Value.KeyId);
    }

    [Fact]
    public void Credentials_are_asked_before_the_body_and_named_for_stripping()
    {
        Assert.Equal(["authorization"], SchemeHarness.Create(Basic, "user:password").Scheme.CredentialHeaders.AsEnumerable());
        Assert.Equal(["x-api-key"], SchemeHarness.Create(Token with { Header = new(["X-Api-Key"]) }).Scheme.CredentialHeaders.AsEnumerable());
        var scheme = SchemeHarness.Create(Bearer).Scheme;
        Assert.Equal(Stage.Credential, Assert.Single(scheme.Checks).Stage);
        Assert.False(scheme.SignsBody);
        Assert.False(scheme.SignsId);
        Assert.Equal(TrustLevel.Authenticated, scheme.Trust);
    }

    [Fact]
    public void Required_headers_count_for_credentials_too()
    {
        var harness = SchemeHarness.Create(Bearer with { Require = new() { ["X-Client"] = "a" } });

        Assert.True(harness.Decide(harness.Sign()).Passed);
        Refused(RejectReason.CredentialMismatch, harness.Decide(harness.Sign().Where(pair => pair.Key != "X-Client")));
    }

    private static string Encode(string credentials) => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials));
}
