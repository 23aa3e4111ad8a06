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

    [LoggerMessage(6002, LogLevel.Warning,
        "Closed a connection whose bytes could not be read ({Fault}); {Unsaid} more since the last such line; level Debug tells each in full")]
    public static partial void ConnectionFailed(this ILogger logger, string fault, long unsaid);

    [LoggerMessage(6003, LogLevel.Debug, "Connection {Connection} failed")]
    public static partial void ConnectionFailedAt(this ILogger logger, Exception exception, string connection);
}
