using Microsoft.Extensions.Configuration;
using WebhookEdge.Hosting;

namespace WebhookEdge.UnitTests.Hosting;

public sealed class ConsoleFormatTests
{
    [Theory]
    [InlineData(true, "true", null, "json")]
    [InlineData(true, "1", null, "json")]
    [InlineData(false, "true", null, "simple")]
    [InlineData(true, null, null, "simple")]
    [InlineData(true, "true", "simple", "simple")]
    [InlineData(false, null, "json", "json")]
    [InlineData(false, null, "systemd", "systemd")]
    public void Machines_read_what_a_container_writes_and_people_the_rest(bool redirected, string? container, string? configured, string expected)
    {
        var configuration = new ConfigurationManager();
        configuration["DOTNET_RUNNING_IN_CONTAINER"] = container;
        configuration["Logging:Console:FormatterName"] = configured;
        var asWritten = configuration["Logging:Console:FormatterOptions:TimestampFormat"];

        ConsoleFormat.AddDefaults(configuration, redirected);

        Assert.Null(asWritten);
        Assert.Equal(expected, configuration["Logging:Console:FormatterName"]);
        Assert.Equal(expected == "json", ConsoleFormat.IsJson(configuration));
        Assert.Equal(expected == "json" ? "true" : null, configuration["Logging:Console:FormatterOptions:UseUtcTimestamp"]);
    }
}
