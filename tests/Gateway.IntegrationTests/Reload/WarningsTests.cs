using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Reload;

public sealed class WarningsTests
{
    private const string Patient = """{ "routes": { "r": { "path": "/r", "allow": ["127.0.0.0/8"], "upstream": "{upstream}", "timeout": "45s", "replay": "off" } } }""";

    [Fact]
    public async Task A_file_that_is_taken_with_a_warning_says_so_in_the_log_at_start_and_after_a_reload()
    {
        await using var gateway = await TestGateway.StartAsync(Patient);
        Assert.Contains("routes.r.timeout", Assert.Single(gateway.Logs.WithEvent(5103)).Text, StringComparison.Ordinal);

        Assert.True(await gateway.ReloadAsync(Patient.Replace("45s", "46s", StringComparison.Ordinal)));

        Assert.Equal(2, gateway.Logs.WithEvent(5103).Count);
    }
}
