using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using WebhookEdge.Observability;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Observability;

public sealed class BoundedLoggersTests : IDisposable
{
    private readonly TestClock _clock = new();
    private readonly LogCapture _logs = new();
    private readonly LogThrottle _throttle;
    private readonly BoundedLoggers _loggers;

    public BoundedLoggersTests()
    {
        _throttle = new(new ConfigurationBuilder().Build(), _clock, _logs.CreateLogger<LogThrottle>());
        _loggers = new(new LoggerFactory([_logs]));
    }

    [Theory]
    [InlineData("Microsoft.AspNetCore.Server.Kestrel")]
    [InlineData("Microsoft.AspNetCore.Server.Kestrel.Connections")]
    [InlineData("Yarp.ReverseProxy.Forwarder.HttpForwarder")]
    [InlineData("System.Net.Http.HttpClient")]
    public void What_others_log_is_bounded_by_event_and_what_was_left_out_is_told(string category)
    {
        var logger = _loggers.CreateLogger(category);
        _loggers.BoundBy(_throttle);
        for (var i = 0; i < 1000; i++)
        {
            logger.Log(LogLevel.Error, new EventId(13, "ApplicationError"), "thrown by the application", new IOException("broken"), static (text, _) => text);
            logger.Log(LogLevel.Warning, new EventId(24, "ConnectionRejected"), "rejected", null, static (text, _) => text);
        }

        Assert.Equal((20, 20), (_logs.WithEvent(13).Count, _logs.WithEvent(24).Count));
        Assert.IsType<IOException>(_logs.WithEvent(13)[0].Exception);
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal([(13, 980L, category), (24, 980L, category)],
            _logs.WithEvent(1109).Select(static line => ((int)line["Line"]!, (long)line["LeftOut"]!, (string)line["Reason"]!)).Order());
    }

    /// <summary>
    /// As of a request whose trailers came after less data than it announced, and whose sender then hung up: the server meets the error while it closes.
    /// </summary>
    [Fact]
    public void A_clients_broken_HTTP_2_is_no_critical_fault_of_the_servers()
    {
        var logger = _loggers.CreateLogger("Microsoft.AspNetCore.Server.Kestrel");
        _loggers.BoundBy(_throttle);

        foreach (var exception in (Exception[])[new Http2ConnectionErrorException(), new IOException("another")])
        {
            logger.Log(LogLevel.Critical, default, "Unexpected exception in HttpConnection.ProcessRequestsAsync.", exception, static (text, _) => text);
        }

        Assert.Equal([LogLevel.Debug, LogLevel.Critical], _logs.Entries.Select(static line => line.Level));
    }

    [Fact]
    public void The_gateways_own_lines_ask_for_themselves_and_nothing_is_left_out_before_it_serves()
    {
        _loggers.CreateLogger("Microsoft.Hosting.Lifetime").LogInformation("starting");
        for (var i = 0; i < 30; i++)
        {
            _loggers.CreateLogger("Microsoft.Hosting.Lifetime").LogInformation("still starting");
        }

        _loggers.BoundBy(_throttle);
        var own = _loggers.CreateLogger("WebhookEdge.Routes.RoutesReloader");
        for (var i = 0; i < 30; i++)
        {
            own.Log(LogLevel.Information, default, i, null, static (number, _) => $"route {number}");
        }

        Assert.Equal(61, _logs.Entries.Count);
    }

    [Fact]
    public void Many_events_do_not_get_round_the_bound()
    {
        _loggers.BoundBy(_throttle);
        var logger = _loggers.CreateLogger("Microsoft.AspNetCore.Routing");
        for (var i = 0; i < 10_000; i++)
        {
            logger.Log(LogLevel.Warning, new EventId(i), "text", null, static (text, _) => text);
        }

        Assert.InRange(_logs.Entries.Count, 256, 256 + 20);
    }

    [Fact]
    public void A_line_is_one_line_even_if_an_exception_quotes_what_a_stranger_sent()
    {
        var logger = _loggers.CreateLogger("Microsoft.AspNetCore.Server.Kestrel");
        logger.Log(LogLevel.Debug, default, "1 candidate(s) found for the request path '/a\nfail: forged'", null, static (text, _) => text);
        var fault = new IOException("wrapped", new InvalidDataException("invalid path: \u001b[2K"));
        logger.Log(LogLevel.Debug, default, "stream reset", fault, static (text, _) => text);

        Assert.Equal("1 candidate(s) found for the request path '/a\\u000afail: forged'", _logs.Entries[0].Text);
        Assert.StartsWith("stream reset System.IO.IOException: wrapped", _logs.Entries[1].Text, StringComparison.Ordinal);
        Assert.Contains("invalid path: \\u001b[2K", _logs.Entries[1].Text, StringComparison.Ordinal);
        Assert.Null(_logs.Entries[1].Exception);
    }

    public void Dispose()
    {
        _throttle.Dispose();
        _loggers.Dispose();
    }

    /// <summary>The server's own is internal to it; it is known by its name.</summary>
    private sealed class Http2ConnectionErrorException() : Exception("HTTP/2 connection error (STREAM_CLOSED)");
}
