using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Json.Schema;
using WebhookEdge.Cli;
using WebhookEdge.Configuration;
using WebhookEdge.Providers;
using WebhookEdge.Routes;
using WebhookEdge.UnitTests.Routes.Rules;
using YamlDotNet.RepresentationModel;

namespace WebhookEdge.UnitTests.Configuration;

/// <summary>
/// Editors judge by the schema, the gateway by its reader and validator. What the gateway takes the schema takes, and what can be seen in one value, without
/// knowing the rest of the file, both refuse.
/// </summary>
public sealed partial class SchemaAgreesTests
{
    private static readonly JsonDocumentOptions s_relaxed = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    private static readonly Lazy<JsonSchema> s_schema = new(static () => JsonSchema.FromText(RoutesSchema.Generate()));

    /// <summary>
    /// Faults that a schema cannot see: they lie between keys, or in what a parser has thrown away (keys written twice), or in the free text of clusters.
    /// </summary>
    [GeneratedRegex("written twice|differs only in case|is no JSON|not valid Unicode|YARP|did you mean|hours:minutes:seconds|not a value of|^[0-9.]+[a-z]+ "
        + "is out of range", RegexOptions.CultureInvariant)]
    private static partial Regex Unseen();

    /// <summary>Of what the validator says, that which is about one value: a schema that lets it pass has drifted.</summary>
    [GeneratedRegex(
        "^unknown word|the list is empty|literal secrets|is not the name of an environment variable|is not a path$|^no path$|^no scheme$|^no "
        + "budget$|cluster and upstream both|"
        + "nowhere to forward to|more than one source|the set is empty|^no number of requests|^no length of time|^no largest age|^no place to read the time "
        + "from|not a route id|^no routes$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Seen();

    public static TheoryData<string> Corpus => RoutesCorpusTests.Cases();

    [Theory]
    [MemberData(nameof(Corpus))]
    public void A_case_of_the_corpus_is_judged_alike(string name)
    {
        var bytes = File.ReadAllBytes(Path.Combine(RoutesSamples.Root, "tests", "corpus", "routes-json", name + ".json"));
        var structural = RoutesFileReader.Read(bytes, out var structure) is null;
        var (file, problems) = RoutesSamples.Read(bytes);
        if (Schema(bytes) is not { } accepts)
        {
            Assert.Null(file);
            return;
        }

        if (file is not null)
        {
            Assert.True(accepts, "the schema refuses what the gateway takes");
        }
        else if ((structural && structure.Any(static p => !p.Path.StartsWith("clusters", StringComparison.Ordinal) && !Unseen().IsMatch(p.Message)))
            || problems.Any(static p => !p.IsWarning && !p.Path.EndsWith(".kind", StringComparison.Ordinal) && Seen().IsMatch(p.Message)))
        {
            // Kinds are open in the schema: those that are code have names of their own.
            Assert.False(accepts, $"the schema takes what the gateway refuses:\n{string.Join('\n', problems)}");
        }
    }

    /// <summary>Every whole routes.json of README, docs and config, and those that <c>presets NAME</c> prints.</summary>
    public static TheoryData<string> Documents =>
    [
        "config/routes.json", "config/demo.json", "config/routes.compose.json", "config/kubernetes/routes.yml", "README.md",
        .. Presets.All.Keys.Order(StringComparer.Ordinal).Select(static name => "preset " + name),
    ];

    [Theory]
    [MemberData(nameof(Documents))]
    public void What_is_shown_to_people_is_accepted_by_the_reader_and_by_the_schema(string document)
    {
        var texts = TextsOf(document);

        Assert.NotEmpty(texts);
        foreach (var text in texts)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            var file = RoutesFileReader.ReadAndValidate(bytes, out var problems);

            Assert.True(file is not null, string.Join('\n', problems));
            Assert.True(Schema(bytes), $"the schema refuses {document}");
        }
    }

    private static IReadOnlyList<string> TextsOf(string document)
    {
        if (document.StartsWith("preset ", StringComparison.Ordinal))
        {
            return [PresetsCommand.SampleRoutes(Presets.Find(document[7..])!)];
        }

        var text = File.ReadAllText(Path.Combine(RoutesSamples.Root, document));
        if (document.EndsWith(".json", StringComparison.Ordinal))
        {
            return [text];
        }

        if (document.EndsWith(".yml", StringComparison.Ordinal))
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            return [.. stream.Documents.Select(static d => d.RootNode["data"]["routes.json"].ToString())];
        }

        // A block that is a fragment of a file shows no routes.
        return [.. Fence().Matches(text).Select(static m => m.Groups["text"].Value)
            .Where(static block => block.Contains("\"routes\": {", StringComparison.Ordinal))];
    }

    [GeneratedRegex("^ *```jsonc?\\n(?<text>.*?)^ *```", RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Fence();

    /// <summary>What the schema says; null for what is no JSON to begin with.</summary>
    private static bool? Schema(ReadOnlySpan<byte> utf8)
    {
        try
        {
            using var json = JsonDocument.Parse((utf8 is [0xEF, 0xBB, 0xBF, ..] ? utf8[3..] : utf8).ToArray(), s_relaxed);
            return s_schema.Value.Evaluate(json.RootElement).IsValid;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second: half of a surrogate pair, which no text can be made of.
            return null;
        }
    }
}
