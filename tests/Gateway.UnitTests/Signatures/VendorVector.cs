using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Configuration;
using WebhookEdge.Signatures;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Signatures;

/// <summary>
/// A request of a preset's sender, and changes to it that must be refused: <c>tests/corpus/vendor-vectors/PRESET.json</c>, further ones as
/// <c>PRESET.WORD.json</c>.
/// </summary>
internal sealed record VendorVector
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerOptions.Strict) { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary><c>published</c> by the sender, or <c>computed</c> by something else than the gateway.</summary>
    public required string Origin { get; init; }

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

    public required IReadOnlyList<VectorReject> Reject { get; init; }

    public static string Folder { get; } = System.IO.Path.Combine(RepositoryRoot.Path, "tests", "corpus", "vendor-vectors");

    public static IReadOnlyList<string> Names { get; } = [.. Directory.GetFiles(Folder, "*.json").Select(file => System.IO.Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];

    public static VendorVector Load(string name) => JsonSerializer.Deserialize<VendorVector>(File.ReadAllBytes(System.IO.Path.Combine(Folder, name + ".json")), Options)!;

    public static string PresetOf(string name) => name.Split('.')[0];

    public SchemeSpec SchemeOf(string name) => Scheme ?? Presets.Find(PresetOf(name))!.Scheme;

    /// <summary>What the checks say to the request with these parts in place of its own; a secret that no scheme can use is refused.</summary>
    public Verdict Decide(string name, byte[]? body = null, string? secret = null, IEnumerable<KeyValuePair<string, string>>? headers = null, long? now = null)
    {
        if (SchemeHarness.TryCreateAt(PublicUrl, Path, SchemeOf(name), secret ?? Secret) is not { } harness)
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, "the secret does not load");
        }

        harness.Clock = DateTimeOffset.FromUnixTimeSeconds(now ?? Now);
        var lines = (headers ?? Headers).Select(header => KeyValuePair.Create(header.Key, new StringValues(header.Value)));
        return harness.Decide(SchemeHarness.Deliver(lines, new(body ?? Encoding.UTF8.GetBytes(Body)), Method, Path));
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
