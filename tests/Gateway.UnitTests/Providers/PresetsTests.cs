using System.Text;
using System.Text.Json;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.Routes;
using WebhookEdge.UnitTests.Authentication;

namespace WebhookEdge.UnitTests.Providers;

public sealed class PresetsTests
{
    public static TheoryData<string> Names() => [.. Presets.All.Keys];

    [Fact]
    public void The_founding_providers_are_there() =>
        Assert.Superset(new HashSet<string>(["real-id", "idwise", "verisync", "cr3dentials", "github", "stripe", "slack", "standard-webhooks", "shopify"]),
            Presets.All.Keys.ToHashSet());

    /// <summary>Weak on the sender's side, and said so in their notes.</summary>
    private static readonly string[] Weak = ["hubspot-v1", "hubspot-v2", "klaviyo", "cashfree", "framer"];

    [Fact]
    public void There_are_110_or_more() => Assert.True(Presets.All.Count >= 110, $"{Presets.All.Count}");

    [Theory]
    [MemberData(nameof(Names))]
    public void A_preset_loads_without_a_problem_and_is_documented(string name)
    {
        var preset = Presets.Find(name)!;
        var problems = SchemeHarness.Problems(preset.Scheme);

        Assert.Equal(Weak.Contains(name), problems.Exists(problem => problem.IsWarning));
        Assert.DoesNotContain(problems, problem => !problem.IsWarning);
        Assert.Matches("^[a-z0-9]+(-[a-z0-9]+)*$", name);
        Assert.True(Uri.TryCreate(preset.Docs, UriKind.Absolute, out var docs) && docs.Scheme == "https");
        Assert.Contains(preset.Evidence, ProvidersPage.Evidence.Keys);
        Assert.Contains(preset.Status, new[] { "confirmed", "unconfirmed" });
        Assert.True(preset.Status == "unconfirmed" || preset.Evidence is "sdk" or "doc", "confirmed by whom?");
        Assert.Contains(preset.Category, ProvidersPage.Categories.Select(category => category.Word));
        Assert.True(preset.Replay is { Word: "off", Options: null } or { Word: null, Options: { Key.Count: > 0, Mode: null } },
            "a key, or off; observing is the route's to choose");
        Assert.True(preset.Replay!.Options is null || preset.Replay.Options.Ttl!.Value.Value == TimeSpan.FromHours(72));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_route_with_nothing_but_the_preset_and_its_secret_is_valid(string name)
    {
        var file = new RoutesFile
        {
            Edge = new() { PublicUrl = "https://hooks.example.com" },
            Routes = new() { ["r"] = new() { Path = "/in", Provider = name, Secrets = ["env:S"], Upstream = "http://app:8080" } },
        };

        var problems = Validate(file);

        Assert.Empty(problems);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_preset_says_nothing_a_route_could_not(string name)
    {
        var preset = Presets.Find(name)!;
        var file = new RoutesFile
        {
            Edge = new() { PublicUrl = "https://hooks.example.com" },
            AddressSets = preset.Sources is { } sources ? new() { ["known"] = sources } : null,
            Routes = new()
            {
                ["r"] = new()
                {
                    Path = "/in",
                    Upstream = "http://app:8080",
                    Verify = [new() { Scheme = new(null, preset.Scheme), Secrets = ["env:S"] }],
                    Allow = new([.. preset.Allow ?? [], .. preset.Sources is null ? Array.Empty<string>() : ["known"],
                        .. preset.Allow is null && preset.Sources is null ? ["any"] : Array.Empty<string>()], null),
                    Replay = preset.Replay,
                    Refuse = preset.Refuse,
                },
            },
        };

        Assert.DoesNotContain(Validate(file), problem => !problem.IsWarning);
    }

    /// <summary>Kinds that are code have tests of their own.</summary>
    public static TheoryData<string> DataNames() =>
        [.. Presets.All.Values.Where(preset => KnownNames.SchemeKinds.Contains(preset.Scheme.Kind ?? "hmac")).Select(preset => preset.Name)];

    [Theory]
    [MemberData(nameof(DataNames))]
    public void What_its_sender_signs_is_accepted_and_a_changed_body_is_not(string name)
    {
        var preset = Presets.Find(name)!;
        var harness = SchemeHarness.Create(preset.Scheme, VendorVector.Load(name).Secret);
        var body = $$"""{"id":"evt_1","webhookTimestamp":{{SchemeHarness.Now.ToUnixTimeMilliseconds()}}}""";
        var headers = harness.Sign(body,
            signedHeaders: new() { ["Klaviyo-Timestamp"] = "2026-01-01T00:00:00Z", ["Lob-Signature-Timestamp"] = "1767225600",
            ["x-webhook-timestamp"] = "1767225600" });

        Assert.True(harness.Decide(headers, body).Passed);
        Assert.Equal(preset.Scheme.Kind is "token" or "basic" or "bearer", harness.Decide(headers, body + " ").Passed);
    }

    [Fact]
    public void A_sender_that_waits_less_than_10_seconds_is_answered_sooner()
    {
        Assert.Equal(TimeSpan.FromSeconds(8.5), PresetSpec.DefaultTimeout(null));
        Assert.Equal(TimeSpan.FromSeconds(8.5), PresetSpec.DefaultTimeout(Presets.Find("github")));
        Assert.Equal(TimeSpan.FromSeconds(2.55), PresetSpec.DefaultTimeout(Presets.Find("slack")));
    }

    [Fact]
    public void A_route_may_name_a_preset_to_ask_for_its_addresses()
    {
        Assert.Empty(Validate(Allowing("github")));
        Assert.Contains(Validate(Allowing("slack")),
            problem => problem is { Path: "routes.r.allow[0]", IsWarning: false } && problem.Message == "Slack has no list of addresses here");
        Assert.Contains(Validate(Allowing("gitub")),
            problem => problem is { Path: "routes.r.allow[0]", IsWarning: false } && problem.Hint!.Contains("github", StringComparison.Ordinal));

        static RoutesFile Allowing(string source) => new()
        {
            Routes = new() { ["r"] = new() { Path = "/in", Provider = "github", Secrets = ["env:S"], Upstream = "http://app:8080", Allow = new([source], null) } },
        };
    }

    /// <summary>Of a preset whose bodies repeat, replay protection must not swallow the second, whatever else the route writes.</summary>
    [Theory]
    [InlineData("alertmanager", null)]
    [InlineData("attio", "body + header:Idempotency-Key")]
    [InlineData("clickup", null)]
    [InlineData("configcat", "body + id + header:X-ConfigCat-Webhook-Timestamp")]
    [InlineData("contentful", "body + header:X-Contentful-Idempotency-Key")]
    [InlineData("doppler", null)]
    [InlineData("dropbox", null)]
    [InlineData("frameio", "body + header:X-Frameio-Request-Timestamp")]
    [InlineData("framer", "id")]
    [InlineData("gitlab", "body + header:Idempotency-Key")]
    [InlineData("google-drive", "header:X-Goog-Channel-ID + header:X-Goog-Message-Number")]
    [InlineData("grafana", "body + header:X-Grafana-Alerting-Timestamp")]
    [InlineData("hookdeck", "body + header:X-Hookdeck-EventID")]
    [InlineData("plaid", "body + header:Plaid-Verification")]
    [InlineData("zendesk", "body + header:X-Zendesk-Webhook-Signature-Timestamp")]
    public void Senders_of_equal_bodies_have_a_key_that_tells_them_apart_or_none(string name, string? key)
    {
        foreach (var written in (ReplaySpec?[])[null, new(null, new() { Ttl = new(TimeSpan.FromHours(24)) }),
            new(null, new() { OnStoreError = StoreErrorRule.Closed })])
        {
            var replay = ResolvedReplay.Of(written, Presets.Find(name));

            Assert.Equal(key is null, replay.IsOff);
            Assert.Equal(key, replay.IsOff ? null : string.Join(" + ", replay.KeyOf(signsId: false)));
        }
    }

    [Fact]
    public void A_route_that_turns_replay_on_against_its_preset_is_told()
    {
        Assert.Contains(Validate(Dropbox(new(null, new() { Ttl = new(TimeSpan.FromHours(1)) }))),
            static p => p is { Path: "routes.r.replay", IsWarning: true } && p.Message.StartsWith("has no effect", StringComparison.Ordinal));
        Assert.Contains(Validate(Dropbox(new(null, new() { Key = ["body"] }))),
            static p => p is { Path: "routes.r.replay.key", IsWarning: true, Hint: "leave it out: its preset has replay off" });
        Assert.False(ResolvedReplay.Of(new(null, new() { Key = ["body"] }), Presets.Find("dropbox")).IsOff);
        Assert.Empty(Validate(Dropbox(null)));

        static RoutesFile Dropbox(ReplaySpec? replay) => new()
        {
            Routes = new() { ["r"] = new() { Path = "/in", Provider = "dropbox", Secrets = ["env:S"], Upstream = "http://app:8080", Replay = replay } },
        };
    }

    [Theory]
    [InlineData("real-id", "X-Real-ID-Signature",
        """{"event":"check.created","created_at":"2022-12-09T15:20:35.136Z","check":{"id":"abcdef","step":"delivered","testing":true}}""",
        "276d98e2803bebd5ee10476142fbf4f11f301cbd6f949004c10f9617cdb54d11")]
    [InlineData("verisync", "verisync-signature", """{"event":"sync.success","data":{"reason":null}}""",
        "e6bcf30f14579b92b1c358ce1b97ef9362e1c89d8f4a6ef2aa434f5fe78d8d4c")]
    [InlineData("cr3dentials", "x-webhook-signature", """{"type":"verification.completed","status":"success"}""",
        "a0b6498692ecdd90f07a2e7a192e38bf153e111f35163a981d2c29d971f6da9e")]
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

    /// <summary>What wakes somebody at night has to say who says so.</summary>
    [Fact]
    public void When_a_sender_gives_up_is_a_number_with_a_source()
    {
        var cr3dentials = Presets.Find("cr3dentials")!.Retries!;
        Assert.Equal((5, 5, "https://docs.cr3dentials.xyz/api-integration/webhooks"), (cr3dentials.Attempts, cr3dentials.SwitchesOffAfter, cr3dentials.Source));
        Assert.All(Presets.All.Values.Where(static p => p.Retries?.Source is not null), static preset =>
        {
            Assert.True(Uri.TryCreate(preset.Retries!.Source, UriKind.Absolute, out var page) && page.Scheme == "https", preset.Name);
            Assert.True(preset.Retries.Attempts >= 1, preset.Name);
        });
        Assert.All(Presets.All.Values, static preset => Assert.True(preset.Retries?.SwitchesOffAfter is null || preset.Retries.Source is not null, preset.Name));
        Assert.All(Presets.All.Values, static preset => Assert.True(preset.Evidence != "registry" || preset.Retries?.Source is null, preset.Name));
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
    [InlineData("""{"name":"x","title":"X","docs":"https://x","status":"confirmed","scheme":{},"sources":{"list":"https://x"}}""")]
    [InlineData("null")]
    public void A_misspelt_preset_does_not_load(string json) => Assert.Throws<JsonException>(() => Presets.Read(Encoding.UTF8.GetBytes(json)));

    private static List<ConfigProblem> Validate(RoutesFile file)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(file, StrictJson.Options);
        RoutesFileReader.ReadAndValidate(json, out var problems);
        return [.. problems];
    }
}
