using System.Text;

namespace WebhookEdge.UnitTests.Routes.Rules;

/// <summary>
/// One file a case. The first lines say what must come out: <c>// expect: ok</c> or <c>// expect: PATH TEXT</c> for each error (PATH is <c>-</c> for the file
/// as a whole), <c>// warn: PATH TEXT</c> for each warning. TEXT stands in the message or the hint. Anything more or less fails, but for the warning about
/// keys of the body alone: nearly every case would have it, so those that are about it name it.
/// </summary>
public class RoutesCorpusTests
{
    /// <summary>Cases there were when this was last raised: a corpus that vanished passes every test.</summary>
    private const int AtLeast = 220;

    private static string Folder => Path.Combine(RoutesSamples.Root, "tests", "corpus", "routes-json");

    public static TheoryData<string> Cases() => [.. Directory.GetFiles(Folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order()];

    [Fact]
    public void The_corpus_is_there() => Assert.True(Cases().Count >= AtLeast, $"{Folder} holds {Cases().Count} cases, {AtLeast} were expected");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Case_is_judged_as_it_says(string name)
    {
        var text = File.ReadAllText(Path.Combine(Folder, name + ".json"));
        var expected = text.Split('\n')
            .TakeWhile(l => l.StartsWith("// expect: ", StringComparison.Ordinal) || l.StartsWith("// warn: ", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(expected);

        var (file, problems) = RoutesSamples.Read(Encoding.UTF8.GetBytes(text));

        var left = problems.ToList();
        foreach (var line in expected.Where(l => l != "// expect: ok"))
        {
            var warning = line.StartsWith("// warn: ", StringComparison.Ordinal);
            var (path, said) = Place(line[(warning ? "// warn: ".Length : "// expect: ".Length)..]);
            var match = left.Find(p => p.IsWarning == warning && p.Path == path && $"{p.Message}; {p.Hint}".Contains(said, StringComparison.Ordinal));
            Assert.True(match is not null, $"{line}\nwas not among:\n{string.Join('\n', problems)}");
            left.Remove(match);
        }

        left.RemoveAll(static p => p.IsWarning && p.Message.StartsWith("events with the same body count as one event", StringComparison.Ordinal));
        Assert.True(left.Count == 0, $"unexpected:\n{string.Join('\n', left)}");
        Assert.Equal(problems.All(p => p.IsWarning), file is not null);
    }

    /// <summary>A path ends at the first space outside brackets with quotes.</summary>
    private static (string Path, string Said) Place(string line)
    {
        var quoted = false;
        for (var i = 0; i < line.Length; i++)
        {
            quoted ^= line[i] == '"';
            if (line[i] == ' ' && !quoted)
            {
                return (line[..i] == "-" ? "" : line[..i], line[(i + 1)..]);
            }
        }

        throw new FormatException($"no path and text in: {line}");
    }
}
