using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookEdge.Authentication;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Verifiers;

/// <summary>Challenges and code verifiers over real sockets, through the whole gateway.</summary>
public sealed class HandshakesAndVerifiersTests
{
    private const string Secret = "a-secret-of-thirty-two-characters";

    private const string Routes = """
        { "edge": { "publicUrl": "https://hooks.example.com" },
          "routes": {
            "slack":  { "path": "/slack",  "provider": "slack", "secrets": ["file:{dir}/secret"], "handshake": "slack", "freshness": { "at": "json:/created", "within": "24h" }, "upstream": "{upstream}" },
            "meta":   { "path": "/meta",   "verify": [{ "scheme": { "header": "X-Hub-Signature-256", "prefix": "sha256=" }, "secrets": ["file:{dir}/secret"] }],
                        "handshake": { "name": "meta", "verifyToken": "file:{dir}/token" }, "upstream": "{upstream}" },
            "x":      { "path": "/x",      "provider": "x", "secrets": ["file:{dir}/secret"], "handshake": "x", "upstream": "{upstream}" },
            "twilio": { "path": "/twilio", "provider": "twilio", "secrets": ["file:{dir}/secret"], "upstream": "{upstream}" },
            "discord": { "path": "/discord", "provider": "discord", "secrets": ["file:{dir}/ed25519"], "upstream": "{upstream}" },
            "sns":    { "path": "/sns",    "provider": "aws-sns", "secrets": ["file:{dir}/topic"], "upstream": "{upstream}" }
          } }
        """;

    [Fact]
    public async Task A_signed_challenge_is_answered_and_neither_forwarded_nor_remembered()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);
        var challenge = Signed("slack", "/slack", """{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV"}""");

        foreach (var answer in new[] { await gateway.SendAsync(challenge), await gateway.SendAsync(challenge) })
        {
            Assert.Equal(200, answer.Status);
            Assert.Equal("3eZbrw1aBm2rZgRNFdxV", answer.BodyText);
            Assert.StartsWith("text/plain", answer.Headers["Content-Type"], StringComparison.Ordinal);
            Assert.Equal("nosniff", answer.Headers["X-Content-Type-Options"]);
            Assert.Null(answer.Headers["X-Webhook-Duplicate"]);
        }

        Assert.Equal(401, (await gateway.SendAsync(RawRequest.Post("/slack", """{"type":"url_verification","challenge":"abc"}"""))).Status);
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task Get_is_for_the_handshake_alone()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);

        var good = await gateway.SendAsync(RawRequest.Get("/meta?hub.mode=subscribe&hub.verify_token=the-verify-token&hub.challenge=1158201444"));
        Assert.Equal((200, "1158201444"), (good.Status, good.BodyText));
        Assert.Equal(401, (await gateway.SendAsync(RawRequest.Get("/meta?hub.mode=subscribe&hub.verify_token=guessed&hub.challenge=1158201444"))).Status);
        Assert.Equal(405, (await gateway.SendAsync(RawRequest.Get("/meta"))).Status);
        Assert.Equal(405, (await gateway.SendAsync(RawRequest.Get("/slack"))).Status);
        Assert.Equal(405, (await gateway.SendAsync(RawRequest.Get("/twilio?challenge=a"))).Status);
        Assert.Equal(400,
            (await gateway.SendAsync(RawRequest.Get("/meta?hub.mode=subscribe&hub.verify_token=the-verify-token&hub.challenge=%3Cscript%3E"))).Status);
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task A_challenge_does_not_sign_an_event()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);

        Assert.Equal(200, (await gateway.SendAsync(RawRequest.Get("/x?crc_token=MjY1OTkwYmItZjE0Mi00ZDM0"))).Status);
        foreach (var body in new[] { "{\"id\":1}", "v0:1700000000:{\"event\":1}", "123456789012345678", "true" })
        {
            var answer = await gateway.SendAsync(RawRequest.Get("/x?crc_token=" + Uri.EscapeDataString(body)));

            Assert.Equal(400, answer.Status);
            Assert.Empty(answer.Body);
        }
    }

    [Theory]
    [InlineData("MjY1OTkwYmItZjE0Mi00ZDM0")]
    [InlineData("trueaaaaaaaaaaaaaaaa")]
    public async Task What_a_challenge_had_signed_is_no_event(string token)
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);
        var answer = await gateway.SendAsync(RawRequest.Get("/x?crc_token=" + token));
        var signature = JsonDocument.Parse(answer.Body).RootElement.GetProperty("response_token").GetString()!;

        var forged = await gateway.SendAsync(RawRequest.Post("/x", token).WithHeader("x-twitter-webhooks-signature", signature));

        Assert.Equal(401, forged.Status);
        Assert.Empty(upstream.Requests);
        var written = "sha256=" + Convert.ToBase64String(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), "{\"id\":1}"u8));
        (await gateway.SendAsync(RawRequest.Post("/x", "{\"id\":1}").WithHeader("x-twitter-webhooks-signature", written))).AssertDelivered();
    }

    [Fact]
    public async Task A_twilio_form_is_verified_forwarded_and_its_second_cut_is_a_duplicate()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);
