namespace WebhookEdge.Observability;

internal static partial class GatewayLog
{
    [LoggerMessage(6000, LogLevel.Warning,
        "Closed a connection from the trusted proxy {Proxy}: {Fault} where its PROXY header belongs; {Unsaid} more since the last such line")]
    public static partial void ProxyHeaderRefused(this ILogger logger, string proxy, string fault, long unsaid);

    [LoggerMessage(6001, LogLevel.Warning,
        "Closed a connection as it came: {Most} are open, and no more are taken (Kestrel:Limits:MaxConcurrentConnections); {Unsaid} more since the last "
        + "such line")]
    public static partial void ConnectionRefused(this ILogger logger, int most, long unsaid);
}
