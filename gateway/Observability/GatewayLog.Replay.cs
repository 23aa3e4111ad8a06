namespace WebhookEdge.Observability;

/// <summary>3000–3499: replay protection. Keys appear as hex digests; connection strings never.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(3000, LogLevel.Warning, "Replay store away ({Operation}: {Fault}); not asked again for {Pause}")]
    public static partial void ReplayStoreAway(this ILogger logger, string operation, string fault, TimeSpan pause);

    [LoggerMessage(3001, LogLevel.Information, "Replay store back")]
    public static partial void ReplayStoreBack(this ILogger logger);

    [LoggerMessage(3002, LogLevel.Error, "Write-back queue full at {Limit} markers; further deliveries are remembered in this process only")]
    public static partial void ReplayWriteBackFull(this ILogger logger, int limit);

    [LoggerMessage(3003, LogLevel.Information, "Write-back finished, {Count} markers stored")]
    public static partial void ReplayWriteBackDone(this ILogger logger, int count);

    [LoggerMessage(3004, LogLevel.Warning, "Stopping with {Count} markers not written back: after a restart these events could be delivered again")]
    public static partial void ReplayWriteBackLost(this ILogger logger, int count);

    [LoggerMessage(3005, LogLevel.Information, "Connected to Redis at {EndPoint}")]
    public static partial void RedisConnected(this ILogger logger, string endPoint);

    [LoggerMessage(3006, LogLevel.Warning, "Connection to Redis at {EndPoint} failed: {Fault}; reconnecting")]
    public static partial void RedisConnectionFailed(this ILogger logger, string endPoint, string fault);

    [LoggerMessage(3007, LogLevel.Warning,
        "Redis at {EndPoint} has maxmemory-policy {Policy}: it may evict keys whose loss lets duplicates through; set noeviction or volatile-ttl")]
    public static partial void RedisMayEvict(this ILogger logger, string endPoint, string policy);

    [LoggerMessage(3008, LogLevel.Information, "Redis at {EndPoint} has no SET with NX and GET (before 7.0): claiming by script")]
    public static partial void RedisClaimsByScript(this ILogger logger, string endPoint);

    [LoggerMessage(3009, LogLevel.Information, "Event {Key} forgotten: its next copy is delivered")]
    public static partial void ReplayForgotten(this ILogger logger, string key);

    [LoggerMessage(3010, LogLevel.Information,
        "Redis at {EndPoint} does not tell its maxmemory-policy ({Fault}): see to it that it is noeviction or volatile-ttl, or it may evict keys whose loss "
        + "lets duplicates through")]
    public static partial void RedisKeepsItsPolicy(this ILogger logger, string endPoint, string fault);

    [LoggerMessage(3011, LogLevel.Warning,
        "Replay store answered a {Operation} with {Fault}: that event goes on as if the store were away, others are not concerned ({Unsaid} such answers "
        + "since the last line)")]
    public static partial void ReplayStoreAnswersNonsense(this ILogger logger, string operation, string fault, long unsaid);

    [LoggerMessage(3012, LogLevel.Warning,
        "The replay memory is full at {Capacity} events: the oldest are forgotten before their time, and copies of them would be delivered again; raise "
        + "edge.limits.rememberedEvents (about 100 bytes each), or name a Redis")]
    public static partial void ReplayMemoryForgets(this ILogger logger, int capacity);
}
