using Microsoft.Extensions.Logging;

namespace WebhookEdge.TestKit;

/// <summary>One log line: rendered as an operator reads it, and the structured values behind it.</summary>
internal sealed record LogEntry(string Category, LogLevel Level, EventId Event, string Text, IReadOnlyList<KeyValuePair<string, object?>> State,
    Exception? Exception)
{
    /// <summary>The structured value of this name, or null.</summary>
    public object? this[string name] => State.FirstOrDefault(pair => pair.Key == name).Value;

    public override string ToString() => $"{Level} {Event.Id} {Category}: {Text}{(Exception is null ? "" : "\n" + Exception)}";
}

/// <summary>Keeps every log line of a gateway or a logger under test. Add it as a provider, or take a logger from it.</summary>
internal sealed class LogCapture : ILoggerProvider
{
    private readonly Lock _lock = new();
    private readonly List<LogEntry> _entries = [];
    private readonly List<(Func<LogEntry, bool> Wanted, TaskCompletionSource<LogEntry> Found)> _waiters = [];

    public IReadOnlyList<LogEntry> Entries
    {
        get
        {
            lock (_lock)
            {
                return [.. _entries];
            }
        }
    }

    /// <summary>Everything that was logged, structured values and exceptions included: the place to look for a secret that must not be there.</summary>
    public string Everything => string.Join('\n', Entries.Select(entry =>
        $"{entry} {string.Join(' ', entry.State.Select(pair => $"{pair.Key}={pair.Value}"))}"));

    public ILogger CreateLogger(string categoryName) => new CapturingLogger(this, categoryName);

    public ILogger<T> CreateLogger<T>() => new Logger<T>(new SingleProviderFactory(this));

    public IReadOnlyList<LogEntry> WithEvent(int eventId) => [.. Entries.Where(entry => entry.Event.Id == eventId)];

    /// <summary>The first line that <paramref name="wanted"/> accepts, logged already or still to come.</summary>
    public Task<LogEntry> WaitForAsync(Func<LogEntry, bool> wanted, string what, TimeSpan? within = null)
    {
        var found = new TaskCompletionSource<LogEntry>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_entries.Find(entry => wanted(entry)) is { } entry)
            {
                return Task.FromResult(entry);
            }

            _waiters.Add((wanted, found));
        }

        return Deadline.WaitAsync(found.Task, $"a log line: {what}", within);
    }

    public Task<LogEntry> WaitForEventAsync(int eventId, TimeSpan? within = null) =>
        WaitForAsync(entry => entry.Event.Id == eventId, $"event {eventId}", within);

    public void Dispose()
    {
    }

    private void Add(LogEntry entry)
    {
        lock (_lock)
        {
            _entries.Add(entry);
            foreach (var (_, found) in _waiters.Where(waiter => waiter.Wanted(entry)))
            {
                found.TrySetResult(entry);
            }
        }
    }

    private sealed class CapturingLogger(LogCapture capture, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            // Copied at once: a source-generated state is a struct that lives on the caller's stack.
            KeyValuePair<string, object?>[] values = state is IEnumerable<KeyValuePair<string, object?>> pairs ? [.. pairs] : [];
            capture.Add(new(category, logLevel, eventId, formatter(state, exception), values, exception));
        }
    }

    private sealed class SingleProviderFactory(LogCapture capture) : ILoggerFactory
    {
        public ILogger CreateLogger(string categoryName) => capture.CreateLogger(categoryName);

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("this factory serves one capture");

        public void Dispose()
        {
        }
    }
}
