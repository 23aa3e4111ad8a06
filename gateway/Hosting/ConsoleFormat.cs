using Microsoft.Extensions.Configuration.Memory;

namespace WebhookEdge.Hosting;

/// <summary>
/// How lines on the console look when the configuration does not say: one JSON object a line in a container whose output somebody collects, one plain line
/// for a person everywhere else. <c>Logging:Console:FormatterName</c> (<c>json</c>, <c>simple</c>, <c>systemd</c>) overrides it.
/// </summary>
internal static class ConsoleFormat
{
    /// <summary>Key in an exception's data: its message is in the log already.</summary>
    public const string Logged = "WebhookEdge.Logged";

    private const string Formatter = "Logging:Console:FormatterName";
    private const string Options = "Logging:Console:FormatterOptions:";

    public static bool IsJson(IConfiguration configuration) => configuration[Formatter] == "json";

    /// <summary>Fills in what is not configured, at the lowest precedence.</summary>
    public static void AddDefaults(ConfigurationManager configuration) => AddDefaults(configuration, Console.IsOutputRedirected);

    internal static void AddDefaults(ConfigurationManager configuration, bool redirected)
    {
        var collected = redirected && configuration["DOTNET_RUNNING_IN_CONTAINER"] is "true" or "1";
        var name = configuration[Formatter] ?? (collected ? "json" : "simple");
        ((IConfigurationBuilder)configuration).Sources.Insert(0, new MemoryConfigurationSource
        {
            InitialData = name == "json"
                ? new Dictionary<string, string?> { [Formatter] = name, [Options + "TimestampFormat"] = "yyyy-MM-ddTHH:mm:ss.fffZ",
                    [Options + "UseUtcTimestamp"] = "true" }
                : new Dictionary<string, string?> { [Formatter] = name, [Options + "TimestampFormat"] = "HH:mm:ss ", [Options + "SingleLine"] = "true" },
        });
    }
}
