using System.Text;
using WebhookEdge.Cli;
using WebhookEdge.Routes;

namespace WebhookEdge.UnitTests.Routes;

/// <summary>What validates also compiles, and what does not is refused with words and never with an exception.</summary>
public sealed class RoutesLoaderTests
{
    public static TheoryData<string> Corpus =>
        [.. Directory.GetFiles(Path.Combine(RepositoryRoot.Path, "tests", "corpus", "routes-json"), "*.json").Select(Path.GetFileNameWithoutExtension)
        .OfType<string>()];

    [Theory]
    [MemberData(nameof(Corpus))]
    public async Task Every_case_of_the_corpus_compiles_or_is_refused_in_words(string name)
    {
        var text = await File.ReadAllBytesAsync(Path.Combine(RepositoryRoot.Path, "tests", "corpus", "routes-json", name + ".json"));
        await using var gateway = new OfflineGateway();

        var loaded = await gateway.Loader.LoadAsync(text, CompileMode.WithoutSecrets, CancellationToken.None);

        Assert.Equal(loaded.Problems.All(static p => p.IsWarning), loaded.Compiled is not null);
    }

    /// <summary>One round for the author of the file: misspelt keys and wrong values together, without what the misspelling itself brings about.</summary>
    [Theory]
    [InlineData("""{ "routes": { "a": { "pth": "/a", "allow": ["203.0.113.1"], "upstream": "http://app:80" }, "b": { "path": "b", "allow": ["nowhere"], "upstream": "http://app:80" } } }""", "routes.a.pth routes.b.path routes.b.allow[0]")]
    [InlineData("""{ "routes": { "a": { "path": "/a", "secrts": ["env:S"], "provider": "verysink", "upstream": "http://app:80" } } }""",
        "routes.a.secrts routes.a.provider")]
    [InlineData("""{ "addresSets": { "office": { "cidrs": ["203.0.113.1"] } }, "routes": { "a": { "path": "/a", "allow": ["office"], "upstream": "http://app:80" } } }""", "addresSets")]
    [InlineData("""{ "routes": { "a": { "path": "/a", "allow": ["203.0.113.1"], "upstream": "http://app:80", "rateLimit": { "rout": {} } }, "b": { "path": 1 } } }""", "routes.a.rateLimit.rout routes.b.path")]
    [InlineData("""{ "routes": { "a": { "path": "/a", "mode": "watch", "timeout": "10m", "allow": ["nowhere"], "upstream": "http://app:80", "rateLimit": { "route": { "permits": 0, "window": "1s" } } } } }""", "routes.a.mode routes.a.timeout routes.a.allow[0] routes.a.rateLimit.route.permits")]
    public async Task Misspelt_keys_and_wrong_values_are_told_in_one_round(string text, string places)
    {
        await using var gateway = new OfflineGateway();

        var loaded = await gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(text), CompileMode.WithSecrets, CancellationToken.None);

        Assert.Null(loaded.Compiled);
        Assert.Equal(places.Split(' '), loaded.Problems.Where(static p => !p.IsWarning).Select(static p => p.Path));
        Assert.All(loaded.Problems, static p => Assert.NotNull(p.At));
    }

    [Fact]
    public async Task A_budget_of_nothing_is_a_problem_and_not_an_exception()
    {
        await using var gateway = new OfflineGateway();

        var loaded = await gateway.Loader.LoadAsync(
            Encoding.UTF8.GetBytes("""{ "routes": { "r": { "path": "/r", "allow": ["203.0.113.1"], "upstream": "http://app:80", "rateLimit": { "route": { "permits": 0, "window": "1s", "queue": -1 } } } } }"""),
            CompileMode.WithSecrets,
            CancellationToken.None);

        Assert.Null(loaded.Compiled);
        Assert.Contains(loaded.Problems, static p => p.Path == "routes.r.rateLimit.route.permits");
    }
}
