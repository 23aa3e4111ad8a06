using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using WebhookEdge.Authentication;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.Verdicts;
using static WebhookEdge.UnitTests.Authentication.VerdictAssert;

namespace WebhookEdge.UnitTests.Authentication.Verifiers;

/// <summary>What each kind that is code must not let through, by the name of the rule.</summary>
public sealed class VerifierStrictnessTests
{
    private const string Key = "a-secret-of-thirty-two-characters";

    [Fact]
    public async Task A_token_does_not_choose_its_algorithm()
    {
        var vector = VendorVector.Load("netlify");
        var parts = vector.Headers["X-Webhook-Signature"].Split('.');
        foreach (var head in new[] { """{"alg":"none"}""", """{"alg":"HS512"}""", """{"alg":"hs256"}""", """{"alg":"HS256","alg":"none"}""",
            """{"alg":"RS256"}""", """{"alg":"HS256","crit":["b64"],"b64":false}""", "[]", "{}" })
        {
            foreach (var mac in new[] { parts[2], "",
                Url(HMACSHA256.HashData(Encoding.ASCII.GetBytes(Key), Encoding.ASCII.GetBytes(Url(Encoding.ASCII.GetBytes(head)) + "." + parts[1]))) })
            {
                Refused(RejectReason.SignatureMalformed,
                    (await CodeBench.DecideAsync(vector, headers: ("X-Webhook-Signature", $"{Url(Encoding.ASCII.GetBytes(head))}.{parts[1]}.{mac}"))).Verdict);
            }
        }
    }

