using System.Text;
using WebhookEdge.Authentication;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Sdk;

/// <summary>The senders' own SDKs against a running gateway, and our signer against the SDKs: neither shares code with the verifier.</summary>
public sealed class SdkClientTests(SdkProcess process) : IClassFixture<SdkProcess>
{
    private const string PublicUrl = "https://hooks.example.com";
    private const string Text = "a-secret-of-thirty-two-characters";

    /// <summary>SDKs that must take part.</summary>
    private static readonly string[] Expected =
        ["stripe", "svix", "standardwebhooks", "liveblocks", "octokit", "slack", "shopify", "square", "workos", "razorpay", "sanity", "line", "paddle",
            "adyen-platform", "adyen-payments", "twilio", "sendgrid", "discord"];

    [SdkFact]
    public async Task What_a_senders_sdk_signs_arrives_and_a_changed_byte_of_it_does_not()
    {
        var sdks = process.Clients;
        var pairs = Pairs(await sdks.ListAsync());
        Assert.Empty(Expected.Except(pairs.Select(pair => pair.Client)));
        var requests = new List<SdkRequest>();
        foreach (var (client, preset) in pairs)
        {
            requests.Add(await sdks.SignAsync(client, SecretFor(preset), Url(preset), Body(preset), TimeProvider.System.GetUtcNow()));
        }

        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(
            $$"""{ "edge": { "publicUrl": "{{PublicUrl}}" }, "routes": { {{string.Join(",\n", pairs.Select(pair => Route(pair.Preset)))}} } }""",
            upstream.Address,
            pairs.Zip(requests).ToDictionary(pair => pair.First.Preset, pair => pair.Second.Secret));
        foreach (var ((client, preset), request) in pairs.Zip(requests))
        {
            var changed = await SendAsync(gateway, preset,
                request with { Body = request.Body.Replace('Z', 'X').Replace("1130", "9999", StringComparison.Ordinal) });
            var accepted = await SendAsync(gateway, preset, request);

            Assert.True(changed.Status == 401, $"{client}: a changed body was answered {changed.Status}");
            Assert.True(accepted.Status == 200, $"{client}: {accepted.Status}, {Refusal(gateway)}");
        }

        Assert.Equal(requests.Select(request => request.Body), upstream.Requests.Select(request => request.BodyText));
    }

    [SdkFact]
    public async Task What_our_signer_makes_the_senders_sdk_accepts_and_a_changed_byte_of_it_not()
    {
        var sdks = process.Clients;
        foreach (var (client, preset) in Pairs(await sdks.ListAsync()))
        {
            var scheme = Presets.Find(preset)!.Scheme;
            if (scheme.Kind is not ("hmac" or "digest"))
            {
                continue;
            }

            var now = TimeProvider.System.GetUtcNow();
            var template = await sdks.SignAsync(client, SecretFor(preset), Url(preset), Body(preset), now);
            var headers = RequestSigner.Sign(scheme, Encoding.UTF8.GetBytes(template.Secret), "POST", Url(preset), Encoding.UTF8.GetBytes(template.Body), now);

            Assert.True(await sdks.VerifyAsync(client, template.Secret, Url(preset), template.Body, headers), client);
            Assert.False(await sdks.VerifyAsync(client, template.Secret, Url(preset), template.Body.Replace('Z', 'X'), headers), client);
        }
    }

    private static string? Refusal(TestGateway gateway) => gateway.Journal.Newest(1) is [var entry, ..] ? entry.Detail : null;

    /// <summary>Each SDK with every preset of the catalogue that it speaks for.</summary>
    private static List<(string Client, string Preset)> Pairs(IReadOnlyList<SdkClient> clients) =>
        [.. clients.SelectMany(client => client.Presets.Where(preset => Presets.Find(preset) is not null).Select(preset => (client.Name, preset)))];

    private static string Url(string preset) => $"{PublicUrl}/hooks/{preset}";

    private static string Body(string preset) => $$"""{"id":"evt_{{preset}}","type":"test","name":"Zoë"}""";

    private static string SecretFor(string preset) => Presets.Find(preset)!.Scheme.Key?.Encoding switch
    {
        KeyEncoding.Base64 => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        KeyEncoding.Hex => "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
        _ => preset.StartsWith("adyen", StringComparison.Ordinal) ? "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056" : Text,
    };

    private static string Route(string preset) =>
        $$""" "{{preset}}": { "path": "/hooks/{{preset}}", "provider": "{{preset}}", "secrets": ["file:{dir}/{{preset}}"], "allow": ["any"], "upstream": "{upstream}" }""";

    private static Task<RawResponse> SendAsync(TestGateway gateway, string preset, SdkRequest sdk)
    {
        var request = RawRequest.Post($"/hooks/{preset}", sdk.Body);
        foreach (var (name, value) in sdk.Headers)
        {
            request = request.WithHeader(name, value);
        }

        return gateway.SendAsync(request);
    }
}
