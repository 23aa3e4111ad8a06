using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Handshakes;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Handshakes;

public sealed class HandshakeTests
{
    private const string Secret = "public:private-secret-of-a-sender";

    public static TheoryData<string> Names() => [.. HandshakeKinds.All.Keys];

    [Fact]
    public void The_catalogue_knows_the_senders_that_pose_a_challenge() =>
        Assert.Equal(["adobe-io", "adobe-sign", "braintree", "discord", "dropbox", "ebay", "meta", "monday", "msgraph", "okta", "slack", "twitch", "x", "xero",
            "zoom"], HandshakeKinds.All.Keys.Order());

    [Fact]
    public void Meta_is_answered_when_the_verify_token_is_the_configured_one()
    {
        Assert.Equal("1158201444", Text(Ask("meta", "GET", "/in?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock")));
        foreach (var wrong in new[] { "&hub.verify_token=guessed", "&hub.verify_token=", "", "&hub.verify_token=meatyhamhock&hub.verify_token=meatyhamhock",
            "&hub.verify_token=Meatyhamhock" })
        {
            Assert.Equal(RejectReason.CredentialMismatch, Ask("meta", "GET", "/in?hub.mode=subscribe&hub.challenge=1158201444" + wrong).Reason);
        }
    }

    [Theory]
    [InlineData("dropbox")]
    [InlineData("adobe-io")]
    public void A_challenge_that_is_sent_back_is(string name) => Assert.Equal("abc-123_~.=", Text(Ask(name, "GET", "/in?challenge=abc-123_~.%3D")));

    [Fact]
    public void Okta_and_adobe_sign_are_answered_from_their_headers()
    {
        Assert.Equal("""{"verification":"cVhXRz"}""", Text(Ask("okta", "GET", "/in", headers: ("X-Okta-Verification-Challenge", "cVhXRz"))));
        var answer = Ask("adobe-sign", "GET", "/in", headers: ("X-AdobeSign-ClientId", "meatyhamhock")).Answer!;
        Assert.Equal(("X-AdobeSign-ClientId", "meatyhamhock"), (answer.HeaderName, answer.HeaderValue));
        Assert.Equal(RejectReason.CredentialMismatch, Ask("adobe-sign", "GET", "/in", headers: ("X-AdobeSign-ClientId", "another")).Reason);
    }

    [Fact]
    public void X_gets_the_hmac_of_its_token()
    {
        var expected = Convert.ToBase64String(HMACSHA256.HashData(Encoding.ASCII.GetBytes(Secret), "challenge_string_1"u8));

        Assert.Equal($$"""{"response_token":"sha256={{expected}}"}""", Text(Ask("x", "GET", "/in?crc_token=challenge_string_1&nonce=1")));
    }

    [Fact]
    public void Braintree_gets_the_hmac_of_its_challenge()
    {
#pragma warning disable CA5350 // What Braintree does.
        var expected = Convert.ToHexStringLower(HMACSHA1.HashData(SHA1.HashData("private-secret-of-a-sender"u8), "20f9f8ed05f77439fe955c977e4c8a53"u8));
#pragma warning restore CA5350

        Assert.Equal("public|" + expected, Text(Ask("braintree", "GET", "/in?bt_challenge=20f9f8ed05f77439fe955c977e4c8a53")));
    }

    [Fact]
    public void Ebay_gets_the_hash_of_code_token_and_endpoint()
    {
        var expected = Convert.ToHexStringLower(SHA256.HashData("codemeatyhamhockhttps://hooks.example.com/in"u8));

        Assert.Equal($$"""{"challengeResponse":"{{expected}}"}""", Text(Ask("ebay", "GET", "/in?challenge_code=code")));
    }

    [Fact]
    public void Microsoft_graph_gets_its_token_back_as_text()
    {
        var answer = Ask("msgraph", "POST", "/in?validationToken=Validation%3a+Testing+client+application+reachability+Request-Id%3A+1a2b").Answer!;

        Assert.Equal("Validation: Testing client application reachability Request-Id: 1a2b", Encoding.ASCII.GetString(answer.Body.Span));
        Assert.StartsWith("text/plain", answer.ContentType, StringComparison.Ordinal);
        Assert.Equal(RejectReason.RequestMalformed, Ask("msgraph", "POST", "/in?validationToken=%3Cscript%3Ealert(1)%3C/script%3E").Reason);
    }

    [Fact]
    public void Monday_is_answered_only_for_a_challenge_and_nothing_else()
    {
        Assert.Equal("""{"challenge":"abc"}""", Text(Ask("monday", "POST", "/in", """{ "challenge": "abc" }""")));
        Assert.True(Ask("monday", "POST", "/in", """{"challenge":"abc","event":{}}""").Passed);
        Assert.True(Ask("monday", "POST", "/in", """{"challenge":"abc","challenge":"abc"}""").Passed);
    }

