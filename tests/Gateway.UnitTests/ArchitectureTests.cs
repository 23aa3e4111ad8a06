using System.Text;
using System.Text.RegularExpressions;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests;

/// <summary>
/// Who may know whom in gateway/. The tests read the source, because a reference that the compiler inlines or erases is still an arrow in the design.
/// A new arrow is a new word in <see cref="Arrows"/>, to be argued for in review.
/// </summary>
public sealed class ArchitectureTests
{
    private const string Everything = "*";

    /// <summary>The floors every stage stands on. Stages never know each other: they meet in Routes.</summary>
    private static readonly string[] StageMayKnow = ["Primitives", "Verdicts", "Configuration", "Observability", "Gate"];

    private static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["Primitives"] = [],
        ["Verdicts"] = [],
        ["Configuration"] = ["Primitives", "Verdicts"],
        ["Providers"] = ["Primitives", "Configuration"],
        ["Observability"] = ["Primitives", "Verdicts"],
        ["FailedAttempts"] = ["Primitives", "Observability"],
        ["Gate"] = ["Primitives", "Verdicts", "Observability", "FailedAttempts"],
        ["Ingress"] = StageMayKnow,
        ["AllowLists"] = StageMayKnow,
        ["RateLimits"] = StageMayKnow,
        ["Authentication"] = StageMayKnow,
        ["Replay"] = StageMayKnow,
        ["Handshakes"] = StageMayKnow,
        ["Forwarding"] = ["Primitives", "Gate", "Verdicts", "Observability"],
        ["Routes"] = [.. StageMayKnow, "Providers", "FailedAttempts", "Ingress", "AllowLists", "RateLimits", "Authentication", "Replay", "Handshakes",
            "Forwarding"],
        ["Admin"] = [Everything],
        ["Cli"] = [Everything],
        ["Hosting"] = [Everything],
    };

    private static readonly string[] MayKnowHttpContext = ["Gate", "Ingress", "Forwarding", "Admin", "Hosting"];
    private static readonly string[] MayKnowYarp = ["Gate", "Forwarding", "Routes", "Hosting"];

    private static readonly SourceFile[] Sources = ReadSources();

    /// <summary>
    /// Every type of the gateway by the folder that declares it, so that <c>Verdicts.RejectReason</c> is told from a property named Verdicts.
    /// </summary>
    private static readonly ILookup<string, string> TypesByFolder = Sources.SelectMany(file =>
        Regex.Matches(file.Code, @"\b(?:class|struct|interface|enum|record|delegate\s+[\w<>\[\],?. ]+?)\s+(?:class\s+|struct\s+)?([A-Z]\w*)")
            .Select(match => (file.Folder, Type: match.Groups[1].Value))).ToLookup(pair => pair.Folder, pair => pair.Type);

    public static TheoryData<string> Folders => [.. Sources.Select(file => file.Folder).Where(folder => folder.Length > 0).Distinct()];

    [Fact]
    public void No_file_is_longer_than_300_lines_and_no_line_of_code_than_160_columns()
    {
        // Sample data of senders is one line a piece.
        var wide = new Regex("\"\"\"", RegexOptions.CultureInvariant);
        foreach (var path in Directory.EnumerateFiles(Path.Combine(RepositoryRoot.Path, "gateway"), "*.cs", SearchOption.AllDirectories))
        {
            if (Regex.IsMatch(path, @"[\\/](obj|bin)[\\/]"))
            {
                continue;
            }

            var lines = File.ReadAllLines(path);
            Assert.True(lines.Length <= 300, $"{path} has {lines.Length} lines");
            Assert.All(lines, line => Assert.True(line.Length <= 160 || wide.IsMatch(line), $"{path}: {line}"));
        }
    }

    [Fact]
    public void There_is_something_to_read()
    {
        Assert.True(Sources.Length >= 10, $"only {Sources.Length} source files under gateway/: these tests would hold for nothing");
        Assert.Contains("Gate", Sources.Select(file => file.Folder));
        Assert.Contains("RejectReason", TypesByFolder["Verdicts"]);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_folder_knows_only_what_it_may_know(string folder)
    {
        Assert.True(Arrows.TryGetValue(folder, out var allowed), $"gateway/{folder} is new: give it a line in {nameof(Arrows)}");

        var wrong =
            from file in Sources
            where file.Folder == folder && !allowed.Contains(Everything)
            from known in ReferencedFolders(file.Code, folder)
            where !allowed.Contains(known)
            select $"{file.Path} refers to {known}";

        Assert.Empty(wrong);
    }

    [Fact]
    public void The_arrows_make_no_circle()
    {
        var settled = new HashSet<string>();
        var open = Arrows.Where(arrow => !arrow.Value.Contains(Everything)).ToDictionary();
        while (open.Where(arrow => arrow.Value.All(settled.Contains)).Select(arrow => arrow.Key).ToArray() is { Length: > 0 } next)
        {
            settled.UnionWith(next);
            Array.ForEach(next, folder => open.Remove(folder));
        }

        Assert.Empty(open.Keys);
    }

    [Fact]
    public void HttpContext_is_known_where_requests_come_in_and_nowhere_else() =>
        Assert.Empty(FilesWith(@"\bHttpContext\b", allowed: file => MayKnowHttpContext.Contains(file.Folder)));

    [Fact]
    public void Yarp_is_known_where_requests_go_out_and_nowhere_else() =>
        Assert.Empty(FilesWith(@"\bYarp\s*\.", allowed: file => MayKnowYarp.Contains(file.Folder)));

    [Fact]
    public void The_files_named_after_Redis_know_StackExchange_Redis_and_no_other() =>
        Assert.Empty(FilesWith(@"\bStackExchange\b", allowed: file => file.Path.StartsWith("Replay/Redis", StringComparison.Ordinal)));

    [Fact]
    public void Nothing_is_imported_behind_the_back_of_these_tests()
    {
        Assert.Empty(FilesWith(@"\bglobal\s+using\b", allowed: _ => false));
        Assert.DoesNotMatch("<Using\\s", File.ReadAllText(Path.Combine(RepositoryRoot.Path, "gateway", "Gateway.csproj")));
        Assert.DoesNotMatch("<Using\\s", File.ReadAllText(Path.Combine(RepositoryRoot.Path, "Directory.Build.props")));
    }

    [Fact]
    public void A_file_lies_in_the_folder_of_its_namespace()
    {
        var wrong =
            from file in Sources
            where file.Folder.Length > 0
            let expected = "WebhookEdge." + Path.GetDirectoryName(file.Path)!.Replace('/', '.').Replace('\\', '.')
            let declared = Regex.Matches(file.Code, @"\bnamespace\s+([\w.]+)").Select(match => match.Groups[1].Value).ToArray()
            where declared is not [var only] || only != expected
            select $"{file.Path} declares {(declared.Length == 0 ? "no namespace" : string.Join(", ", declared))} instead of {expected}";

        Assert.Empty(wrong);
        Assert.Equal(["Program.cs"], Sources.Where(file => file.Folder.Length == 0).Select(file => file.Path));
    }

    [Fact]
    public void No_type_is_public()
    {
        // The Web SDK makes the class behind top-level statements public for test hosts; it has no members.
        var visible = typeof(RejectReason).Assembly.GetExportedTypes().Where(type => type.FullName != "Program");

        Assert.Empty(visible);
    }

    [Theory]
    [InlineData("using WebhookEdge.Replay;", "Replay")]
    [InlineData("using static WebhookEdge.Replay.ReplayKey;", "Replay")]
    [InlineData("using Keys = WebhookEdge.Replay.ReplayKey;", "Replay")]
    [InlineData("var a = new global::WebhookEdge . Replay.ReplayKey();", "Replay")]
    [InlineData("private Verdicts.RejectReason _reason;", "Verdicts")]
    [InlineData("private Verdicts.RejectReason? _reason = Configuration.RoutesSyntax.Parse();", "Configuration,Verdicts")]
    [InlineData("using WebhookEdge.Gate; var x = WebhookEdge.Gate.Stage.Replay;", "")]
    [InlineData("var n = file.Verdicts.Count + Verdicts.Count;", "")]
    [InlineData("// WebhookEdge.Replay\n/* Verdicts.RejectReason */ /// <see cref=\"WebhookEdge.Replay.X\"/>", "")]
    [InlineData("var s = \"WebhookEdge.Replay\" + @\"a\"\"WebhookEdge.Replay\" + \"\\\"WebhookEdge.Replay\" + \"\"\"WebhookEdge.Replay\"\"\" + '\"';", "")]
    [InlineData("var s = '\"'; using WebhookEdge.Replay; // \"", "Replay")]
    [InlineData("var s = $\"{WebhookEdge.Replay.ReplayKey.Name}\";", "Replay")]
    [InlineData("var s = $\"a {{WebhookEdge.Replay}} {(x ? \"WebhookEdge.Replay\" : Verdicts.RejectReason.Duplicate)}\";", "Verdicts")]
    public void References_are_found_in_code_and_only_there(string code, string expected) =>
        Assert.Equal(expected, string.Join(',', ReferencedFolders(CSharpText.CodeOnly(code), "Gate").Order()));

    private static IEnumerable<string> FilesWith(string pattern, Func<SourceFile, bool> allowed) =>
        Sources.Where(file => file.Folder.Length > 0 && !allowed(file) && Regex.IsMatch(file.Code, pattern)).Select(file => file.Path);

    /// <summary>
    /// The other folders that <paramref name="code"/>, which stands in <paramref name="folder"/>, names: in full, or relative to the common namespace.
    /// </summary>
    private static HashSet<string> ReferencedFolders(string code, string folder)
    {
        var known = new HashSet<string>();
        foreach (Match match in Regex.Matches(code, @"\bWebhookEdge\s*\.\s*(\w+)"))
        {
            known.Add(match.Groups[1].Value);
        }

        foreach (Match match in Regex.Matches(code, @"(?<![\w.])([A-Z]\w*)\s*\.\s*([A-Z]\w*)"))
        {
            if (match.Groups[1].Value is var other && Arrows.ContainsKey(other) && TypesByFolder[other].Contains(match.Groups[2].Value))
            {
                known.Add(other);
            }
        }

        known.Remove(folder);
        return known;
    }

    private static SourceFile[] ReadSources()
    {
        var root = Path.Combine(RepositoryRoot.Path, "gateway");
        return
        [
            .. from path in Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
               let relative = Path.GetRelativePath(root, path).Replace('\\', '/')
               where !relative.StartsWith("bin/", StringComparison.Ordinal) && !relative.StartsWith("obj/", StringComparison.Ordinal)
               orderby relative
               select new SourceFile(relative, relative.Contains('/') ? relative[..relative.IndexOf('/')] : "", CSharpText.CodeOnly(File.ReadAllText(path))),
        ];
    }

    /// <param name="Path">Relative to gateway/, with forward slashes.</param>
    /// <param name="Folder">The first folder of the path; empty for a file beside the project file.</param>
    /// <param name="Code">Without comments and without what stands in literals.</param>
    private sealed record SourceFile(string Path, string Folder, string Code);
}

