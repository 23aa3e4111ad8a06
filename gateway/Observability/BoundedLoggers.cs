using System.Collections.Concurrent;

namespace WebhookEdge.Observability;

/// <summary>
/// The last wall against floods of lines: what the server, the router, the proxy and the HTTP client log by themselves goes through <see cref="LogThrottle"/>
/// as the gate's own lines do, because much of it can be caused by anybody (a connection too many, a body broken off in some new way). And it is one line
/// each, whatever a stranger wrote into a path. The gateway's own loggers are passed on as they are: each line of theirs asks by itself.
/// </summary>
internal sealed class BoundedLoggers(ILoggerFactory inner) : ILoggerFactory
{
    /// <summary>Of each category; what comes under further ids shares the last line.</summary>
    private const int MostLines = 256;

    /// <summary>Where the server reads what a client sends, as the first line of a stack trace has it.</summary>
    private static readonly string[] s_readers =
        ["   at Microsoft.AspNetCore.Server.Kestrel.Core.Internal.", "   at System.Net.Http.HPack.", "   at System.Net.Security."];

    private LogThrottle? _throttle;

    /// <summary>From now on lines are bounded. Before, the host only says why it does not start.</summary>
    public void BoundBy(LogThrottle throttle) => Volatile.Write(ref _throttle, throttle);

    public ILogger CreateLogger(string categoryName)
    {
        var logger = inner.CreateLogger(categoryName);
        return IsForeign(categoryName) ? new BoundedLogger(this, categoryName, logger) : logger;
    }

    public void AddProvider(ILoggerProvider provider) => inner.AddProvider(provider);

    public void Dispose() => inner.Dispose();

    private static bool IsForeign(string category) =>
        category.StartsWith("Microsoft.", StringComparison.Ordinal) || category.StartsWith("System.", StringComparison.Ordinal)
        || category.StartsWith("Yarp.", StringComparison.Ordinal);

    private sealed class BoundedLogger(BoundedLoggers owner, string category, ILogger inner) : ILogger
    {
        private readonly ConcurrentDictionary<(int Id, string? Name, LogLevel Level), ThrottledLine> _lines = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            logLevel = IsOfTheClient(eventId, exception) ? LogLevel.Debug : logLevel;
            if (inner.IsEnabled(logLevel) && (Volatile.Read(ref owner._throttle) is not { } throttle || throttle.Allows(LineOf(eventId, logLevel))))
            {
                // An exception is written as it is, line by line; one that quotes a stranger's line end, or worse, comes as a part of the text instead.
                var quotes = QuotesControls(exception);
                try
                {
                    inner.Log(logLevel, eventId, state, quotes ? null : exception,
                        (s, e) => LogText.OneLine(quotes ? $"{formatter(s, exception)} {exception}" : formatter(s, e)));
                }
                catch (Exception)
                {
                    // A line that cannot be made must not fail what it tells of: the host's line about a request's begin asks for its decoded host name.
                }
            }
        }

        /// <summary>
        /// What a client did wrong, and the server tells of as a fault of its own; elsewhere it tells of the like at Debug. An error in HTTP/2 that it meets
        /// while it closes the connection (a request whose trailers come after less data than it announced, then hanging up) passes its own handling. Its
        /// parsers throw what nothing of it expects: at an index of a header that is none, at a TLS record that cannot be decrypted, and, where it reads on
        /// to the end of a body that was refused early, at trailers that are no text. A reader that we left in a wrong state is told of by the same event;
        /// that is thrown elsewhere. Streams opened by the
        /// hundred without reading an answer make it lose the end of a connection (<c>ConnectionLimit</c>), which it tells at Critical.
        /// </summary>
        private static bool IsOfTheClient(EventId eventId, Exception? exception) =>
            eventId.Name == "ApplicationNeverCompleted"
            || exception?.GetType().Name is "Http2ConnectionErrorException" or "Http2StreamErrorException"
            || (exception?.StackTrace is { } trace && (eventId.Name == "RequestBodyDrainBodyReaderInvalidState" || eventId is { Id: 0, Name: null })
                && Array.Exists(s_readers, reader => trace.StartsWith(reader, StringComparison.Ordinal)));

        private static bool QuotesControls(Exception? exception)
        {
            for (; exception is not null; exception = exception.InnerException)
            {
                if (!ReferenceEquals(LogText.OneLine(exception.Message), exception.Message))
                {
                    return true;
                }
            }

            return false;
        }

        private ThrottledLine LineOf(EventId eventId, LogLevel level)
        {
            var key = (eventId.Id, eventId.Name, level);
            if (_lines.TryGetValue(key, out var line))
            {
                return line;
            }

            key = _lines.Count < MostLines ? key : (-1, null, level);
            return _lines.GetOrAdd(key, static (key, category) => new(key.Id, key.Level, "none", category), category);
        }
    }
}
