using System.Text;
using System.Text.Json;
using WebhookEdge.Configuration;
using WebhookEdge.Signatures;

namespace WebhookEdge.UnitTests.Signatures;

/// <summary>Examples the vendors published, signature and all: what they sign verifies here, and nothing near it does.</summary>
public sealed class VendorVectorTests
{
    private const int Published = 14;

    private static readonly JsonSerializerOptions Options = new(JsonSerializerOptions.Strict) { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public static TheoryData<string> Names()
    {
        var names = new TheoryData<string>();
        foreach (var file in Directory.EnumerateFiles(Folder(), "*.json"))
        {
            names.Add(Path.GetFileNameWithoutExtension(file));
        }

        return names;
    }

    [Fact]
    public void Every_published_vector_is_there() => Assert.True(Names().Count >= Published);

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vendors_own_example_verifies(string name)
    {
        var vector = Load(name);

        var verdict = Decide(vector);

        Assert.True(verdict.Passed, verdict.Detail);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Any_changed_byte_of_the_body_is_refused(string name)
    {
        var vector = Load(name);
        var body = Encoding.UTF8.GetBytes(vector.Body);

        for (var i = 0; i < body.Length; i++)
        {
            body[i] ^= 1;
            Assert.False(Decide(vector, body: body).Passed);
            body[i] ^= 1;
        }

        Assert.False(Decide(vector, body: [.. body, (byte)' ']).Passed);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Any_changed_byte_of_the_secret_is_refused(string name)
    {
        var vector = Load(name);

        for (var i = 0; i < vector.Secret.Length; i++)
        {
            // A base64 key must stay base64: swap one digit for another.
            var other = vector.Secret[i] == 'A' ? 'B' : 'A';
            var secret = vector.Secret[..i] + other + vector.Secret[(i + 1)..];
            if (vector.Scheme.Key?.Strip is { } strip && i < strip.Length)
            {
                continue;
            }

            Assert.False(Decide(vector, secret: secret).Passed);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Any_changed_byte_of_signature_timestamp_or_signed_id_is_refused(string name)
    {
        var vector = Load(name);
        var fragments = vector.Scheme.Header!.Values.Append(vector.Scheme.Timestamp?.From ?? "").Append(vector.Scheme.Signed!.Contains("{id}", StringComparison.Ordinal) ? vector.Scheme.Id! : "")
            .Select(place => place[(place.IndexOf(':', StringComparison.Ordinal) + 1)..]).Where(vector.Headers.ContainsKey);

        // Box signs with either of two keys: the other one's header may be anything well formed, so only the one that counts is changed.
        if (vector.Scheme.Header.Values.Count == 2)
        {
            var counts = vector.Scheme.Header.Values.Single(header => Decide(vector, headers: vector.Headers.Where(pair => pair.Key == header || !vector.Scheme.Header.Values.Contains(pair.Key))).Passed);
            fragments = [counts, "box-delivery-timestamp"];
            vector = vector with { Headers = vector.Headers.Where(pair => pair.Key == counts || !vector.Scheme.Header.Values.Contains(pair.Key)).ToDictionary() };
        }

        foreach (var header in fragments)
        {
            var text = vector.Headers[header];
            for (var i = 0; i < text.Length; i++)
            {
                foreach (var other in new[] { (char)(text[i] ^ 1), (char)(text[i] ^ 2), ' ', '\0' })
                {
                    var changed = new Dictionary<string, string>(vector.Headers, StringComparer.Ordinal) { [header] = text[..i] + other + text[(i + 1)..] };
                    Assert.False(Decide(vector, headers: changed).Passed, $"{header} {i} {other}");
                }

                var shorter = new Dictionary<string, string>(vector.Headers, StringComparer.Ordinal) { [header] = text.Remove(i, 1) };
                Assert.False(Decide(vector, headers: shorter).Passed, $"{header} without {i}");
            }
        }
    }

    private static WebhookEdge.Verdicts.Verdict Decide(Vector vector, byte[]? body = null, string? secret = null, IEnumerable<KeyValuePair<string, string>>? headers = null)
    {
        var harness = SchemeHarness.CreateAt(vector.PublicUrl, vector.Path, vector.Scheme, secret ?? vector.Secret);
        harness.Clock = DateTimeOffset.FromUnixTimeSeconds(vector.Now);
        var lines = (headers ?? vector.Headers).Select(header => KeyValuePair.Create(header.Key, new Microsoft.Extensions.Primitives.StringValues(header.Value)));
        return harness.Decide(SchemeHarness.Deliver(lines, new(body ?? Encoding.UTF8.GetBytes(vector.Body)), vector.Method, vector.Path));
    }

    private static Vector Load(string name) =>
        JsonSerializer.Deserialize<Vector>(File.ReadAllBytes(Path.Combine(Folder(), name + ".json")), Options)!;

    private static string Folder()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "WebhookEdge.sln")))
        {
            folder = folder.Parent;
        }

        return Path.Combine(folder!.FullName, "tests", "corpus", "vendor-vectors");
    }

    private sealed record Vector
    {
        /// <summary>Where the vendor published it.</summary>
        public required string Source { get; init; }

        public required SchemeSpec Scheme { get; init; }

        public required string Secret { get; init; }

        public required string Method { get; init; }

        public required string PublicUrl { get; init; }

        public required string Path { get; init; }

        /// <summary>Unix seconds at which the example was sent.</summary>
        public required long Now { get; init; }

        public required Dictionary<string, string> Headers { get; init; }

        public required string Body { get; init; }
    }
}
