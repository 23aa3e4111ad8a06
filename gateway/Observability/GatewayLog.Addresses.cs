namespace WebhookEdge.Observability;

/// <summary>Address lists: events 2000 to 2099.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(2000, LogLevel.Information, "Address list {List} changed: {Prefixes} networks, {AddressesV4} IPv4 addresses, from {Source}")]
    public static partial void AddressListChanged(this ILogger logger, string list, int prefixes, ulong addressesV4, string source);

    [LoggerMessage(2001, LogLevel.Warning,
        "Address lists from {Source} were not refreshed: {Fault}. What was loaded before stays in force; next try in {RetryIn}")]
    public static partial void AddressFeedFailed(this ILogger logger, string source, string fault, TimeSpan retryIn);

    [LoggerMessage(2002, LogLevel.Error, "Address list {List} is held back: {Fault}")]
    public static partial void AddressListHeldBack(this ILogger logger, string list, string fault);

    [LoggerMessage(2003, LogLevel.Error, "Address list {List} cannot be made from {Source}: {Fault}. What was loaded before stays in force")]
    public static partial void AddressListRefused(this ILogger logger, string list, string source, string fault);

    [LoggerMessage(2004, LogLevel.Error, "Address list {List} was last confirmed {Age} ago, longer than the alarm limit of {AlarmAfter}")]
    public static partial void AddressListStale(this ILogger logger, string list, TimeSpan age, TimeSpan alarmAfter);

    [LoggerMessage(2005, LogLevel.Information, "Address list {List} restored from disk: {Prefixes} networks, last confirmed {Age} ago")]
    public static partial void AddressListRestored(this ILogger logger, string list, int prefixes, TimeSpan age);

    [LoggerMessage(2006, LogLevel.Warning, "Last-known-good address list {File} is ignored: {Fault}")]
    public static partial void StateFileIgnored(this ILogger logger, string file, string fault);

    [LoggerMessage(2007, LogLevel.Warning, "Last-known-good address list {File} could not be written: {Fault}. A restart without network will not have it")]
    public static partial void StateFileNotWritten(this ILogger logger, string file, string fault);

    [LoggerMessage(2008, LogLevel.Warning, "Address list {List} names something AWS does not publish: {Fault}")]
    public static partial void AddressListNameUnknown(this ILogger logger, string list, string fault);

    [LoggerMessage(2009, LogLevel.Warning, "Address list {List} is taken with a remark: {Remark}")]
    public static partial void AddressListRemark(this ILogger logger, string list, string remark);
}
