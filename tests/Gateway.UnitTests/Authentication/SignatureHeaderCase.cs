using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.UnitTests.Authentication;

/// <summary>
/// One file of tests/corpus/signature-headers: <c>expect: ok</c> or a reason's slug, <c>preset: NAME</c>, an empty line, header lines as they are sent, an
/// empty line, the body. Secrets are those of the preset's vector, the time is <see cref="Now"/>, the URL is <c>https://hooks.example.com/in/NAME</c>.
/// </summary>
internal sealed record SignatureHeaderCase(string Expect, string Preset, IReadOnlyList<KeyValuePair<string, string>> Headers, byte[] Body)
{
    public const string PublicUrl = "https://hooks.example.com";

    /// <summary>Where a new <see cref="TestKit.TestClock"/> stands, in Unix seconds.</summary>
    public const long Now = 1_795_262_400;

    private static readonly string Folder = System.IO.Path.Combine(RepositoryRoot.Path, "tests", "corpus", "signature-headers");

    public static IReadOnlyList<string> Names { get; } = [.. Directory.GetFiles(Folder, "*.txt")
        .Select(file => System.IO.Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];

    public string Path => "/in/" + Preset;

    public SchemeSpec Scheme => Presets.Find(Preset)!.Scheme;

    public string Secret => VendorVector.Load(Preset).Secret;

    public static SignatureHeaderCase Load(string name)
    {
        var text = File.ReadAllBytes(System.IO.Path.Combine(Folder, name + ".txt")).AsSpan();
        var facts = Section(ref text).ToDictionary(fact => fact.Key, fact => fact.Value.Trim(), StringComparer.Ordinal);

        // White space around a value is no part of it (RFC 9112 §5.1): what the HTTP server hands on has none.
        var headers = Section(ref text).Select(header => KeyValuePair.Create(header.Key, header.Value.Trim(' ', '\t'))).ToList();
        return facts.Count == 2 ? new(facts["expect"], facts["preset"], headers, text.ToArray())
            : throw new FormatException($"{name}: expect and preset, and nothing else");
    }

    /// <summary>Lines up to the first empty one, which is taken too.</summary>
    private static List<KeyValuePair<string, string>> Section(ref Span<byte> text)
    {
        var lines = new List<KeyValuePair<string, string>>();
        while (true)
        {
            var end = text.IndexOf((byte)'\n');
            var line = Encoding.UTF8.GetString(text[..end]);
            text = text[(end + 1)..];
            if (line.Length == 0)
            {
                return lines;
            }

            var colon = line.IndexOf(':', StringComparison.Ordinal);
            lines.Add(new(line[..colon], line[(colon + 1)..]));
        }
    }
}
