using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Authentication;

/// <summary>
/// A request of a preset's sender, and changes to it that must be refused: <c>tests/corpus/vendor-vectors/PRESET.json</c>, further ones as
/// <c>PRESET.WORD.json</c> or <c>PRESET-WORD.json</c>.
/// </summary>
internal sealed record VendorVector
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerOptions.Strict) { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary><c>published</c> by the sender, or <c>computed</c> by something else than the gateway.</summary>
    public string Origin { get; init; } = "published";

    /// <summary>Where it was published, or what computed it.</summary>
    public required string Source { get; init; }

    /// <summary>In place of the preset's scheme, where the example needs a switch that the preset leaves alone.</summary>
    public SchemeSpec? Scheme { get; init; }

    public required string Secret { get; init; }

    public required string Method { get; init; }

    public required string PublicUrl { get; init; }

    public required string Path { get; init; }

    /// <summary>Unix seconds at which it was sent.</summary>
    public required long Now { get; init; }

    public required Dictionary<string, string> Headers { get; init; }

    public required string Body { get; init; }

    /// <summary>False for a published example of what must be refused.</summary>
    public bool Valid { get; init; } = true;

    public IReadOnlyList<VectorReject> Reject { get; init; } = [];

    public static string Folder { get; } = System.IO.Path.Combine(RepositoryRoot.Path, "tests", "corpus", "vendor-vectors");

    public static IReadOnlyList<string> All { get; } = [.. Directory.GetFiles(Folder, "*.json").Select(file => System.IO.Path.GetFileNameWithoutExtension(file))
        .Order(StringComparer.Ordinal)];

    /// <summary>Path and query as sent; null = the path alone.</summary>
    public string? Target { get; init; }

    /// <summary>What the sender publishes under which URL: certificates, keys.</summary>
    public Dictionary<string, string>? Keys { get; init; }

    public static VendorVector Load(string name) =>
        JsonSerializer.Deserialize<VendorVector>(File.ReadAllBytes(System.IO.Path.Combine(Folder, name + ".json")), Options)!;

    /// <summary>The preset a file is for: the longest name it begins with.</summary>
    public static string? PresetOf(string name)
    {
        for (var end = name.Length; end > 0; end = name.LastIndexOfAny(['.', '-'], end - 1))
        {
            if (Presets.Find(name[..end]) is not null)
            {
                return name[..end];
            }
        }

        return null;
    }

    /// <summary>The vectors of schemes that are data; a code verifier's own tests know what its examples need.</summary>
    public static IEnumerable<string> OfData() =>
        All.Where(name => (Load(name).SchemeOf(name).Kind ?? "hmac") is "hmac" or "digest" or "token" or "basic" or "bearer");

    public SchemeSpec SchemeOf(string name) => Scheme ?? Presets.Find(PresetOf(name)!)!.Scheme;

    /// <summary>What the checks say to the request with these parts in place of its own; a secret that no scheme can use is refused.</summary>
    public Verdict Decide(string name, byte[]? body = null, string? secret = null, IEnumerable<KeyValuePair<string, string>>? headers = null, long? now = null)
    {
        if (SchemeHarness.TryCreateAt(PublicUrl, Path, SchemeOf(name), secret ?? Secret) is not { } harness)
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, "the secret does not load");
        }

        harness.Clock = DateTimeOffset.FromUnixTimeSeconds(now ?? Now);
        var lines = (headers ?? Headers).Select(header => KeyValuePair.Create(header.Key, new StringValues(header.Value)));
        return harness.Decide(SchemeHarness.Deliver(lines, new(body ?? Encoding.UTF8.GetBytes(Body)), Method, Target ?? Path));
    }

    public Verdict Decide(string name, VectorReject reject)
    {
        var headers = new Dictionary<string, string>(Headers, StringComparer.Ordinal);
        foreach (var (header, value) in reject.Headers ?? [])
        {
            headers.Remove(header);
            if (value is not null)
            {
                headers[header] = value;
            }
        }

        return Decide(name, reject.Body is null ? null : Encoding.UTF8.GetBytes(reject.Body), headers: headers, now: reject.Now);
    }
}

/// <summary>A change to a vector: headers by name (null takes one away), the body, the time.</summary>
internal sealed record VectorReject
{
    public required string Why { get; init; }

    /// <summary>The slug of the refusal.</summary>
    public required string Reason { get; init; }

    public Dictionary<string, string?>? Headers { get; init; }

    public string? Body { get; init; }

    public long? Now { get; init; }
}
