namespace WebhookEdge.Observability;

internal static partial class GatewayLog
{
    [LoggerMessage(EventId = 4000, Message = "Asked {Host} for a signing key: {Status}, {Result}")]
    public static partial void KeyFetched(this ILogger logger, LogLevel level, string host, int status, string result);

    [LoggerMessage(4001, LogLevel.Warning, "A signing key could not be fetched: {Fault}")]
    public static partial void KeyFetchFailed(this ILogger logger, string fault);

    [LoggerMessage(4002, LogLevel.Warning,
        "Requests to route {Route} name many unknown signing keys; fetching is held back, {Count} times since this was last said. Keys that proved a "
        + "delivery before are not concerned")]
    public static partial void KeyFetchHeldBack(this ILogger logger, string route, long count);

    [LoggerMessage(4003, LogLevel.Warning, "The signing key kept in {File} is ignored and will be fetched again: {Fault}")]
    public static partial void KeptKeyIgnored(this ILogger logger, string file, string fault);

    [LoggerMessage(4004, LogLevel.Warning, "Signing keys kept in the state directory could not be read: {Fault}")]
    public static partial void KeptKeysUnreadable(this ILogger logger, string fault);

    [LoggerMessage(4005, LogLevel.Warning, "A signing key could not be kept in the state directory, and will be fetched again after a restart: {Fault}")]
    public static partial void KeptKeyNotWritten(this ILogger logger, string fault);
}
