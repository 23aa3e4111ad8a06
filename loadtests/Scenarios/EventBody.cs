using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace WebhookEdge.LoadTests;

/// <summary>
/// The body of an event, with a place where its number goes, so that no two of a run are alike and none is a duplicate. What stands in the shapes is
/// made up; the keys, their order and their sizes are those of the providers' documentation, compact as <c>JSON.stringify</c> writes it.
/// </summary>
internal sealed class EventBody
{
    /// <summary>What the fields that make a body unique take.</summary>
    public const int MinSize = 64;

    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

    // As long as an id made from a seed and a number, see IdOf.
    private const string IdPlace = "evt_SSSSSSSS_NNNNNNNN";

    private readonly byte[] _template;
    private readonly int _idAt;
    private readonly bool _filled;

    private EventBody(string name, SigningStyle style, byte[] template, bool filled)
    {
        Name = name;
        Style = style;
        _template = template;
        _filled = filled;
        _idAt = template.AsSpan().IndexOf(Encoding.ASCII.GetBytes(IdPlace));
    }

    /// <summary>A push event of GitHub's usual size.</summary>
    public static EventBody GitHubSmall { get; } = Filled("github-600", SigningStyle.GitHub, 600);

    public static EventBody GitHubLarge { get; } = Filled("github-12k", SigningStyle.GitHub, 12 * 1024);

    /// <summary>Shape: Real ID, "Check Event Data".</summary>
    public static EventBody RealId { get; } = Shaped("real-id", SigningStyle.RealId, new JsonObject
    {
        ["event"] = "check.completed",
        ["created_at"] = "2026-01-09T15:20:35.136Z",
        ["check"] = new JsonObject { ["id"] = IdPlace, ["step"] = "completed", ["testing"] = true },
    });

    /// <summary>Shape: Cr3dentials, "Default Webhook Payload".</summary>
    public static EventBody Cr3dentials { get; } = Shaped("cr3dentials", SigningStyle.Cr3dentials, new JsonObject
    {
        ["type"] = "verification.completed",
        ["status"] = "success",
        ["data"] = new JsonObject
        {
            ["verificationId"] = IdPlace,
            ["sessionId"] = 123,
            ["stepId"] = 456,
            ["status"] = "VERIFIED",
            ["proofData"] = new JsonObject { ["income"] = new JsonObject { ["monthlyAmount"] = 5000, ["verified"] = true, ["source"] = "some-bank" } },
            ["formattedData"] = new JsonObject { ["incomeVerified"] = true, ["verificationScore"] = 95 },
            ["metadata"] = new JsonObject { ["dataSource"] = "some-bank", ["processingTimeMs"] = 15000, ["verifiedAt"] = "2026-01-15T14:30:00Z" },
        },
    });

    /// <summary>Shape: Verisync, "Supported events". The documented one lists 23 watchlists in 11 KB; with 34 the body has 15 KB.</summary>
    public static EventBody Verisync { get; } = Shaped("verisync", SigningStyle.Verisync, VerisyncShape(watchlists: 34));

    public static IReadOnlyList<EventBody> All { get; } = [GitHubSmall, GitHubLarge, RealId, Cr3dentials, Verisync];

    public string Name { get; }

    public SigningStyle Style { get; }

    /// <summary>Bytes of every body.</summary>
    public int Size => _template.Length;

    /// <summary>A JSON object of exactly <paramref name="size"/> bytes, at least <see cref="MinSize"/>, filled with text that does not compress to nothing.</summary>
    public static EventBody Filled(string name, SigningStyle style, int size)
    {
        var start = Encoding.ASCII.GetBytes($$"""{"id":"{{IdPlace}}","data":" """.TrimEnd());
        var template = new byte[size];
        start.CopyTo(template, 0);
        template.AsSpan(start.Length).Fill((byte)'.');
        template[^2] = (byte)'"';
        template[^1] = (byte)'}';
        return new(name, style, template, filled: true);
    }

    /// <summary>Body number <paramref name="number"/>; the same seed gives the same bodies.</summary>
    public byte[] Make(int seed, int number)
    {
        var body = _template.ToArray();
        var id = string.Create(CultureInfo.InvariantCulture, $"evt_{seed:x8}_{number:x8}");
        Encoding.ASCII.GetBytes(id, body.AsSpan(_idAt));
        if (_filled)
        {
            // From the numbers alone: xorshift, seeded per body, never zero.
            var state = ((ulong)(uint)seed << 32 | (uint)number) ^ 0x9E3779B97F4A7C15;
            foreach (ref var b in FillOf(body))
            {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                b = (byte)Alphabet[(int)(state % (ulong)Alphabet.Length)];
            }
        }

        return body;
    }

    private static Span<byte> FillOf(byte[] body) => body.AsSpan((body.AsSpan().IndexOf("data\":\""u8) + 7)..^2);

    private static EventBody Shaped(string name, SigningStyle style, JsonObject shape) => new(name, style, Encoding.UTF8.GetBytes(shape.ToJsonString()), filled: false);

