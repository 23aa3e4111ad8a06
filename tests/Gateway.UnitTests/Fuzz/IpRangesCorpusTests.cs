using System.Text;
using WebhookEdge.AllowLists;

namespace WebhookEdge.UnitTests.Fuzz;

/// <summary>Documents in the shape of AWS' ip-ranges.json. The first line is <c>// expect: ok NUMBER</c> of prefixes, or a part of the fault.</summary>
public sealed class IpRangesCorpusTests
{
    /// <summary>Cases there were when this was last raised: a corpus that vanished passes every test.</summary>
    private const int AtLeast = 35;

    private static readonly string Folder = Path.Combine(RepositoryRoot.Path, "tests", "corpus", "ip-ranges");

    public static TheoryData<string> Cases() =>
        [.. Directory.GetFiles(Folder, "*.json").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];

    [Fact]
    public void The_corpus_is_there() => Assert.True(Cases().Count >= AtLeast, $"{Cases().Count}");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Case_is_judged_as_it_says(string name)
    {
        var (expect, json) = Split(File.ReadAllBytes(Path.Combine(Folder, name + ".json")));

        if (AwsIpRanges.TryParse(json, out var ranges, out var fault))
        {
            Assert.Equal(expect, $"ok {ranges!.Prefixes.Length}");
        }
        else
        {
            Assert.Contains(expect, fault, StringComparison.Ordinal);
        }
    }

    internal static (string Expect, byte[] Json) Split(byte[] file)
    {
        const string Mark = "// expect: ";
        var end = Array.IndexOf(file, (byte)'\n');
        var first = Encoding.UTF8.GetString(file.AsSpan(0, end));
        return first.StartsWith(Mark, StringComparison.Ordinal) ? (first[Mark.Length..], file[(end + 1)..])
            : throw new FormatException("the first line says what to expect");
    }
}
