using WebhookEdge.Providers;

namespace WebhookEdge.UnitTests.Providers;

public sealed class ProvidersPageTests
{
    [Fact]
    public void The_committed_page_is_the_generated_one() =>
        GeneratedFile.AssertCurrent("docs/providers.md", ProvidersPage.Generate(Presets.All.Values), "presets", "UPDATE_DOCS", nameof(ProvidersPageTests));

    [Fact]
    public void Every_preset_stands_on_the_page_once()
    {
        var page = ProvidersPage.Generate(Presets.All.Values);

        Assert.All(Presets.All.Keys, name => Assert.Equal(2, page.Split($"\n| `{name}`").Length));
    }
}