    private static JsonObject VerisyncShape(int watchlists)
    {
        var hits = new JsonArray();
        for (var i = 0; i < watchlists; i++)
        {
            hits.Add(new JsonObject
            {
                ["country"] = "NG",
                ["watchlist"] = new JsonObject { ["id"] = 400 + i, ["name"] = "Some Authority's Watchlist", ["watchlistType"] = "basic" },
                ["dataSource"] = "document-data",
                ["searchedAt"] = "2026-01-28T16:35:08.814Z",
                ["documentType"] = "passport",
                ["searchParams"] = new JsonObject { ["fullName"] = "ADA EXAMPLE TESTER", ["dateOfBirth"] = "31-03-1999", ["documentNumber"] = "X00000000" },
                ["searchResult"] = null,
            });
        }

        const string Agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
        return new()
        {
            ["event"] = "sync.success",
            ["data"] = new JsonObject
            {
                ["reason"] = null,
                ["deviceFingerprint"] = new JsonObject
                {
                    ["device"] = new JsonObject
                    {
                        ["os"] = new JsonObject { ["name"] = "Mac OS", ["version"] = "10.15.7" },
                        ["ua"] = Agent,
                        ["cpu"] = new JsonObject(),
                        ["agent"] = Agent,
                        ["device"] = new JsonObject { ["model"] = "Macintosh", ["vendor"] = "Apple" },
                        ["engine"] = new JsonObject { ["name"] = "Blink", ["version"] = "120.0.0.0" },
                        ["browser"] = new JsonObject { ["name"] = "Chrome", ["major"] = "120", ["version"] = "120.0.0.0" },
                    },
                    ["location"] = new JsonObject
                    {
                        ["eu"] = "0", ["ip"] = "192.0.2.12", ["ll"] = new JsonArray(10, 8), ["area"] = 500, ["city"] = "", ["metro"] = 0,
                        ["range"] = new JsonArray(699924480, 699932671), ["region"] = "", ["country"] = "NG", ["timezone"] = "Africa/Lagos",
                    },
                },
                ["flow"] = new JsonObject { ["id"] = IdPlace, ["reference"] = "flw_0000000000", ["name"] = "Biometric and Document verification 6" },
                ["metadata"] = null,
                ["verifications"] = new JsonArray(
                    VerisyncVerification("document-verification", "B00000000", new JsonObject
                    {
                        ["step"] = new JsonObject { ["id"] = "watchlists", ["data"] = hits, ["error"] = null, ["status"] = 200 },
                        ["flowId"] = "000000000000000000000000",
                        ["metadata"] = new JsonObject { ["idType"] = "passport", ["userId"] = "00000000-0000-4000-8000-000000000001", ["selfieType"] = "selfie-photo" },
                        ["resource"] = "https://api.example.com/v2/verifications/000000000000000000000000",
                        ["eventName"] = "step_completed",
                        ["timestamp"] = "2026-01-28T16:35:11.940Z",
                    }),
                    VerisyncVerification("biometric-verification", null, null)),
            },
        };
    }

    private static JsonObject VerisyncVerification(string category, string? number, JsonObject? aml) => new()
    {
        ["id"] = "00000000-0000-4000-8000-000000000002", ["reference"] = "vrf_0000000000", ["idNumber"] = number, ["firstName"] = null, ["lastName"] = null,
        ["middleName"] = null, ["phone"] = null, ["email"] = null, ["dateOfBirth"] = null, ["age"] = null, ["sex"] = null, ["country"] = "NG", ["nationality"] = "NGA",
        ["issuedDate"] = null, ["expiryDate"] = null, ["aml"] = aml, ["amlRisk"] = null, ["address"] = null,
        ["assets"] = new JsonArray(new JsonObject
        {
            ["iso"] = "NG", ["url"] = "https://assets.example.com/00000000-0000-4000-8000-000000000003-document.jpg", ["type"] = "passport", ["filename"] = "document.jpg", ["stateCode"] = "",
        }),
        ["channel"] = "web", ["active"] = true, ["message"] = null, ["reverifyReason"] = null, ["reverifiedAt"] = null, ["verifiedAt"] = "2026-01-29T09:42:21.099Z",
        ["deviceFingerprint"] = new JsonObject { ["ip"] = "192.0.2.82", ["ua"] = "axios/1.4.0", ["origin"] = "", ["vpnDetectionEnabled"] = false },
        ["status"] = "approved", ["createdAt"] = "2026-01-28T16:32:39.760Z", ["updatedAt"] = "2026-01-29T09:42:19.845Z",
        ["identity"] = new JsonObject
        {
            ["id"] = "00000000-0000-4000-8000-000000000004", ["reference"] = "id_0000000000", ["name"] = "International Passport", ["slug"] = "passport",
            ["description"] = "Verify your international passport", ["type"] = "foundational", ["category"] = category, ["active"] = true, ["status"] = "approved",
            ["createdAt"] = "2026-01-27T18:04:54.184Z", ["updatedAt"] = "2026-01-27T18:04:54.184Z",
        },
    };
}