    [Fact]
    public void Signed_challenges_are_answered_once_they_are_verified()
    {
        Assert.Equal("3eZbrw1aB", Text(Ask("slack", "POST", "/in", """{"token":"t","challenge":"3eZbrw1aB","type":"url_verification"}""")));
        Assert.Equal("""{"type":1}""", Text(Ask("discord", "POST", "/in", """{"type":1,"id":"1","version":1}""")));
        Assert.Equal(204, Ask("discord", "POST", "/in", """{"type":0,"application_id":"1"}""").Answer!.Status);
        Assert.True(Ask("discord", "POST", "/in", """{"type":1,"event":{"type":"APPLICATION_AUTHORIZED"}}""").Passed);
        Assert.True(Ask("discord", "POST", "/in", """{"type":2}""").Passed);
        Assert.Equal("pogchamp-kappa-360noscope-vohiyo",
            Text(Ask("twitch", "POST", "/in", """{"challenge":"pogchamp-kappa-360noscope-vohiyo","subscription":{}}""",
            headers: ("Twitch-Eventsub-Message-Type", "webhook_callback_verification"))));
        Assert.True(Ask("twitch", "POST", "/in", """{"event":{}}""", headers: ("Twitch-Eventsub-Message-Type", "webhook_callback_verification")).Passed);
        Assert.Equal(200, Ask("xero", "POST", "/in", """{"events":[],"firstEventSequence":0}""").Answer!.Status);
        Assert.True(Ask("xero", "POST", "/in", """{"events":[{}]}""").Passed);
        var mac = Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.ASCII.GetBytes(Secret), "qgg8vlvZRS6UYooatFL8Aw"u8));
        Assert.Equal($$"""{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"{{mac}}"}""",
            Text(Ask("zoom", "POST", "/in", """{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}""")));
    }

    [Theory]
    [InlineData("slack", """{"challenge":"abc","type":"url_verification"}""")]
    [InlineData("zoom", """{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}""")]
    [InlineData("twitch", """{"challenge":"abc"}""")]
    [InlineData("discord", """{"type":1}""")]
    [InlineData("xero", """{"events":[]}""")]
    public void A_signed_challenge_without_a_verified_signature_is_never_answered(string name, string body)
    {
        Assert.Equal(Stage.SignedChallenge, HandshakeKinds.All[name].Stage);
        foreach (var unproved in new Action<Delivery>[]
        {
            delivery => { },
            delivery => delivery.RaiseTrust(TrustLevel.Verified),
            delivery => { delivery.Proof = new("env:SENDER", null, null); delivery.RaiseTrust(TrustLevel.Authenticated); },
            delivery => { delivery.Proof = new("env:SENDER", null, null); delivery.RaiseTrust(TrustLevel.Verified); delivery.WouldRefuse = RejectReason.SignatureMismatch; },
        })
        {
            Assert.Null(Ask(name, "POST", "/in", body, prove: unproved, headers: ("Twitch-Eventsub-Message-Type", "webhook_callback_verification")).Answer);
        }
    }

    public static TheoryData<string> Events() =>
    [
        """v0:1700000000:{"event":"meeting.ended"}""", """{"event":"meeting.ended"}""", "v0:1700000000:", "1700000000.{}", "[]", "\"a\"", "a b", "a\nb", "a:b",
        "ä", new string('a', 129), "",
    ];

    [Theory]
    [MemberData(nameof(Events))]
    public void No_challenge_has_an_event_signed(string text)
    {
        var json = System.Text.Json.JsonSerializer.Serialize(text);
        var query = Uri.EscapeDataString(text);

        Assert.Null(Ask("zoom", "POST", "/in", "{\"event\":\"endpoint.url_validation\",\"payload\":{\"plainToken\":" + json + "}}").Answer);
        Assert.Null(Ask("x", "GET", "/in?crc_token=" + query).Answer);
        Assert.Null(Ask("braintree", "GET", "/in?bt_challenge=" + query).Answer);
        Assert.Null(Ask("slack", "POST", "/in", $$"""{"type":"url_verification","challenge":{{json}}}""").Answer);
        Assert.Null(Ask("dropbox", "GET", "/in?challenge=" + query).Answer);
    }

    [Theory]
    [InlineData("123456789012345678")]
    [InlineData("-1234567890123456e5")]
    [InlineData("true")]
    [InlineData("null")]
    [InlineData("tooshort")]
    public void X_does_not_sign_what_is_a_json_document(string token) =>
        Assert.Equal(RejectReason.RequestMalformed, Ask("x", "GET", "/in?crc_token=" + token).Reason);

    [Theory]
    [InlineData("20F9F8ED05F77439FE955C977E4C8A53")]
    [InlineData("20f9f8ed05f77439fe9")]
    [InlineData("20f9f8ed05f77439fe955c977e4c8a530")]
    [InlineData("PD94bWwgdmVyc2lvbj0iMS4wIj8+")]
    public void Braintree_signs_twenty_to_thirty_two_hex_digits_only(string challenge) =>
        Assert.Equal(RejectReason.RequestMalformed, Ask("braintree", "GET", "/in?bt_challenge=" + challenge).Reason);

    [Theory]
    [MemberData(nameof(Names))]
    public void A_get_that_is_no_challenge_goes_no_further(string name)
    {
        if (HandshakeKinds.All[name].ByGet)
        {
            Assert.Equal(RejectReason.MethodRefused, Ask(name, "GET", "/in").Reason);
            Assert.True(Ask(name, "GET", "/in", routeTakesGet: true).Passed);
            Assert.True(Ask(name, "POST", "/in?challenge=a&hub.mode=subscribe&crc_token=aaaaaaaaaaaaaaaaaaaa").Passed);
        }
        else
        {
            Assert.True(Ask(name, "GET", "/in?validationToken=a").Passed);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_answer_is_plain_text_or_json(string name)
    {
        foreach (var answer in new[]
        {
            Ask(name, "GET", "/in?challenge=abc&hub.mode=subscribe&hub.challenge=abc&hub.verify_token=meatyhamhock&crc_token=aaaaaaaaaaaaaaaaaaaa&bt_challenge=20f9f8ed05f77439fe955c977e4c8a53&challenge_code=abc"),
            Ask(name, "POST", "/in?validationToken=abc", """{"type":"url_verification","challenge":"abc"}"""),
        })
        {
            Assert.Contains(answer.Answer?.ContentType, new[] { null, "text/plain; charset=utf-8", "application/json; charset=utf-8" });
        }
    }

    [Fact]
    public void A_provider_brings_along_only_what_needs_nothing_and_signs_nothing_for_strangers()
    {
        Assert.Null(HandshakeCompiler.KindOf(null, "x"));
        Assert.Null(HandshakeCompiler.KindOf(null, "braintree"));
        Assert.Null(HandshakeCompiler.KindOf(null, "meta"));
        Assert.Null(HandshakeCompiler.KindOf(null, "asana"));
        Assert.Equal("slack", HandshakeCompiler.KindOf(null, "slack")!.Name);
        Assert.Null(HandshakeCompiler.KindOf(new("off", null), "slack"));
        Assert.Equal("x", HandshakeCompiler.KindOf(new("x", null), null)!.Name);
        Assert.Equal("meta", HandshakeCompiler.KindOf(new(null, "env:T"), "meta")!.Name);
    }

    [Fact]
    public void A_handshake_that_lacks_something_is_a_problem_where_the_route_names_it()
    {
        var empty = new HandshakeSetup([], null, null);
        foreach (var (name, signs) in new[] { ("slack", false), ("x", true), ("ebay", true), ("meta", true) })
        {
            var problems = new List<ConfigProblem>();

            Assert.Null(HandshakeCompiler.Compile(HandshakeKinds.All[name], empty, signs, false, isWritten: true, problems, "routes.a.handshake"));
            Assert.NotNull(Assert.Single(problems).Hint);
            Assert.Null(HandshakeCompiler.Compile(HandshakeKinds.All[name], empty, signs, false, isWritten: false, problems, "routes.a.handshake"));
            Assert.Single(problems);
        }
    }

    private static string Text(Verdict verdict)
    {
        Assert.NotNull(verdict.Answer);
        Assert.False(verdict.Passed);
        Assert.Equal(200, verdict.Answer.Status);
        return Encoding.ASCII.GetString(verdict.Answer.Body.Span);
    }

    private static Verdict Ask(string name, string method, string target, string body = "", bool routeTakesGet = false, Action<Delivery>? prove = null,
        params (string Name, string Value)[] headers)
    {
        var dictionary = new HeaderDictionary();
        foreach (var (header, value) in headers)
        {
            dictionary[header] = value;
        }

        var delivery = new Delivery();
        delivery.Open(RoutePolicy.None, method, target, default, dictionary, body.Length, PipeReader.Create(ReadOnlySequence<byte>.Empty));
        delivery.HoldBody(new(Encoding.UTF8.GetBytes(body)));
        (prove ?? (d =>
        {
            d.Proof = new("env:SENDER", null, null);
            d.RaiseTrust(TrustLevel.Verified);
        }))(delivery);
        var setup = new HandshakeSetup([new("env:SENDER", Encoding.ASCII.GetBytes(Secret))], "meatyhamhock"u8.ToArray(), "https://hooks.example.com/in");
        var pending = new HandshakeCheck(HandshakeKinds.All[name], setup, routeTakesGet).CheckAsync(delivery, CancellationToken.None);
        return pending.IsCompletedSuccessfully ? pending.Result : throw new InvalidOperationException("the check waited");
    }
}
