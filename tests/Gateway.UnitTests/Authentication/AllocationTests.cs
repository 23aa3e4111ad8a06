using System.Text;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Authentication;

/// <summary>A refusal is the hot path of an attack, an acceptance that of every day: neither allocates.</summary>
public sealed class AllocationTests
{
    private const string Body = """{"id":"evt_1","sent":1700000000,"text":"some text to hash, long enough to matter"}""";

    [Theory]
    [InlineData("github")]
    [InlineData("stripe")]
    [InlineData("slack")]
    [InlineData("standard-webhooks")]
    [InlineData("shopify")]
    [InlineData("idwise")]
    [InlineData("bearer")]
    [InlineData("token")]
    [InlineData("two-headers")]
    [InlineData("numbered")]
    [InlineData("everything")]
    [InlineData("time-in-body")]
    [InlineData("plain-hash")]
    public void Accepting_and_refusing_allocate_nothing(string name)
    {
        var spec = Presets.Find(name)?.Scheme ?? Other(name);
        var secrets = spec.Kind == "basic" ? new[] { "user:old-password", "user:password" }
            : ["whsec_plJ3nmyCDGBKInavdOK15jsl", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
        var harness = SchemeHarness.Create(spec, secrets);
        var bytes = Encoding.UTF8.GetBytes(Body);
        var headers = harness.Sign(Body, secret: 1, id: "msg_1", signedHeaders: new() { ["X-Topic"] = "orders" });
        var accepted = SchemeHarness.Deliver(headers, Body);
        var cut = SchemeHarness.Deliver(headers.Select(pair => KeyValuePair.Create(pair.Key, new StringValues(pair.Value))), Segments.Cut(bytes, 1, 7, 30));
        var forged = SchemeHarness.Deliver(headers.Select(pair => new KeyValuePair<string, string>(pair.Key, Forge(pair.Value))), Body);
        var changed = SchemeHarness.Deliver(headers, Body + " ");
        var stale = SchemeHarness.Deliver(harness.Sign(Body, secret: 1, at: SchemeHarness.Now.AddDays(-1)), Body);
        var malformed = SchemeHarness.Deliver(headers.Select(pair => new KeyValuePair<string, string>(pair.Key, pair.Value + "!")), Body);
        var missing = SchemeHarness.Deliver([], Body);
        Delivery[] deliveries = [accepted, cut, forged, changed, stale, malformed, missing];
        var passed = new int[deliveries.Length];

        Run(harness, deliveries, passed, 50);
        Array.Clear(passed);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run(harness, deliveries, passed, 50);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);
        Assert.Equal([50, 50, 0], passed[..3]);
        Assert.Equal([0, 0], passed[^2..]);
    }

    [Theory]
    [MemberData(nameof(DataSchemes))]
    public void No_scheme_of_the_catalogue_allocates(string name)
    {
        var vector = VendorVector.Load(name);
        var harness = SchemeHarness.CreateAt(vector.PublicUrl, vector.Path, vector.SchemeOf(name), vector.Secret);
        harness.Clock = DateTimeOffset.FromUnixTimeSeconds(vector.Now);
        Delivery[] deliveries =
        [
            SchemeHarness.Deliver(vector.Headers, vector.Body, vector.Method, vector.Path),
            SchemeHarness.Deliver(vector.Headers.Select(pair => KeyValuePair.Create(pair.Key, Forge(pair.Value))), vector.Body, vector.Method, vector.Path),
        ];
        var passed = new int[deliveries.Length];

        Run(harness, deliveries, passed, 10);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run(harness, deliveries, passed, 10);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal([20, 0], passed);
    }

    public static TheoryData<string> DataSchemes() => [.. VendorVector.OfData()];

    private static void Run(SchemeHarness harness, Delivery[] deliveries, int[] passed, int times)
    {
        for (var n = 0; n < times; n++)
        {
            for (var i = 0; i < deliveries.Length; i++)
            {
                if (harness.Decide(deliveries[i]).Passed)
                {
                    passed[i]++;
                }
            }
        }
    }

    private static string Forge(string value) => value.Length < 3 ? value + "!" : value[..^3] + (value[^3] == 'a' ? 'b' : 'a') + value[^2..];

    private static SchemeSpec Other(string name) => name switch
    {
        "bearer" => new() { Kind = "bearer" },
        "token" => new() { Kind = "token", Header = new(["secret"]) },
        "two-headers" =>
            new() { Header = new(["box-signature-primary", "box-signature-secondary"]), Encoding = MacEncoding.Base64, Signed = "{body}{timestamp}",
            Timestamp = new() { From = "header:box-delivery-timestamp", Unit = TimeUnit.Iso } },
        "numbered" => new() { Header = new(["X-DocuSign-Signature-{n}"]), Encoding = MacEncoding.Base64 },
        "everything" =>
            new() { Header = new(["X-HubSpot-Signature-v3"]), Encoding = MacEncoding.Base64, Signed = "{method}{url}{body}{timestamp}:{header:X-Topic}",
            Timestamp = new() { From = "header:X-HubSpot-Request-Timestamp", Unit = TimeUnit.Milliseconds } },
        "time-in-body" => new() { Header = new(["Linear-Signature"]), Timestamp = new() { From = "json:/sent" } },
        _ => new() { Kind = "digest", Header = new(["Signature"]), Signed = "{body}{secret}", Key = new() { Derive = KeyDerivation.Sha256Hex } },
    };
}
