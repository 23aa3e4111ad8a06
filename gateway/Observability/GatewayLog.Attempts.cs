namespace WebhookEdge.Observability;

/// <summary>Lines left out, and failed attempts of events: events 1109 to 1119.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(EventId = 1109, Message = "{Line}: {LeftOut} more like this in the last second ({Reason} on route {Route}); the metrics count them all")]
    public static partial void LinesLeftOut(this ILogger logger, LogLevel level, int line, long leftOut, string reason, string route);

    [LoggerMessage(1110, LogLevel.Error,
        "Event {EventKey} of route {Route} failed {Attempts} of {Limit} attempts; the sender ({Provider}) gives up after the next")]
    public static partial void AttemptsNearLimit(this ILogger logger, string eventKey, string route, int attempts, int limit, string provider);

    [LoggerMessage(1111, LogLevel.Error,
        "Event {EventKey} of route {Route} failed {Attempts} of {Limit} attempts; the sender ({Provider}) does not send it again by itself")]
    public static partial void AttemptsGivenUp(this ILogger logger, string eventKey, string route, int attempts, int limit, string provider);

    [LoggerMessage(1112, LogLevel.Error,
        "{InARow} deliveries in a row failed on route {Route}; the sender ({Provider}) switches the webhook off after {Limit}")]
    public static partial void SwitchOffNear(this ILogger logger, int inARow, string route, string provider, int limit);

    [LoggerMessage(1113, LogLevel.Error,
        "{InARow} deliveries in a row failed on route {Route}, the limit of {Limit}: the sender ({Provider}) may have switched the webhook off; look there, "
        + "and turn it on again once the app answers")]
    public static partial void SwitchedOff(this ILogger logger, int inARow, string route, int limit, string provider);

    [LoggerMessage(1114, LogLevel.Warning, "Event {EventKey} of route {Route} was delivered after {Attempts} failed attempts")]
    public static partial void DeliveredLate(this ILogger logger, string eventKey, string route, int attempts);
}