/// <summary>Tells C# code from its comments and literals: just enough of the lexical grammar, holes of interpolated strings included.</summary>
internal static class CSharpText
{
    public static string CodeOnly(string text)
    {
        var code = new StringBuilder(text.Length);
        var at = 0;
        Code(text, ref at, code, holeBraces: 0);
        return code.ToString();
    }

    /// <param name="holeBraces">0 at the top; inside a hole of an interpolated string, how many closing braces end it.</param>
    private static void Code(string text, ref int at, StringBuilder code, int holeBraces)
    {
        var depth = 0;
        while (at < text.Length)
        {
            var rest = text.AsSpan(at);
            if (rest.StartsWith("//"))
            {
                var end = rest.IndexOf('\n');
                at = end < 0 ? text.Length : at + end;
            }
            else if (rest.StartsWith("/*"))
            {
                var end = rest[2..].IndexOf("*/");
                at = end < 0 ? text.Length : at + end + 4;
                code.Append(' ');
            }
            else if (rest[0] == '\'')
            {
                at += rest.Length > 1 && rest[1] == '\\' ? 3 : 2;
                at = Math.Min(text.Length, text.IndexOf('\'', Math.Min(at, text.Length)) is >= 0 and var end ? end + 1 : text.Length);
                code.Append("' '");
            }
            else if (rest[0] is '"' or '$' or '@' && StringPrefix(rest) is > 0 and var prefix)
            {
                Literal(text, ref at, code, prefix);
            }
            else
            {
                depth += rest[0] == '{' ? 1 : rest[0] == '}' ? -1 : 0;
                if (holeBraces > 0 && depth < 0)
                {
                    at += holeBraces;
                    return;
                }

                code.Append(rest[0]);
                at++;
            }
        }
    }

