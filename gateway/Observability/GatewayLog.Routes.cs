namespace WebhookEdge.Observability;

internal static partial class GatewayLog
{
    [LoggerMessage(5100, LogLevel.Information,
        "Configuration revision {Revision} is in force, routes: {Routes}; added: {Added}; removed: {Removed}; changed: {Changed}")]
    public static partial void RoutesReloaded(this ILogger logger, string revision, int routes, string added, string removed, string changed);

    [LoggerMessage(5101, LogLevel.Error, "Configuration refused: {Problem}. Revision {Revision} stays in force")]
    public static partial void RoutesRefused(this ILogger logger, string problem, string revision);

    [LoggerMessage(5102, LogLevel.Error, "Reading the configuration failed; the watcher goes on")]
    public static partial void ReloadFailed(this ILogger logger, Exception exception);

    [LoggerMessage(5103, LogLevel.Warning, "Configuration: {Problem}")]
    public static partial void RoutesWarning(this ILogger logger, string problem);

    [LoggerMessage(5104, LogLevel.Warning, "Route {Route} is in observe mode ({Checks}): what these refuse is recorded and forwarded all the same")]
    public static partial void RouteObserves(this ILogger logger, string route, string checks);

    [LoggerMessage(5105, LogLevel.Information,
        "WebhookEdge {Version}, revision {Revision}: {Routes} routes; events are remembered in {Store}; client addresses from {ClientAddress}; at most "
        + "{ConcurrentRequests} requests and {BufferedBodies} of bodies at once; state on disk: {State}; {Warnings} warnings")]
    public static partial void Summary(this ILogger logger, string version, string revision, int routes, string store, string clientAddress,
        int concurrentRequests, string bufferedBodies, string state, int warnings);

    [LoggerMessage(5106, LogLevel.Information,
        "Route {Route}: {Match} to {Upstream}; provider {Provider}; checks {Checks}; from {Addresses}; replay {Replay}; limits {Limits}; sender gives up "
        + "{GivesUp}; mode {Mode}")]
    public static partial void RouteSummary(this ILogger logger, string route, string match, string upstream, string provider, string checks, string addresses,
        string replay, string limits, string givesUp, string mode);

    [LoggerMessage(5107, LogLevel.Error, "Configuration: {Problem}")]
    public static partial void RoutesError(this ILogger logger, string problem);

    [LoggerMessage(5108, LogLevel.Critical, "Not started: {Fault}")]
    public static partial void NotStarted(this ILogger logger, string fault);

    [LoggerMessage(5109, LogLevel.Information, "Configuration is good again: it is that of revision {Revision}, which stayed in force")]
    public static partial void RoutesAsBefore(this ILogger logger, string revision);

    [LoggerMessage(5110, LogLevel.Error,
        "Revision {Revision} was published and requests still meet the rules of an earlier one on {Routes}; restart the gateway")]
    public static partial void RoutesStray(this ILogger logger, string routes, string revision);
}
