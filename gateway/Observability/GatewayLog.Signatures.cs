namespace WebhookEdge.Observability;

internal static partial class GatewayLog
{
    [LoggerMessage(4000, LogLevel.Information, "Asked {Host} for a signing key: {Status}, {Result}")]
    public static partial void KeyFetched(this ILogger logger, string host, int status, string result);

    [LoggerMessage(4001, LogLevel.Warning, "A signing key could not be fetched: {Fault}")]
    public static partial void KeyFetchFailed(this ILogger logger, string fault);

    [LoggerMessage(4002, LogLevel.Warning, "Requests name many unknown signing keys; fetching is held back")]
    public static partial void KeyFetchHeldBack(this ILogger logger);
}
