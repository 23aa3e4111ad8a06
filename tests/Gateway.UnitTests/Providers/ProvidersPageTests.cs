using WebhookEdge.Providers;

namespace WebhookEdge.UnitTests.Providers;

public sealed class ProvidersPageTests
{
    private static string Committed => Path.Combine(RepositoryRoot.Path, "docs", "providers.md");

    [Fact]
    public void The_committed_page_is_the_generated_one()
    {
        var generated = ProvidersPage.Generate(Presets.All.Values);
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Committed)!);
            File.WriteAllText(Committed, generated);
        }

        Assert.True(
            File.Exists(Committed) && File.ReadAllText(Committed) == generated,
            "docs/providers.md is not what the presets say; regenerate it: UPDATE_DOCS=1 dotnet test tests/Gateway.UnitTests --filter ProvidersPageTests");
    }

    [Fact]
    public void Every_preset_stands_on_the_page_once()
    {
        var page = ProvidersPage.Generate(Presets.All.Values);

        Assert.All(Presets.All.Keys, name => Assert.Equal(2, page.Split($"\n| `{name}`").Length));
    }
}
