namespace WebhookEdge.Observability;

/// <summary>Every log line, source-generated, with a stable event id. No body, secret or signature value, ever; paths without their query.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(1000, LogLevel.Information, "Listening on {Addresses}; admin on {Admin}")]
    public static partial void Listening(this ILogger logger, string addresses, string admin);

    [LoggerMessage(1001, LogLevel.Information, "Draining: not ready any more, {InFlight} requests in flight")]
    public static partial void Draining(this ILogger logger, long inFlight);

    [LoggerMessage(EventId = 1100,
        Message = "{Reason}: {Method} {Path} on route {Route} from {Client} answered {Status}; {Detail}; request {RequestId}, event {EventKey}")]
    public static partial void Refused(this ILogger logger, LogLevel level, string method, string path, string route, string client, string reason,
        string? detail, int status, string requestId, string? eventKey);

    [LoggerMessage(1101, LogLevel.Debug,
        "Forwarded {Method} {Path} on route {Route} from {Client}: upstream answered {Status}, request {RequestId}, event {EventKey}")]
    public static partial void Forwarded(this ILogger logger, string method, string path, string route, string client, int status, string requestId,
        string? eventKey);

    [LoggerMessage(1115, LogLevel.Warning,
        "The upstream of route {Route} answered {Status} to {Method} {Path} from {Client}: authentic and not delivered by this attempt, request "
        + "{RequestId}, event {EventKey}")]
    public static partial void UpstreamRefused(this ILogger logger, string method, string path, string route, string client, int status, string requestId,
        string? eventKey);

    [LoggerMessage(1102, LogLevel.Warning,
        "Would refuse {Method} {Path} on route {Route} from {Client}: {Reason}; forwarded, because it is in observe mode, request {RequestId}")]
    public static partial void WouldRefuse(this ILogger logger, string method, string path, string route, string client, string reason, string requestId);

    [LoggerMessage(1103, LogLevel.Warning, "Upstream of route {Route} accepts no connection ({Error}); holding request {RequestId}, nothing was sent")]
    public static partial void Holding(this ILogger logger, string route, string error, string requestId);

    [LoggerMessage(1106, LogLevel.Warning,
        "Destination {Destination} of route {Route} accepts no connection ({Error}); trying another for request {RequestId}, nothing was sent")]
    public static partial void TryingAnother(this ILogger logger, string? destination, string route, string error, string requestId);

    [LoggerMessage(1104, LogLevel.Error,
        "A check of route {Route} failed; the request was refused, request {RequestId}; {Unsaid} more since the last such line")]
    public static partial void CheckFailed(this ILogger logger, Exception exception, string route, string requestId, long unsaid);

    [LoggerMessage(1105, LogLevel.Error, "Settling a replay claim of route {Route} failed, event {EventKey}")]
    public static partial void SettleFailed(this ILogger logger, Exception exception, string route, string? eventKey);

    [LoggerMessage(1108, LogLevel.Information, "Answered the challenge {Method} {Path} on route {Route} from {Client}: {Status}, request {RequestId}")]
    public static partial void ChallengeAnswered(this ILogger logger, string method, string path, string route, string client, int status, string requestId);

    [LoggerMessage(1116, LogLevel.Error, "An admin request failed ({Method}), request {RequestId}; {Unsaid} more since the last such line")]
    public static partial void AdminFailed(this ILogger logger, Exception exception, string method, string requestId, long unsaid);

    [LoggerMessage(1117, LogLevel.Error,
        "A request failed outside of its checks (route {Route}) and was refused, request {RequestId}; {Unsaid} more since the last such line")]
    public static partial void RequestFailed(this ILogger logger, Exception exception, string route, string requestId, long unsaid);

    [LoggerMessage(1107, LogLevel.Debug, "The body of a request on route {Route} could not be given back, its connection is over, request {RequestId}")]
    public static partial void BodyNotReturned(this ILogger logger, Exception exception, string route, string requestId);

    [LoggerMessage(1108, LogLevel.Warning,
        "An upload to the app of route {Route} could not be ended after its answer, the sender's connection is closed, request {RequestId}")]
    public static partial void SendingNotEnded(this ILogger logger, Exception exception, string route, string requestId);
}
