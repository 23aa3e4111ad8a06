namespace WebhookEdge.Observability;

internal static partial class GatewayLog
{
    [LoggerMessage(5100, LogLevel.Information, "Configuration revision {Revision} is in force, routes: {Routes}")]
    public static partial void RoutesReloaded(this ILogger logger, string revision, int routes);

    [LoggerMessage(5101, LogLevel.Error, "Configuration refused: {Problem}. Revision {Revision} stays in force")]
    public static partial void RoutesRefused(this ILogger logger, string problem, string revision);

    [LoggerMessage(5102, LogLevel.Error, "Reading the configuration failed; the watcher goes on")]
    public static partial void ReloadFailed(this ILogger logger, Exception exception);

    [LoggerMessage(5103, LogLevel.Warning, "Configuration: {Problem}")]
    public static partial void RoutesWarning(this ILogger logger, string problem);
}
