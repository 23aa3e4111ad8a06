using System.Text;
using WebhookEdge.Cli;
using WebhookEdge.Routes;
using WebhookEdge.TestKit;

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

    /// <summary>What a later step says in its own words of a place where an error was found stays unsaid.</summary>
    [Theory]
    [InlineData(""" "path": "" """, "routes.a.path a path starts with /")]
    [InlineData(""" "upstream": "" """, "routes.a.upstream not an absolute http or https URL")]
    [InlineData(""" "replay": { "key": ["foo"] } """, "routes.a.replay.key[0] unknown part")]
    [InlineData(""" "secrets": [] """, "routes.a.secrets the list is empty")]
    [InlineData(""" "allow": ["203.0.113.9", "203.0.113.9"] """, "routes.a.allow[1] written twice; keep one")]
    [InlineData(""" "verify": [{ "scheme": { "kind": "hmac" }, "secrets": ["env:PATH"] }] """, "routes.a.verify[0].scheme.header no header")]
    [InlineData(""" "verify": [{ "scheme": { "header": "" }, "secrets": ["env:PATH"] }] """, "routes.a.verify[0].scheme.header not a header name")]
    [InlineData(""" "verify": [{ "scheme": { "header": [] }, "secrets": ["env:PATH"] }] """, "routes.a.verify[0].scheme.header the list is empty")]
    [InlineData(""" "verify": [{ "scheme": { "header": "X-Sig", "signed": "{timestamp}.{body}", "timestamp": { "from": "header:X-T", "toleranceSeconds": -1 } }, "secrets": ["env:PATH"] }] """, "routes.a.verify[0].scheme.timestamp.toleranceSeconds -1 is out of range")]
    [InlineData(""" "freshness": { "at": "foo", "within": "5m" } """, "routes.a.freshness.at")]
    public async Task One_mistake_is_one_line(string mistake, string told)
    {
        await using var gateway = new OfflineGateway();
        var written = mistake.Trim().Split('"')[1];
        var others = new[] { """ "path": "/a" """, """ "upstream": "http://app:80" """, """ "allow": ["203.0.113.1"] """ }
            .Where(key => key.Trim().Split('"')[1] != written)
            .Concat(written == "secrets" ? [""" "provider": "verisync" """] : []);
        var text = "{ \"routes\": { \"a\": {" + string.Join(',', others.Prepend(mistake)) + "} } }";

        var loaded = await gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(text), CompileMode.WithSecrets, CancellationToken.None);

        Assert.Null(loaded.Compiled);
        var problem = Assert.Single(loaded.Problems, static p => !p.IsWarning);
        Assert.StartsWith(told, $"{problem.Path} {problem.Message}; {problem.Hint}", StringComparison.Ordinal);
        Assert.DoesNotContain(loaded.Problems, p => p.IsWarning && p.Path == problem.Path);
    }

    [Fact]
    public async Task A_signature_over_nothing_of_the_request_is_a_warning()
    {
        await using var gateway = new OfflineGateway();
        const string Text = """{ "routes": { "a": { "path": "/a", "upstream": "http://app:80", "verify": [{ "scheme": { "header": "X-Sig", "signed": "hello", "unsignedBody": true }, "secrets": ["env:PATH"] }] } } }""";

        var loaded = await gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(Text), CompileMode.WithSecrets, CancellationToken.None);

        Assert.Contains(loaded.Problems, static p => p.IsWarning && p.Path == "routes.a.verify[0].scheme.signed"
            && p.Message.StartsWith("nothing of the request is signed", StringComparison.Ordinal));
        Assert.Equal(["X-Sig"], loaded.Compiled!.Policies["a"].Policy.CredentialHeaders, StringComparer.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_byte_order_mark_at_the_beginning_of_a_secret_is_a_warning()
    {
        using var files = new TempDirectory();
        await using var gateway = new OfflineGateway();
        await File.WriteAllBytesAsync(files.PathOf("secret"), [0xEF, 0xBB, 0xBF, .. "a secret long enough"u8]);
        var text = $$"""{ "routes": { "a": { "path": "/a", "upstream": "http://app:80", "provider": "verisync", "secrets": ["file:{{files.PathOf("secret")}}"] } } }""";

        var loaded = await gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(text), CompileMode.WithSecrets, CancellationToken.None);

        Assert.Contains(loaded.Problems, static p => p.IsWarning && p.Path == "routes.a.secrets[0]"
            && p.Message.EndsWith("begins with a byte order mark, which counts as a part of it", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_secret_file_that_is_no_whole_path_and_is_not_there_is_told_how_to_be_written()
    {
        await using var gateway = new OfflineGateway();
        const string Text = """{ "routes": { "a": { "path": "/a", "upstream": "http://app:80", "provider": "verisync", "secrets": ["file:~/secret"] } } }""";

        var loaded = await gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(Text), CompileMode.WithSecrets, CancellationToken.None);

        Assert.Contains("write the whole path", Assert.Single(loaded.Problems, static p => !p.IsWarning).Hint, StringComparison.Ordinal);
    }

    /// <summary>What only compiling finds had the place <c>routes.my.route</c>, which is in no file, and no line.</summary>
    [Theory]
    [InlineData(""" "provider": "verisync", "secrets": ["env:NOBODY_SET_THIS"] """, "routes[\"my.route\"].secrets[0]")]
    [InlineData(""" "allow": { "from": ["10.0.0.1", "10.0.0.0/8"], "mode": "enforce" } """, "routes[\"my.route\"].allow.from[0]")]
    [InlineData(""" "allow": ["10.0.0.1"], "transforms": [{ "NoSuchTransform": "x" }] """, "routes[\"my.route\"]")]
    public async Task A_problem_of_a_route_with_a_dot_in_its_id_has_its_place(string keys, string place)
    {
        await using var gateway = new OfflineGateway();
        var text = "{ \"routes\": {\n \"my.route\": { \"path\": \"/a\", \"upstream\": \"http://app:80\",\n" + keys + "} } }";

        var loaded = await gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(text), CompileMode.WithSecrets, CancellationToken.None);

        Assert.Contains(loaded.Problems, problem => problem.Path == place && problem.At is { Line: > 1 });
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