#pragma warning disable CA5350 // What Twilio does.
        var signature = Convert.ToBase64String(HMACSHA1.HashData(Encoding.UTF8.GetBytes(Secret),
            Encoding.UTF8.GetBytes("https://hooks.example.com/twilio?a=1" + "Body" + "hi there" + "From" + "+1")));
#pragma warning restore CA5350
        var form = Form("/twilio?a=1", "From=%2B1&Body=hi+there", signature);

        Assert.Equal(200, (await gateway.SendAsync(form)).Status);
        var received = await upstream.WaitForRequestAsync();
        Assert.Equal("verified", received.Headers["X-Webhook-Trust"]);
        Assert.Equal("From=%2B1&Body=hi+there", received.BodyText);

        // The same signed text, cut into other fields: verified as it must be, and known already.
        var cut = await gateway.SendAsync(Form("/twilio?a=1", "Bodyhi=+thereFrom%2B1", signature));
        Assert.Equal("true", cut.Headers["X-Webhook-Duplicate"]);
        Assert.Equal(401, (await gateway.SendAsync(Form("/twilio?a=2", "From=%2B1&Body=hi+there", signature))).Status);
        Assert.Equal(401, (await gateway.SendAsync(Form("/twilio?a=1", "From=%2B1&Body=hi+you", signature))).Status);
        Assert.Single(upstream.Requests);
    }

    [Fact]
    public async Task A_discord_ping_gets_its_pong_and_an_interaction_is_forwarded()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await StartAsync(upstream);

        var pong = await gateway.SendAsync(SignedByDiscord("""{"type":1,"id":"1"}"""));
        Assert.Equal((200, """{"type":1}"""), (pong.Status, pong.BodyText));
        Assert.Equal(200, (await gateway.SendAsync(SignedByDiscord("""{"type":2,"id":"1"}"""))).Status);
        Assert.Equal(401,
            (await gateway.SendAsync(SignedByDiscord("""{"type":1,"id":"1"}""") with { Body = Encoding.UTF8.GetBytes("""{"type":1,"id":"2"}""") })).Status);
        Assert.Single(upstream.Requests);
    }

    [Fact]
    public async Task An_sns_message_is_verified_with_one_fetch_of_its_certificate_and_its_subscribe_url_is_not_followed()
    {
        await using var upstream = TestUpstream.Start();
        using var key = RSA.Create(2048);
        var publisher = new Publisher(key);
        await using var gateway = await StartAsync(upstream, publisher);

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => gateway.SendAsync(publisher.Message("id-" + i))));
        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Equal(200, (await gateway.SendAsync(publisher.Message("id-confirm", confirmation: true))).Status);
        Assert.Equal(401, (await gateway.SendAsync(publisher.Message("id-other", topic: "arn:aws:sns:us-west-2:999999999999:Theirs"))).Status);
        Assert.Equal(401,
            (await gateway.SendAsync(publisher.Message("id-host",
            certificate: "https://sns.us-west-2.amazonaws.com.evil.example/SimpleNotificationService-ab.pem"))).Status);
        Assert.Equal("true", (await gateway.SendAsync(publisher.Message("id-1"))).Headers["X-Webhook-Duplicate"]);
        Assert.Equal([Publisher.Certificate], publisher.Asked);
        Assert.Equal(9, upstream.Requests.Count);
    }

    [Fact]
    public async Task A_certificate_that_cannot_be_had_is_a_503_that_the_sender_repeats()
    {
        await using var upstream = TestUpstream.Start();
        using var key = RSA.Create(2048);
        var publisher = new Publisher(key) { IsDown = true };
        await using var gateway = await StartAsync(upstream, publisher);

        var refused = await gateway.SendAsync(publisher.Message("id-1"));
        Assert.Equal((503, "5"), (refused.Status, refused.Headers["Retry-After"]));
        publisher.IsDown = false;
        Assert.Equal(200, (await gateway.SendAsync(publisher.Message("id-1"))).Status);
    }

    [Fact]
    public async Task Strangers_who_name_random_certificates_cannot_keep_an_authentic_message_out_after_a_restart_either()
    {
        using var state = new TempDirectory();
        await using var upstream = TestUpstream.Start();
        using var key = RSA.Create(2048);
        var publisher = new Publisher(key) { KnowsOnly = Publisher.Certificate };
        await using (var first = await StartAsync(upstream, publisher, Behind(state)))
        {
            await FloodAsync(first);
            Assert.Equal(200, (await first.SendAsync(From("198.51.100.9", publisher.Message("id-1")))).Status);
        }

        publisher.IsDown = true;
        await using (var second = await StartAsync(upstream, publisher, Behind(state)))
        {
            await FloodAsync(second);
            Assert.Equal(200, (await second.SendAsync(From("198.51.100.9", publisher.Message("id-2")))).Status);
            Assert.True(second.Logs.WithEvent(4002).Count <= 2, "a line for each stranger");
        }

        Assert.Equal(2, upstream.Requests.Count);
        Assert.Single(publisher.Asked, Publisher.Certificate);

        static string Behind(TempDirectory state) =>
            Routes.Replace(""" "edge": { """, $$""" "edge": { "stateDirectory": {{System.Text.Json.JsonSerializer.Serialize(state.Path)}}, "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.0/8"] }, """, StringComparison.Ordinal);

        static RawRequest From(string address, RawRequest request) => request.WithHeader("X-Forwarded-For", address);

        async Task FloodAsync(TestGateway gateway)
        {
            for (var i = 0; i < 120; i++)
            {
                var certificate = $"https://sns.us-west-2.amazonaws.com/SimpleNotificationService-{i + 0x1000:x32}.pem";
                var answer = await gateway.SendAsync(From($"203.0.113.{1 + (i % 8)}", publisher.Message("id-" + i, certificate: certificate)));
                Assert.True(answer.Status is 401 or 503, $"{answer.Status}");
            }
        }
    }

    private static Task<TestGateway> StartAsync(TestUpstream upstream, HttpMessageHandler? publisher = null, string routes = Routes) => TestGateway.StartAsync(
        routes,
        upstream.Address,
        new Dictionary<string, string> { ["secret"] = Secret, ["token"] = "the-verify-token", ["topic"] = Publisher.Topic,
            ["ed25519"] = Convert.ToHexStringLower(Ed25519.PublicKeyOf(Seed)) },
        services: publisher is null ? null : services =>
            services.AddSingleton(s =>
            new RemoteKeys(new HttpMessageInvoker(publisher, disposeHandler: false), TimeProvider.System, s.GetRequiredService<ILogger<RemoteKeys>>())));

    private static byte[] Seed => SHA256.HashData("a seed for tests"u8);

    private static RawRequest Signed(string preset, string target, string body)
    {
        var headers = RequestSigner.Sign(Presets.Find(preset)!.Scheme, Encoding.UTF8.GetBytes(Secret), "POST", "", Encoding.UTF8.GetBytes(body),
            TimeProvider.System.GetUtcNow());
        return headers.Aggregate(RawRequest.Post(target, body), static (request, header) => request.WithHeader(header.Key, header.Value));
    }

    private static RawRequest SignedByDiscord(string body)
    {
        var headers = RequestSigner.Sign(Presets.Find("discord")!.Scheme, Encoding.ASCII.GetBytes(Convert.ToHexStringLower(Seed)), "POST", "",
            Encoding.UTF8.GetBytes(body), TimeProvider.System.GetUtcNow());
        return headers.Aggregate(RawRequest.Post("/discord", body), static (request, header) => request.WithHeader(header.Key, header.Value));
    }

    private static RawRequest Form(string target, string body, string signature) =>
        RawRequest.Post(target, body).WithHeader("Content-Type", "application/x-www-form-urlencoded").WithHeader("X-Twilio-Signature", signature);

    /// <summary>SNS: signs messages, and hands out its certificate.</summary>
    private sealed class Publisher(RSA key) : HttpMessageHandler
    {
        public const string Topic = "arn:aws:sns:us-west-2:123456789012:Mine";
        public const string Certificate = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem";

        private readonly string _pem = MakeCertificate(key);

        public List<string> Asked { get; } = [];

        public bool IsDown { get; set; }

        /// <summary>The one address that has a certificate; null: each has.</summary>
        public string? KnowsOnly { get; init; }

        public RawRequest Message(string id, string topic = Topic, string certificate = Certificate, bool confirmation = false)
        {
            var time = TimeProvider.System.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);
            var fields = new Dictionary<string, string> { ["Message"] = "hello\nworld", ["MessageId"] = id, ["Timestamp"] = time, ["TopicArn"] = topic,
                ["Type"] = "Notification" };
            if (confirmation)
            {
                (fields["Type"], fields["Token"], fields["SubscribeURL"]) = ("SubscriptionConfirmation", "t",
                    "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription");
            }

            var text = string.Concat(fields.OrderBy(static f => f.Key, StringComparer.Ordinal).Select(static f => $"{f.Key}\n{f.Value}\n"));
            fields["Signature"] = Convert.ToBase64String(key.SignData(Encoding.UTF8.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
            (fields["SignatureVersion"], fields["SigningCertURL"]) = ("2", certificate);
            return RawRequest.Post("/sns", System.Text.Json.JsonSerializer.Serialize(fields)).WithHeader("x-amz-sns-message-type", fields["Type"]);
        }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            lock (Asked)
            {
                Asked.Add(request.RequestUri!.AbsoluteUri);
            }

            return IsDown ? throw new HttpRequestException("down")
                : KnowsOnly is { } only && only != request.RequestUri.AbsoluteUri ? Task.FromResult(new HttpResponseMessage(System.Net.HttpStatusCode.NotFound))
                : Task.FromResult(new HttpResponseMessage { Content = new StringContent(_pem) });
        }

        private static string MakeCertificate(RSA key)
        {
            var request = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=sns.amazonaws.com", key, HashAlgorithmName.SHA256,
                RSASignaturePadding.Pkcs1);
            var now = TimeProvider.System.GetUtcNow();
            using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
            return certificate.ExportCertificatePem();
        }
    }
}