    /// <summary>Length of <c>$</c>, <c>@</c> and the first quote; 0 when no string starts here.</summary>
    private static int StringPrefix(ReadOnlySpan<char> text)
    {
        var quote = text.IndexOfAnyExcept('$', '@');
        return quote >= 0 && text[quote] == '"' ? quote + 1 : 0;
    }

    private static void Literal(string text, ref int at, StringBuilder code, int prefix)
    {
        var opening = text.AsSpan(at, prefix);
        var dollars = opening.Count('$');
        var verbatim = opening.Contains('@');
        var quotes = 1;
        while (at + prefix - 1 + quotes < text.Length && text[at + prefix - 1 + quotes] == '"')
        {
            quotes++;
        }

        code.Append("\" \"");
        if (quotes == 2)
        {
            at += prefix + 1;
            return;
        }

        // In a raw string as many braces as dollars open a hole; in an ordinary one a single brace, and two are a brace.
        var raw = quotes >= 3 && !verbatim;
        if (!raw)
        {
            quotes = 1;
        }

        at += prefix - 1 + quotes;
        while (at < text.Length)
        {
            var rest = text.AsSpan(at);
            var run = rest.IndexOfAnyExcept(rest[0]) is >= 0 and var length ? length : rest.Length;
            if (rest[0] == '"')
            {
                if (raw ? run >= quotes : !verbatim || run % 2 == 1)
                {
                    at += raw || verbatim ? run : 1;
                    return;
                }

                at += run;
            }
            else if (rest[0] == '\\' && !raw && !verbatim)
            {
                at += 2;
            }
            else if (rest[0] == '{' && dollars > 0 && (raw ? run >= dollars : run % 2 == 1))
            {
                at += run;
                code.Append(' ');
                Code(text, ref at, code, raw ? dollars : 1);
                code.Append(' ');
            }
            else
            {
                at += rest[0] == '{' ? run : 1;
            }
        }
    }
}
