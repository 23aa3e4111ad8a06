using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>
/// Every documented sample request of the four founding providers: taken with the right secret from the right address, refused with any single
/// byte changed, and then not a byte of it at the app.
/// </summary>
public class Founding_providers : SiteTests
{
    private const string RealIdAddress = "3.80.17.4";
    private const string VerisyncAddress = "13.42.70.11";

    private static readonly string[] Stripped = ["Authorization", "secret", "X-IDWise-Key"];

    /// <summary>One documented way to send: the path, the sender's address, the sample and the headers that prove it.</summary>
    internal sealed record Sample(string Name, string Address, byte[] Body, (string Name, string Value)[] Proof, string Trust, string? Provider,
        bool SignsBody, string KeyId)
    {
        public RawRequest Request => WithProof(Proof);

        public RawRequest WithProof(IEnumerable<(string Name, string Value)> proof) => RawRequest.Post($"/hooks/{Name}", Body) with
        {
            Headers = [("X-Forwarded-For", Address), ("Content-Type", "application/json"), ("User-Agent", "provider/1.0"), .. proof],
        };
    }

    private static string Basic => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(Site.User));

    internal static Dictionary<string, Sample> Samples { get; } = new Sample[]
    {
        new("real-id", RealIdAddress, ProviderSamples.RealIdCheck, [("X-Real-ID-Signature", Site.Sign(ProviderSamples.RealIdCheck))], "verified", "real-id",
            true, "signing"),
        new("real-id-privacy", RealIdAddress, ProviderSamples.RealIdPrivacy, [("x-real-id-signature", Site.Sign(ProviderSamples.RealIdPrivacy))], "verified",
            "real-id", true, "signing"),
        new("verisync", VerisyncAddress, ProviderSamples.Verisync, [("verisync-signature", Site.Sign(ProviderSamples.Verisync))], "verified", "verisync", true,
            "signing"),
        new("cr3-signature", "192.0.2.1", ProviderSamples.Cr3dentials, [("x-webhook-signature", Site.Sign(ProviderSamples.Cr3dentials))], "verified",
            "cr3dentials", true, "signing"),
        new("cr3-rotated", "192.0.2.1", ProviderSamples.Cr3dentialsTest,
            [("x-webhook-signature", Site.Sign(ProviderSamples.Cr3dentialsTest, Site.OlderSecret))], "verified", "cr3dentials", true, "older"),
        new("cr3-both", "192.0.2.1", ProviderSamples.Cr3dentials, [("x-webhook-signature", Site.Sign(ProviderSamples.Cr3dentials)), ("secret", Site.Token)],
            "verified", "cr3dentials", true, "signing"),
        new("cr3-header", "192.0.2.1", ProviderSamples.Cr3dentials, [("secret", Site.Token)], "authenticated", "cr3dentials", false, "token"),
        new("idwise-basic", "203.0.113.9", ProviderSamples.IdWise, [("Authorization", Basic)], "authenticated", "idwise", false, "user"),
        new("idwise-bearer", "203.0.113.9", ProviderSamples.IdWise, [("Authorization", "Bearer " + Site.Token)], "authenticated", "idwise", false, "token"),
        new("idwise-header", "203.0.113.9", ProviderSamples.IdWise, [("X-IDWise-Key", Site.Token)], "authenticated", "idwise", false, "token"),
    }.ToDictionary(sample => sample.Name);

    public static TheoryData<string> All => [.. Samples.Keys];

    public static TheoryData<string> Signing => [.. Samples.Values.Where(sample => sample.SignsBody).Select(sample => sample.Name)];

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_documented_sample_is_taken_and_reaches_the_app_as_it_was_sent(string name)
    {
        var sample = Samples[name];
        Site.Upstream.RespondNext(UpstreamAnswer.Status(200, """{"received":true}""", ("Content-Type", "application/json")));

        var answer = await Site.SendAsync(sample.Request.WithHeader("X-Custom", "kept as it is"));

        Assert.Equal(200, answer.Status);
        Assert.Equal("""{"received":true}""", answer.BodyText);
        var got = Assert.Single(Site.Upstream.Requests, request => request.Target == $"/hooks/{name}");
        Assert.Equal("POST", got.Method);
        Assert.Equal(sample.Body, got.Body);
        Assert.False(got.IsChunked);
        Assert.Equal("application/json", got.Headers["Content-Type"]);
        Assert.Equal("provider/1.0", got.Headers["User-Agent"]);
        Assert.Equal("kept as it is", got.Headers["X-Custom"]);
        Assert.Equal(name, got.Headers["X-Webhook-Route"]);
        Assert.Equal(sample.Provider, got.Headers["X-Webhook-Provider"]);
        Assert.Equal(sample.Trust, got.Headers["X-Webhook-Trust"]);
        Assert.EndsWith($"/{sample.KeyId}", got.Headers["X-Webhook-Key-Id"], StringComparison.Ordinal);
        Assert.Equal(64, got.Headers["X-Webhook-Event-Key"]!.Length);
        Assert.Equal(got.Headers["X-Webhook-Event-Key"], got.Headers["Idempotency-Key"]);
        Assert.Equal(sample.Address, got.Headers["X-Forwarded-For"]);
        Assert.Equal("http", got.Headers["X-Forwarded-Proto"]);
        Assert.Equal("localhost", got.Headers["X-Forwarded-Host"]);
        Assert.NotEmpty(got.Headers["X-Request-Id"]!);
        Assert.All(Stripped, header => Assert.False(got.Headers.Contains(header), header));
        Assert.DoesNotContain(Site.Token, got.HeadText, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Signing))]
    public async Task A_sample_with_any_byte_of_its_body_changed_is_refused(string name)
    {
        var sample = Samples[name];
        var seen = Site.Seen;
        await using var client = await Site.Gateway.ConnectAsync();
        foreach (var at in Positions(sample.Body.Length))
        {
            var body = sample.Body.ToArray();
            body[at] ^= (byte)(1 << (at % 8));
            Assert.Equal((at, 401), (at, (await client.ExchangeAsync(sample.Request.WithBody(body))).Status));
        }

        Assert.Equal(seen, Site.Seen);
    }

    [Theory]
    [MemberData(nameof(Signing))]
    public async Task A_sample_with_bytes_added_removed_or_written_differently_is_refused(string name)
    {
        var sample = Samples[name];
        var seen = Site.Seen;
        var text = Encoding.UTF8.GetString(sample.Body);
        await using var client = await Site.Gateway.ConnectAsync();
        byte[][] bodies =
        [
            [.. sample.Body, (byte)'\n'],
            [.. sample.Body, 0],
            [(byte)' ', .. sample.Body],
            [0xEF, 0xBB, 0xBF, .. sample.Body],
            sample.Body[..^1],
            sample.Body[1..],
            [.. sample.Body, .. sample.Body],
            Encoding.UTF8.GetBytes(text.Replace("\":", "\": ", StringComparison.Ordinal) + " "),
            Encoding.Unicode.GetBytes(text),
        ];
        foreach (var body in bodies)
        {
            Assert.Equal(401, (await client.ExchangeAsync(sample.Request.WithBody(body))).Status);
        }

        Assert.Equal(seen, Site.Seen);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_sample_with_any_byte_of_its_proof_changed_is_refused(string name)
    {
        var sample = Samples[name];
        var seen = Site.Seen;
        await using var client = await Site.Gateway.ConnectAsync();
        for (var h = 0; h < sample.Proof.Length; h++)
        {
            var value = sample.Proof[h].Value;

            // A scheme's name is no secret, and RFC 9110 §11.1 reads it in any case: other letters are tried, another case is not a change.
            var credentials = value.IndexOf(' ', StringComparison.Ordinal) is var blank and >= 0 && value.StartsWith('B') ? blank + 1 : 0;
            for (var at = 0; at < value.Length; at++)
            {
                foreach (var other in Others(value[at], caseMatters: at >= credentials))
                {
                    // A blank at an end is no part of a header's value (RFC 9110 §5.5), and one or more blanks may follow the scheme's name.
                    if (other == ' ' && at == credentials)
                    {
                        continue;
                    }

                    var changed = sample.Proof.ToArray();
                    changed[h].Value = value[..at] + other + value[(at + 1)..];
                    var answer = await client.ExchangeAsync(sample.WithProof(changed));
                    Assert.Equal((changed[h].Value, 401), (changed[h].Value, answer.Status));
                }
            }
        }

        Assert.Equal(seen, Site.Seen);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_sample_without_its_proof_or_with_it_twice_empty_cut_or_prolonged_is_refused(string name)
    {
        var sample = Samples[name];
        var seen = Site.Seen;
        await using var client = await Site.Gateway.ConnectAsync();
        for (var h = 0; h < sample.Proof.Length; h++)
        {
            var (header, value) = sample.Proof[h];
            var others = sample.Proof.Where((_, i) => i != h).ToArray();
            (string, string)[][] proofs =
            [
                others,
                [.. others, (header, "")],
                [.. others, (header, value), (header, value)],
                [.. others, (header, $"{value}, {value}")],
                [.. others, (header, $"{value},")],
                [.. others, (header, value[..^1])],
                [.. others, (header, value + "0")],
                [.. others, (header, value + "=")],
                [.. others, (header, $"\"{value}\"")],
                [.. others, (header + "-2", value)],
            ];
            foreach (var proof in proofs)
            {
                Assert.Equal(401, (await client.ExchangeAsync(sample.WithProof(proof))).Status);
            }
        }

        Assert.Equal(seen, Site.Seen);
    }

    [Theory]
    [InlineData("real-id", "3.79.255.255")]
    [InlineData("real-id", "3.96.0.0")]
    [InlineData("real-id", "13.42.70.11")]
    [InlineData("real-id", "2600:1f17::1")]
    [InlineData("verisync", "13.42.70.10")]
    [InlineData("verisync", "13.42.70.12")]
    [InlineData("verisync", "3.80.17.4")]
    [InlineData("verisync", "13.42.70.11, 198.51.100.1")]
    public async Task A_valid_sample_from_another_address_is_refused(string name, string forwardedFor)
    {
        var seen = Site.Seen;
        var request = Samples[name].Request;

        var answer = await Site.SendAsync(request with { Headers = request.Headers.SetItem(0, ("X-Forwarded-For", forwardedFor)) });

        Assert.Equal(403, answer.Status);
        Assert.Equal(seen, Site.Seen);
    }

    [Theory]
    [InlineData("real-id", "3.95.255.255", "first")]
    [InlineData("real-id", "2600:1f18:1::1", "second")]
    [InlineData("real-id", "::ffff:3.80.0.0", "third")]
    [InlineData("real-id", "[2600:1f18::7]:4711", "fourth")]
    [InlineData("verisync", "::ffff:13.42.70.11", "fifth")]
    [InlineData("verisync", "198.51.100.1, 13.42.70.11, 127.0.0.9", "sixth")]
    public async Task A_sample_from_any_of_its_providers_addresses_is_taken(string name, string forwardedFor, string word)
    {
        var body = Encoding.UTF8.GetBytes($$"""{"event":"{{word}}"}""");
        var header = name == "real-id" ? "X-Real-ID-Signature" : "verisync-signature";

        var answer = await Site.SendAsync(RawRequest.Post($"/hooks/{name}", body).WithHeader("X-Forwarded-For", forwardedFor)
            .WithHeader(header, Site.Sign(body)));

        Assert.Equal(200, answer.Status);
    }

    [Fact]
    public async Task A_secret_of_one_provider_opens_no_other_route()
    {
        var seen = Site.Seen;
        foreach (var (name, sample) in Samples)
        {
            foreach (var other in Samples.Values.Where(other => !other.Proof.Any(p => sample.Proof.Contains(p))))
            {
                var crossed = other.Request with { Target = $"/hooks/{name}", Headers = other.Request.Headers.SetItem(0, ("X-Forwarded-For", sample.Address)) };
                if (other.Proof.Select(p => p.Name.ToUpperInvariant()).Intersect(sample.Proof.Select(p => p.Name.ToUpperInvariant())).Any() && other.SignsBody
                    && sample.SignsBody)
                {
                    continue;
                }

                Assert.Equal(401, (await Site.SendAsync(crossed)).Status);
            }
        }

        Assert.Equal(seen, Site.Seen);
    }

    private protected override Task<Site> StartAsync() => Site.StartAsync(
        """
        {
          "edge": {
            "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.0/8"] },
            "awsRanges": { "url": "file:{dir}/ip-ranges.json" }
          },
          "routes": {
            "real-id": { "path": "/hooks/real-id", "provider": "real-id", "secrets": ["file:{dir}/signing"], "upstream": "{upstream}" },
            "real-id-privacy": { "path": "/hooks/real-id-privacy", "provider": "real-id", "secrets": ["file:{dir}/signing"], "upstream": "{upstream}" },
            "verisync": { "path": "/hooks/verisync", "provider": "verisync", "secrets": ["file:{dir}/signing"], "upstream": "{upstream}" },
            "cr3-signature": { "path": "/hooks/cr3-signature", "provider": "cr3dentials", "secrets": ["file:{dir}/signing"], "upstream": "{upstream}" },
            "cr3-rotated": { "path": "/hooks/cr3-rotated", "provider": "cr3dentials", "secrets": ["file:{dir}/signing", "file:{dir}/older"], "upstream": "{upstream}" },
            "cr3-both": {
              "path": "/hooks/cr3-both", "provider": "cr3dentials", "upstream": "{upstream}",
              "verify": [
                { "scheme": "cr3dentials", "secrets": ["file:{dir}/signing"] },
                { "scheme": { "kind": "token", "header": "secret" }, "secrets": ["file:{dir}/token"] }
              ]
            },
            "cr3-header": {
              "path": "/hooks/cr3-header", "provider": "cr3dentials", "upstream": "{upstream}",
              "verify": [{ "scheme": { "kind": "token", "header": "secret" }, "secrets": ["file:{dir}/token"] }]
            },
            "idwise-basic": {
              "path": "/hooks/idwise-basic", "provider": "idwise", "secrets": ["file:{dir}/user"], "allow": ["203.0.113.0/28"], "upstream": "{upstream}"
            },
            "idwise-bearer": {
              "path": "/hooks/idwise-bearer", "provider": "idwise", "allow": ["203.0.113.0/28"], "upstream": "{upstream}",
              "verify": [{ "scheme": { "kind": "bearer" }, "secrets": ["file:{dir}/token"] }]
            },
            "idwise-header": {
              "path": "/hooks/idwise-header", "provider": "idwise", "allow": ["203.0.113.0/28"], "upstream": "{upstream}",
              "verify": [{ "scheme": { "kind": "token", "header": "X-IDWise-Key" }, "secrets": ["file:{dir}/token"] }]
            }
          }
        }
        """,
        files: new Dictionary<string, string>
        {
            ["ip-ranges.json"] =
                """
                {
                  "syncToken": "1700000000", "createDate": "2023-11-14-22-13-20",
                  "prefixes": [
                    { "ip_prefix": "3.80.0.0/12", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1" },
                    { "ip_prefix": "3.80.0.0/12", "region": "us-east-1", "service": "EC2", "network_border_group": "us-east-1" },
                    { "ip_prefix": "13.40.0.0/14", "region": "eu-west-2", "service": "AMAZON", "network_border_group": "eu-west-2" }
                  ],
                  "ipv6_prefixes": [
                    { "ipv6_prefix": "2600:1f18::/33", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1" }
                  ]
                }
                """,
        },
        ready: true);

    /// <summary>Every position of a short body; of a long one the beginning, the end, and a walk through the middle.</summary>
    private static IEnumerable<int> Positions(int length) =>
        length <= 1024 ? Enumerable.Range(0, length)
        : Enumerable.Range(0, length).Where(at => at < 64 || at >= length - 64 || at % 37 == 0 || at is >= 4090 and < 4102);

    private static IEnumerable<char> Others(char c, bool caseMatters)
    {
        yield return (char)(c ^ 1) is var flipped && flipped is > ' ' and < '\x7f' ? flipped : 'x';
        yield return c == 'f' ? '0' : 'f';
        if (c != ' ')
        {
            yield return ' ';
        }

        if (caseMatters && char.IsAsciiLetter(c))
        {
            yield return (char)(c ^ 0x20);
        }
    }
}
