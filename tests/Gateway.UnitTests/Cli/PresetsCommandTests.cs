using System.Text;
using WebhookEdge.Cli;
using WebhookEdge.Providers;
using WebhookEdge.Routes;

namespace WebhookEdge.UnitTests.Cli;

public sealed class PresetsCommandTests
{
    [Fact]
    public async Task The_route_that_is_printed_for_a_preset_validates()
    {
        await using var gateway = new OfflineGateway();
        foreach (var preset in Presets.All.Values)
        {
            var loaded = await gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(PresetsCommand.SampleRoutes(preset)), CompileMode.WithoutSecrets,
                CancellationToken.None);

            Assert.True(loaded.Compiled is not null, $"{preset.Name}: {string.Join("; ", loaded.Problems)}");
        }
    }
}
