namespace WebhookEdge.Observability;

/// <summary>5200–5299: export of metrics and traces.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(5200, LogLevel.Warning, "{Variable} is no http or https URL: metrics and traces are not exported")]
    public static partial void TelemetryEndpointRefused(this ILogger logger, string variable);

    [LoggerMessage(5201, LogLevel.Warning, "The collector does not take metrics or traces: {Event} {Fault}. Said once a minute at most")]
    public static partial void TelemetryExportFailed(this ILogger logger, string @event, string fault);
}
