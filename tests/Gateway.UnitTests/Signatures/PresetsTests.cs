using System.Text;
using System.Text.Json;
using WebhookEdge.Signatures;

namespace WebhookEdge.UnitTests.Signatures;

public sealed class PresetsTests
{
    public static TheoryData<string> Names() => [.. Presets.All.Keys];

    [Fact]
    public void The_founding_providers_are_there() =>
        Assert.Superset(new HashSet<string>(["real-id", "idwise", "verisync", "cr3dentials", "github", "stripe", "slack", "standard-webhooks", "shopify"]), Presets.All.Keys.ToHashSet());

    [Theory]
    [MemberData(nameof(Names))]
    public void A_preset_loads_without_a_problem_and_is_documented(string name)
    {
        var preset = Presets.Find(name)!;

        Assert.Empty(SchemeHarness.Problems(preset.Scheme));
        Assert.StartsWith("https://", preset.Docs, StringComparison.Ordinal);
        Assert.Contains(preset.Status, new[] { "confirmed", "unconfirmed" });
        Assert.NotEmpty(preset.Replay!.Key!);
        Assert.Equal(TimeSpan.FromHours(72), preset.Replay.Ttl!.Value.Value);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void What_its_sender_signs_is_accepted_and_a_changed_body_is_not(string name)
    {
        var preset = Presets.Find(name)!;
        var secret = preset.Scheme.Kind == "basic" ? "user:password" : "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        var harness = SchemeHarness.Create(preset.Scheme, secret);
        var headers = harness.Sign("""{"id":"evt_1"}""");

        Assert.True(harness.Decide(headers, """{"id":"evt_1"}""").Passed);
        Assert.Equal(preset.Scheme.Kind == "basic", harness.Decide(headers, """{"id":"evt_2"}""").Passed);
    }

    [Theory]
    [InlineData("real-id", "X-Real-ID-Signature", """{"event":"check.created","created_at":"2022-12-09T15:20:35.136Z","check":{"id":"abcdef","step":"delivered","testing":true}}""", "276d98e2803bebd5ee10476142fbf4f11f301cbd6f949004c10f9617cdb54d11")]
    [InlineData("verisync", "verisync-signature", """{"event":"sync.success","data":{"reason":null}}""", "e6bcf30f14579b92b1c358ce1b97ef9362e1c89d8f4a6ef2aa434f5fe78d8d4c")]
    [InlineData("cr3dentials", "x-webhook-signature", """{"type":"verification.completed","status":"success"}""", "a0b6498692ecdd90f07a2e7a192e38bf153e111f35163a981d2c29d971f6da9e")]
    public void A_signature_made_elsewhere_verifies(string name, string header, string body, string signature)
    {
        var harness = SchemeHarness.Create(Presets.Find(name)!.Scheme, "a-secret-of-thirty-two-characters");

        Assert.True(harness.Decide([new(header, signature)], body).Passed);
        Assert.False(harness.Decide([new(header, signature)], body + "\n").Passed);
    }

    [Fact]
    public void The_documented_sources_are_named()
    {
        Assert.Equal(["aws:us-east-1"], Presets.Find("real-id")!.Allow);
        Assert.Equal(["13.42.70.11"], Presets.Find("verisync")!.Allow);
        Assert.Null(Presets.Find("cr3dentials")!.Allow);
        Assert.Null(Presets.Find("idwise")!.Allow);
        Assert.Equal(5, Presets.Find("cr3dentials")!.Retries!.Attempts);
    }

    [Theory]
    [InlineData("verisink", "verisync")]
    [InlineData("realid", "real-id")]
    [InlineData("GitHub", "github")]
    [InlineData("something-else-entirely", null)]
    public void A_misspelt_name_gets_the_nearest_one(string name, string? nearest)
    {
        Assert.Null(Presets.Find(name));
        Assert.Equal(nearest, Presets.Nearest(name));
    }

    [Theory]
    [InlineData("""{"name":"x","title":"X","docs":"https://x","status":"confirmed","scheme":{"heeader":"X"}}""")]
    [InlineData("""{"name":"x","title":"X","docs":"https://x","status":"confirmed"}""")]
    [InlineData("""{"name":"x","name":"y","title":"X","docs":"https://x","status":"confirmed","scheme":{}}""")]
    [InlineData("null")]
    public void A_misspelt_preset_does_not_load(string json) => Assert.Throws<JsonException>(() => Presets.Read(Encoding.UTF8.GetBytes(json)));
}
