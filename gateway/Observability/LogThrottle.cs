using System.Globalization;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Observability;

/// <summary>
/// Keeps a flood of refusals from becoming a flood of lines: of each line the first few a second are written, the others are counted, and one line tells
/// how many there were. Whoever writes asks first, so a line that is not written is not formatted either. Metrics and journal are not concerned.
/// </summary>
internal sealed class LogThrottle : IDisposable
{
    /// <summary>Configuration key of <see cref="PerSecond"/>.</summary>
    public const string Setting = "Logging:RefusalsPerSecond";

    private const int DefaultPerSecond = 20;

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly List<ThrottledLine> _owing = [];
    private readonly ITimer _timer;

    /// <exception cref="FormatException">The setting is not a whole number of 0 or more.</exception>
    public LogThrottle(IConfiguration configuration, TimeProvider time, ILogger<LogThrottle> logger)
    {
        _time = time;
        _logger = logger;
        _timer = time.CreateTimer(static state => ((LogThrottle)state!).Flush(all: false), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        var written = configuration[Setting];
        PerSecond = string.IsNullOrEmpty(written) ? DefaultPerSecond
            : int.TryParse(written, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value
            : throw new FormatException($"{Setting} is \"{written}\"; write a whole number, or 0 for no bound");
    }

    /// <summary>Lines a second of each event, route and reason; 0 = no bound.</summary>
    public int PerSecond { get; }

    /// <summary>The lines of requests that match no route.</summary>
    public RouteLogLines Unrouted { get; } = new();

    /// <summary>
    /// Whether to write <paramref name="line"/> now. Called for every refusal; takes no lock but for the first line that is left out in a second.
    /// </summary>
    public bool Allows(ThrottledLine line)
    {
        if (PerSecond == 0)
        {
            return true;
        }

        var second = _time.GetTimestamp() / _time.TimestampFrequency;
        if (line.TryTurn(second, PerSecond, out var leftOut))
        {
            Tell(line, leftOut);
        }

        var asked = line.Ask();
        if (asked == PerSecond + 1)
        {
            Owe(line);
        }

        return asked <= PerSecond;
    }

    /// <summary>What is still owed is told: after this, nothing was left out in silence.</summary>
    public void Dispose()
    {
        _timer.Dispose();
        Flush(all: true);
    }

    private void Owe(ThrottledLine line)
    {
        lock (_lock)
        {
            // A line that was told of by its own next second may still stand here; the timer drops it.
            if (!_owing.Contains(line))
            {
                _owing.Add(line);
            }

            if (_owing.Count == 1)
            {
                _timer.Change(TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>Lines of a flood that has ended: nothing of theirs comes any more that would tell how many there were.</summary>
    private void Flush(bool all)
    {
        ThrottledLine[] owing;
        lock (_lock)
        {
            owing = [.. _owing];
            _owing.Clear();
        }

        var second = all ? long.MaxValue : _time.GetTimestamp() / _time.TimestampFrequency;
        foreach (var line in owing)
        {
            if (line.TryTurn(second, PerSecond, out var leftOut))
            {
                Tell(line, leftOut);
            }
            else if (line.LeavesOut(PerSecond))
            {
                Owe(line);
            }
        }
    }

    private void Tell(ThrottledLine line, long leftOut)
    {
        if (leftOut > 0)
        {
            _logger.LinesLeftOut(line.Level, line.EventId, leftOut, line.Reason, line.Route);
        }
    }
}

/// <summary>One kind of line: an event of a route for a reason. Counts how often it was asked for in the current second.</summary>
internal sealed class ThrottledLine(int eventId, LogLevel level, string route, string reason)
{
    private long _second = -1;
    private long _asked;

    public int EventId => eventId;

    public LogLevel Level => level;

    public string Route => route;

    public string Reason => reason;

    /// <summary>How often it was asked for in this second, this time included.</summary>
    public long Ask() => Interlocked.Increment(ref _asked);

    /// <summary>More were asked for in this second than are written.</summary>
    public bool LeavesOut(int perSecond) => Volatile.Read(ref _asked) > perSecond;

    /// <summary>
    /// True for the one caller that begins <paramref name="second"/>; then <paramref name="leftOut"/> lines of the seconds before were not written.
    /// Every asking is counted into exactly one second, so the sum over all turns is exact.
    /// </summary>
    public bool TryTurn(long second, int perSecond, out long leftOut)
    {
        leftOut = 0;
        var seen = Volatile.Read(ref _second);
        if (seen >= second || Interlocked.CompareExchange(ref _second, second, seen) != seen)
        {
            return false;
        }

        leftOut = Math.Max(0, Interlocked.Exchange(ref _asked, 0) - perSecond);
        return true;
    }
}

/// <summary>The lines that requests to one route can cause; each is made when it is first needed.</summary>
internal sealed class RouteLogLines
{
    private readonly ThrottledLine?[] _refused = new ThrottledLine?[RejectReasons.Count];
    private readonly ThrottledLine?[] _wouldRefuse = new ThrottledLine?[RejectReasons.Count];
    private ThrottledLine? _challenge;
    private ThrottledLine? _holding;
    private ThrottledLine? _upstreamRefused;
    private ThrottledLine? _tryingAnother;
    private ThrottledLine? _settleFailed;

    public ThrottledLine Refused(string route, RejectReason reason) =>
        _refused[(int)reason] ??= new(1100, reason.Describe().Level, route, reason.Describe().Slug);

    public ThrottledLine WouldRefuse(string route, RejectReason reason) =>
        _wouldRefuse[(int)reason] ??= new(1102, LogLevel.Warning, route, reason.Describe().Slug);

    public ThrottledLine Holding(string route) => _holding ??= new(1103, LogLevel.Warning, route, "upstream-unreachable");

    public ThrottledLine TryingAnother(string route) => _tryingAnother ??= new(1106, LogLevel.Warning, route, "upstream-unreachable");

    public ThrottledLine SettleFailed(string route) => _settleFailed ??= new(1105, LogLevel.Error, route, "settle-failed");

    public ThrottledLine UpstreamRefused(string route) => _upstreamRefused ??= new(1115, LogLevel.Warning, route, "upstream-refused");

    public ThrottledLine Challenge(string route) => _challenge ??= new(1108, LogLevel.Information, route, "handshake");
}