    [Theory]
    [InlineData("""{"iss":"netlify"}""", "signature-mismatch")]
    [InlineData("""{"iss":"other","sha256":"HASH"}""", "signature-mismatch")]
    [InlineData("""{"sha256":"HASH"}""", "signature-mismatch")]
    [InlineData("""{"iss":"netlify","sha256":"HASH","exp":1600000000}""", "timestamp-outside-window")]
    [InlineData("""{"iss":"netlify","sha256":"HASH","nbf":1800000000}""", "timestamp-outside-window")]
    [InlineData("""{"iss":"netlify","sha256":"HASH","iat":1800000000}""", "timestamp-outside-window")]
    [InlineData("""{"iss":"netlify","sha256":"HASH","exp":"never"}""", "signature-malformed")]
    [InlineData("""{"iss":"netlify","sha256":"HASH","exp":1e99}""", "signature-malformed")]
    [InlineData("""{"iss":"netlify","sha256":"HASH","sha256":"HASH"}""", "signature-malformed")]
    public async Task A_signed_token_that_says_something_else_is_refused(string claims, string slug)
    {
        var vector = VendorVector.Load("netlify");
        claims = claims.Replace("HASH", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(vector.Body))), StringComparison.Ordinal);

        Refused(slug, (await CodeBench.DecideAsync(vector, headers: ("X-Webhook-Signature", Jwt(claims)))).Verdict);
    }

    [Fact]
    public async Task A_token_older_than_the_scheme_allows_is_refused()
    {
        var vector = VendorVector.Load("vonage");

        Assert.True((await CodeBench.DecideAsync(vector, now: At(vector, 299))).Verdict.Passed);
        Refused(RejectReason.TimestampOutsideWindow, (await CodeBench.DecideAsync(vector, now: At(vector, 301))).Verdict);
        Refused(RejectReason.TimestampOutsideWindow, (await CodeBench.DecideAsync(vector, now: At(vector, -61))).Verdict);
    }

    [Theory]
    [InlineData("discord", 300)]
    [InlineData("telnyx", 300)]
    [InlineData("standard-webhooks-v1a", 300)]
    [InlineData("mailgun", 300)]
    [InlineData("contentful", 30)]
    [InlineData("aws-sns", 3900)]
    [InlineData("sendgrid", 86400)]
    public async Task A_signed_time_is_checked_both_ways(string name, int seconds)
    {
        var vector = VendorVector.Load(name);

        Assert.True((await CodeBench.DecideAsync(vector, now: At(vector, seconds - 1))).Verdict.Passed);
        Refused(RejectReason.TimestampOutsideWindow, (await CodeBench.DecideAsync(vector, now: At(vector, seconds + 2))).Verdict);
        Refused(RejectReason.TimestampOutsideWindow, (await CodeBench.DecideAsync(vector, now: At(vector, -seconds - 2))).Verdict);
    }

    [Fact]
    public async Task The_border_between_time_and_body_cannot_be_moved()
    {
        foreach (var (name, header) in new[] { ("discord", "X-Signature-Timestamp"), ("sendgrid", "X-Twilio-Email-Event-Webhook-Timestamp") })
        {
            var vector = VendorVector.Load(name);

            Refused(RejectReason.SignatureMalformed,
                (await CodeBench.DecideAsync(vector, body: vector.Body[1..], headers: (header, vector.Headers[header] + vector.Body[0]))).Verdict);
        }
    }

    [Fact]
    public async Task Entries_of_other_versions_never_count()
    {
        var vector = VendorVector.Load("standard-webhooks-v1a");
        var good = vector.Headers["webhook-signature"];
        var zeros = Convert.ToBase64String(new byte[64]);

        Assert.True((await CodeBench.DecideAsync(vector, headers: ("webhook-signature", "v1,AAAA " + good))).Verdict.Passed);
        Refused(RejectReason.SignatureMissing,
            (await CodeBench.DecideAsync(vector, headers: ("webhook-signature", good.Replace("v1a,", "v1,", StringComparison.Ordinal)))).Verdict);
        Refused(RejectReason.SignatureMismatch, (await CodeBench.DecideAsync(vector, headers: ("webhook-signature", "v1a," + zeros))).Verdict);
        Refused(RejectReason.SignatureMalformed,
            (await CodeBench.DecideAsync(vector, headers: ("webhook-signature", string.Join(' ', Enumerable.Repeat("v1a," + zeros, 33))))).Verdict);
    }

    [Fact]
    public async Task A_body_that_nothing_covers_is_refused()
    {
        var json = VendorVector.Load("twilio-json");
        Refused(RejectReason.SignatureMalformed, (await CodeBench.DecideAsync(json, target: json.Path + "?foo=1&bar=2")).Verdict);
        Refused(RejectReason.SignatureMalformed, (await CodeBench.DecideAsync(json, target: json.Target + "&bodySHA256=00")).Verdict);
        Refused(RejectReason.SignatureMalformed, (await CodeBench.DecideAsync(json, target: json.Path + "?bodySHA256=zz")).Verdict);
        Refused(RejectReason.SignatureMalformed,
            (await CodeBench.DecideAsync(VendorVector.Load("twilio"), headers: ("Content-Type", "application/json"))).Verdict);
        Refused(RejectReason.SignatureMalformed, (await CodeBench.DecideAsync(VendorVector.Load("plivo"), headers: ("Content-Type", "text/plain"))).Verdict);
        Refused(RejectReason.SignatureMalformed, (await CodeBench.DecideAsync(VendorVector.Load("mandrill"), headers: ("Content-Type", "text/plain"))).Verdict);
    }

    [Fact]
    public async Task One_signed_text_has_one_id_however_it_is_cut()
    {
        foreach (var (name, body) in new[] { ("twilio", "CallSidC=A1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"),
            ("plivo", null), ("mandrill", "mandrill=_events%5B%7B%22event%22%3A%22send%22%2C%22msg%22%3A%7B%22ts%22%3A1700000000%7D%7D%5D") })
        {
            var vector = VendorVector.Load(name);
            var (first, delivery) = await CodeBench.DecideAsync(vector);
            var (second, cut) = await CodeBench.DecideAsync(vector, body: body ?? vector.Body.Replace("Text=x+y", "Tex=tx+y", StringComparison.Ordinal));

            Assert.True(first.Passed && second.Passed, $"{name}: {second.Detail}");
            Assert.NotNull(delivery.Proof!.Value.SignedId);
            Assert.Equal(delivery.Proof.Value.SignedId, cut.Proof!.Value.SignedId);
            Assert.Equal(["id"], Presets.Find(name)!.Replay!.Options!.Key);
        }
    }

    [Fact]
    public async Task Twilio_is_tried_with_and_without_its_port()
    {
        var vector = VendorVector.Load("twilio");

        Assert.True((await CodeBench.DecideAsync(vector with { PublicUrl = vector.PublicUrl + ":8443" })).Verdict.Passed);
#pragma warning disable CA5350 // What Twilio does.
        var mac = Convert.ToBase64String(HMACSHA1.HashData("12345"u8, "https://mycompany.com:443/myapp.php"u8));
#pragma warning restore CA5350
        Assert.True((await CodeBench.DecideAsync(vector, body: "", target: vector.Path, headers: ("X-Twilio-Signature", mac))).Verdict.Passed);
        Refused(RejectReason.SignatureMismatch, (await CodeBench.DecideAsync(vector with { PublicUrl = "http://mycompany.com" })).Verdict);
    }

    [Fact]
    public async Task A_repeated_form_field_is_signed_once()
    {
        var vector = VendorVector.Load("twilio");

        Assert.True((await CodeBench.DecideAsync(vector, body: vector.Body + "&Digits=1234")).Verdict.Passed);
        Assert.False((await CodeBench.DecideAsync(vector, body: vector.Body + "&Digits=12345")).Verdict.Passed);
    }

    [Fact]
    public async Task Braintree_takes_no_challenge_for_a_payload()
    {
        var vector = VendorVector.Load("braintree");
        const string Challenge = "20f9f8ed05f77439fe955c977e4c8a53";
#pragma warning disable CA5350 // What Braintree does.
        var mac = Convert.ToHexStringLower(HMACSHA1.HashData(SHA1.HashData(Encoding.UTF8.GetBytes(vector.Secret.Split(':')[1])),
            Encoding.ASCII.GetBytes(Challenge)));
#pragma warning restore CA5350
        foreach (var end in new[] { "", "%0A" })
        {
            Refused(RejectReason.SignatureMalformed,
                (await CodeBench.DecideAsync(vector, body: $"bt_signature={vector.Secret.Split(':')[0]}%7C{mac}&bt_payload={Challenge}{end}")).Verdict);
        }

        Refused(RejectReason.SignatureMalformed, (await CodeBench.DecideAsync(vector, body: vector.Body + "&bt_payload=x")).Verdict);
        Refused(RejectReason.SignatureMissing, (await CodeBench.DecideAsync(vector, body: "bt_payload=x")).Verdict);
    }

    [Fact]
    public async Task Every_adyen_item_must_hold_and_there_must_be_one()
    {
        var vector = VendorVector.Load("adyen-payments");
        Refused(RejectReason.SignatureMissing, (await CodeBench.DecideAsync(vector, body: """{"notificationItems":[]}""")).Verdict);

        var two = JsonNode.Parse(vector.Body)!;
        var items = two["notificationItems"]!.AsArray();
        items.Add(items[0]!.DeepClone());
        Assert.True((await CodeBench.DecideAsync(vector, body: two.ToJsonString())).Verdict.Passed);
        items[1]!["NotificationRequestItem"]!["amount"]!["value"] = 113000;
        Refused(RejectReason.SignatureMismatch, (await CodeBench.DecideAsync(vector, body: two.ToJsonString())).Verdict);
        items[1]!["NotificationRequestItem"]!["additionalData"]!.AsObject().Remove("hmacSignature");
        Refused(RejectReason.SignatureMissing, (await CodeBench.DecideAsync(vector, body: two.ToJsonString())).Verdict);
        Refused(RejectReason.SignatureMissing,
            (await CodeBench.DecideAsync(vector,
            body: vector.Body.Replace("\"eventCode\":", "\"eventCode\":\"REFUND\",\"eventCode\":", StringComparison.Ordinal))).Verdict);
        Refused(RejectReason.SignatureMalformed,
            (await CodeBench.DecideAsync(vector,
            body: vector.Body.Replace("\"TestMerchant\",\"merchantReference\":\"TestPayment", "\"TestMerchant:TestPayment\",\"merchantReference\":\"x",
            StringComparison.Ordinal))).Verdict);
    }

    [Fact]
    public async Task What_is_not_signed_does_not_change_the_signed_id()
    {
        var adyen = VendorVector.Load("adyen-payments");
        var sns = VendorVector.Load("aws-sns");
        var mailgun = VendorVector.Load("mailgun");
        foreach (var (vector, other) in new[]
        {
            (adyen, adyen.Body.Replace("\"additionalData\":{", "\"additionalData\":{\"x\":\"1\",", StringComparison.Ordinal)),
            (sns, sns.Body.Replace("\"Type\"", "\"MessageAttributes\":{}, \"Type\"", StringComparison.Ordinal)),
            (mailgun, mailgun.Body.Replace("delivered", "complained", StringComparison.Ordinal)),
        })
        {
            var (verdict, delivery) = await CodeBench.DecideAsync(vector, body: other);

            Assert.True(verdict.Passed, verdict.Detail);
            Assert.Equal((await CodeBench.DecideAsync(vector)).Delivery.Proof!.Value.SignedId, delivery.Proof!.Value.SignedId);
            Assert.Equal(TrustLevel.Authenticated, delivery.Trust);
        }
    }

    [Fact]
    public async Task Contentful_must_sign_its_time_and_its_list_of_headers()
    {
        var vector = VendorVector.Load("contentful");
        foreach (var list in new[] { "x-contentful-timestamp", "x-contentful-signed-headers", "X-Contentful-Timestamp,x-contentful-signed-headers",
            "x-contentful-timestamp,x-contentful-timestamp,x-contentful-signed-headers", "," })
        {
            Refused(RejectReason.SignatureMalformed, (await CodeBench.DecideAsync(vector, headers: ("x-contentful-signed-headers", list))).Verdict);
        }

        Refused(RejectReason.SignatureMissing, (await CodeBench.DecideAsync(vector, headers: ("x-contentful-signed-headers", "x-absent,x-contentful-signed-headers,x-contentful-timestamp"))).Verdict);
    }

    [Theory]
    [InlineData("https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem?x=.pem")]
    [InlineData("http://sns.us-west-2.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem")]
    [InlineData("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem")]
    [InlineData("https://sns.us-west-2.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef.pem")]
    [InlineData("https://sns.us-west-2.amazonaws.com@evil.example/SimpleNotificationService-0123456789abcdef.pem")]
    [InlineData("https://sns.us-west-2.amazonaws.com/SimpleNotificationService-../../x.pem")]
    [InlineData("https://sns.us-west-2.amazonaws.com:444/SimpleNotificationService-0123456789abcdef.pem")]
    [InlineData("https://bucket.s3.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem")]
    public async Task A_certificate_elsewhere_is_not_fetched(string url)
    {
        var vector = VendorVector.Load("aws-sns");
        var answers = new CodeBench.CannedAnswers(vector.Keys);
        var body = JsonNode.Parse(vector.Body)!;
        body["SigningCertURL"] = url;

        Refused(RejectReason.SignatureMalformed,
            (await CodeBench.DecideAsync(vector, body: body.ToJsonString(), keys: CodeBench.Keys(answers, At(vector, 0)))).Verdict);
        Assert.Empty(answers.Asked);
    }

    [Theory]
    [InlineData("https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1")]
    [InlineData("https://api.paypal.com/v1/notifications/certs/../../x")]
    [InlineData("https://api.paypal.com/v1/notifications/certs/CERT-1?x")]
    [InlineData("http://api.paypal.com/v1/notifications/certs/CERT-1")]
    [InlineData("https://evil.example/https://api.paypal.com/v1/notifications/certs/CERT-1")]
    public async Task A_paypal_certificate_elsewhere_is_not_fetched(string url)
    {
        var vector = VendorVector.Load("paypal");
        var answers = new CodeBench.CannedAnswers(vector.Keys);

        Refused(RejectReason.SignatureMalformed,
            (await CodeBench.DecideAsync(vector, keys: CodeBench.Keys(answers, At(vector, 0)), headers: ("PAYPAL-CERT-URL", url))).Verdict);
        Assert.Empty(answers.Asked);
    }

    [Fact]
    public async Task An_sns_message_has_one_way_to_be_cut_and_one_topic()
    {
        var vector = VendorVector.Load("aws-sns");
        var moved = JsonNode.Parse(vector.Body)!;
        moved["Message"] = "Hello";
        moved["MessageId"] = "world é!\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324";
        Refused(RejectReason.SignatureMalformed, (await CodeBench.DecideAsync(vector, body: moved.ToJsonString())).Verdict);
        Refused(RejectReason.SignatureMismatch, (await CodeBench.DecideAsync(vector, secret: "arn:aws:sns:us-west-2:123456789012:Another")).Verdict);
        Refused(RejectReason.SignatureMissing, (await CodeBench.DecideAsync(vector, body: vector.Body.Replace("\"Message\":", "\"Message\": \"x\", \"Message\":", StringComparison.Ordinal))).Verdict);
        Assert.Null(SchemeCompiler.Compile(vector.Scheme!, [new("env:T", "not-an-arn-of-a-topic"u8.ToArray())],
            new(null, "/in", TimeProvider.System, CodeBench.Keys(new CodeBench.CannedAnswers(null), At(vector, 0))), new List<ConfigProblem>(), "s"));
    }

    [Fact]
    public async Task Another_bodys_crc_does_not_pass_and_the_transmission_is_the_id()
    {
        var vector = VendorVector.Load("paypal");

        Assert.Equal(vector.Headers["PAYPAL-TRANSMISSION-ID"], (await CodeBench.DecideAsync(vector)).Delivery.Proof!.Value.SignedId);
        Refused(RejectReason.SignatureMismatch, (await CodeBench.DecideAsync(vector, body: vector.Body + " ")).Verdict);
        Assert.Equal(0xCBF43926u, Crc32.Of(new("123456789"u8.ToArray())));
        Assert.Equal(["id"], Presets.Find("paypal")!.Replay!.Options!.Key);
    }

    [Fact]
    public async Task A_key_that_is_too_large_or_comes_with_a_redirect_is_none()
    {
        var answers = new CodeBench.CannedAnswers(new Dictionary<string, string> { ["https://sns.example/large"] = new('x', KeyFetcher.MaxBytes + 1) });
        var keys = CodeBench.Keys(answers, SchemeHarness.Now);

        Assert.Equal(KeyFetch.NoSuchKey, (await Ask(keys, "https://sns.example/large")).Result);
        answers.Otherwise = HttpStatusCode.Found;
        Assert.Equal(KeyFetch.Unavailable, (await Ask(keys, "https://sns.example/moved")).Result);
    }

    [Fact]
    public void A_certificate_out_of_date_too_short_or_of_somebody_else_is_none()
    {
        var now = SchemeHarness.Now;

        Assert.NotNull(CertificateKeys.Read(Certificate("sns.amazonaws.com", 2048, now.AddDays(-1), now.AddDays(1)), "amazonaws.com", HashAlgorithmName.SHA256,
            now));
        Assert.Null(CertificateKeys.Read(Certificate("sns.amazonaws.com", 2048, now.AddDays(-9), now.AddDays(-1)), "amazonaws.com", HashAlgorithmName.SHA256,
            now));
        Assert.Null(CertificateKeys.Read(Certificate("sns.amazonaws.com", 1024, now.AddDays(-1), now.AddDays(1)), "amazonaws.com", HashAlgorithmName.SHA256,
            now));
        Assert.Null(CertificateKeys.Read(Certificate("notamazonaws.com", 2048, now.AddDays(-1), now.AddDays(1)), "amazonaws.com", HashAlgorithmName.SHA256, now));
        Assert.Null(CertificateKeys.Read("no certificate"u8.ToArray(), "amazonaws.com", HashAlgorithmName.SHA256, now));
    }

    [Theory]
    [InlineData("ed25519", "00")]
    [InlineData("ed25519", "zz")]
    [InlineData("ecdsa-p256", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE")]
    [InlineData("rsa-key", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----")]
    [InlineData("rsa-key", "hello")]
    public void What_is_no_public_key_does_not_load(string kind, string secret)
    {
        var problems = new List<ConfigProblem>();

        Assert.Null(SchemeCompiler.Compile(new() { Kind = kind, Header = new(["X-Sig"]),
            Key = kind == "rsa-key" ? null : new() { Encoding = kind == "ed25519" ? KeyEncoding.Hex : KeyEncoding.Base64 } },
            [new("env:K", Encoding.ASCII.GetBytes(secret))], new(null, "/in", TimeProvider.System), problems, "s"));
        Assert.Contains(problems, static problem => !problem.IsWarning && problem.Hint is not null);
        Assert.DoesNotContain(problems, problem => problem.ToString().Contains(secret, StringComparison.Ordinal) && secret.Length > 4);
    }

    [Fact]
    public void A_private_key_on_a_route_is_refused_with_a_word_of_warning()
    {
        using var rsa = RSA.Create(2048);
        var problems = new List<ConfigProblem>();

        Assert.Null(SchemeCompiler.Compile(new() { Kind = "rsa-key", Header = new(["X-Sig"]) },
            [new("env:K", Encoding.ASCII.GetBytes(rsa.ExportPkcs8PrivateKeyPem()))], new(null, "/in", TimeProvider.System), problems, "s"));
        Assert.Contains("is a private key", Assert.Single(problems).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ed25519_agrees_with_rfc_8032_and_refuses_what_is_not_canonical()
    {
        var seed = Convert.FromHexString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        var expected = Convert.FromHexString("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
        var key = Ed25519.PublicKeyOf(seed);

        Assert.Equal("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", Convert.ToHexStringLower(key));
        Assert.Equal(expected, Ed25519.Sign(seed, []));
        Assert.True(Ed25519.Verify(key, [], expected));
        Assert.False(Ed25519.Verify(key, [0], expected));
        Assert.False(Ed25519.Verify(key, [], expected.AsSpan(0, 63)));

        // S + L: the same signature for a verifier that does not look.
        var order = new System.Numerics.BigInteger(Convert.FromHexString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"), isUnsigned: true);
        var high = (new System.Numerics.BigInteger(expected.AsSpan(32), isUnsigned: true) + order).ToByteArray(isUnsigned: true);
        byte[] malleable = [.. expected.AsSpan(0, 32), .. high, .. new byte[32 - high.Length]];
        Assert.False(Ed25519.Verify(key, [], malleable));
    }

    public static TheoryData<string> Signable() =>
        [.. Presets.All.Values.Where(static p => CodeVerifiers.Facts.ContainsKey(p.Scheme.Kind ?? "hmac")
            && p.Scheme.Kind is not ("plaid" or "aws-sns" or "paypal")).Select(static p => p.Name)];

    [Theory]
    [MemberData(nameof(Signable))]
    public async Task What_send_signs_is_accepted(string name)
    {
        var scheme = Presets.Find(name)!.Scheme;
        var (signing, checking) = KeysFor(scheme);
        var signed = RequestSigner.SignRequest(scheme, Encoding.UTF8.GetBytes(signing), "POST", "https://hooks.example.com/in",
            "{\"id\":\"evt_1\"}"u8.ToArray(), SchemeHarness.Now);
        var vector = new VendorVector
        {
            Source = "", Scheme = scheme, Secret = checking, Method = "POST", PublicUrl = "https://hooks.example.com", Path = "/in",
                Target = "/in" + signed.Query, Now = SchemeHarness.Now.ToUnixTimeSeconds(),
            Headers = signed.Headers.Append(new("Content-Type", signed.ContentType ?? "application/json")).ToDictionary(),
            Body = Encoding.UTF8.GetString(signed.Body),
        };

        var (verdict, _) = await CodeBench.DecideAsync(vector);

        Assert.True(verdict.Passed, verdict.Detail);
        Assert.False((await CodeBench.DecideAsync(vector with { Body = vector.Body.Replace('1', '2') })).Verdict.Passed);
    }

    [Theory]
    [InlineData("plaid")]
    [InlineData("aws-sns")]
    [InlineData("paypal")]
    public void Where_only_the_sender_can_sign_send_says_so(string name) => Assert.Contains(
        "only the sender can sign",
        Assert.Throws<ArgumentException>(() => RequestSigner.SignRequest(Presets.Find(name)!.Scheme, "x"u8, "POST", "https://h/in", [], SchemeHarness.Now)).Message,
        StringComparison.Ordinal);

    [Fact]
    public void A_field_that_a_kind_does_not_read_is_a_fault()
    {
        foreach (var kind in CodeVerifiers.All.Keys)
        {
            var problems = SchemeHarness.Problems(new() { Kind = kind, Signed = "{body}", Entries = new() { Separator = "," }, Algorithm = MacAlgorithm.Sha1 });

            Assert.Equal(3, problems.Count(problem => problem.Message == $"means nothing with the kind {kind}"));
        }

        Assert.Contains(SchemeHarness.Problems(new() { Kind = "jwt-hs256" }), static problem => problem.Path == "s.claims");
        Assert.Contains(SchemeHarness.Problems(new() { Kind = "plaid", KeysUrl = "https://evil.example" }), static problem => problem.Path == "s.keysUrl");
        Assert.Contains(SchemeHarness.Problems(new() { Kind = "twilio" }, publicUrl: null),
            static problem => problem.Message.Contains("{url}", StringComparison.Ordinal));
        Assert.Contains(SchemeHarness.Problems(new() { Kind = "rsa-key", Header = new(["X"]), Algorithm = MacAlgorithm.Sha1 }),
            static problem => problem.Path == "s.algorithm");
    }

    private static (string Signing, string Checking) KeysFor(SchemeSpec scheme)
    {
        switch (scheme.Kind)
        {
            case "ed25519":
                var seed = SHA256.HashData("seed"u8);
                var hex = scheme.Key?.Encoding == KeyEncoding.Hex;
                string Spell(byte[] key) => scheme.Key?.Strip + (hex ? Convert.ToHexStringLower(key) : Convert.ToBase64String(key));
                return (Spell(seed), Spell(Ed25519.PublicKeyOf(seed)));
            case "ecdsa-p256":
                using (var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256))
                {
                    return (ecdsa.ExportPkcs8PrivateKeyPem(), Convert.ToBase64String(ecdsa.ExportSubjectPublicKeyInfo()));
                }

            case "rsa-key":
                using (var rsa = RSA.Create(2048))
                {
                    return (rsa.ExportPkcs8PrivateKeyPem(), rsa.ExportSubjectPublicKeyInfoPem());
                }

            case "braintree":
                return ("public:private-key-0123456789", "public:private-key-0123456789");
            case "adyen-items":
                var key = Convert.ToHexString(SHA256.HashData("key"u8));
                return (key, key);
            default:
                return (Key, Key);
        }
    }

    private static DateTimeOffset At(VendorVector vector, int seconds) => DateTimeOffset.FromUnixTimeSeconds(vector.Now + seconds);

    private static ValueTask<(KeyFetch Result, RemoteKey? Key)> Ask(RemoteKeys keys, string url) =>
        keys.GetAsync(new KeySource("", static url => new(HttpMethod.Get, url), static (_, _) => throw new InvalidOperationException("nothing came"))
            .Ask(url, "route", default), CancellationToken.None);

    private static byte[] Certificate(string name, int bits, DateTimeOffset from, DateTimeOffset to)
    {
        using var key = RSA.Create(bits);
        using var certificate = new System.Security.Cryptography.X509Certificates.CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256,
            RSASignaturePadding.Pkcs1).CreateSelfSigned(from, to);
        return Encoding.ASCII.GetBytes(certificate.ExportCertificatePem());
    }

    private static string Jwt(string claims)
    {
        var text = Url("""{"alg":"HS256"}"""u8) + "." + Url(Encoding.UTF8.GetBytes(claims));
        return text + "." + Url(HMACSHA256.HashData(Encoding.ASCII.GetBytes(Key), Encoding.ASCII.GetBytes(text)));
    }

    private static string Url(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}
