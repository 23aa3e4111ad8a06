using System.Diagnostics.Tracing;

namespace WebhookEdge.Observability;

/// <summary>
/// Brings the OTLP exporter's faults into our log, once a minute at most. The SDK tells them to an event source that nobody reads, and a collector that is away
/// would go unnoticed.
/// </summary>
internal sealed class ExportFaults : EventListener
{
    private const string Source = "OpenTelemetry-Exporter-OpenTelemetryProtocol";
    private const int LongestFault = 300;

    private readonly LogInterval _lines;
    private readonly ILogger _logger;

    public ExportFaults(TimeProvider time, ILogger logger)
    {
        _lines = new(time, TimeSpan.FromMinutes(1));
        _logger = logger;

        // Sources that exist already were announced before the fields above were set.
        foreach (var source in EventSource.GetSources())
        {
            OnEventSourceCreated(source);
        }
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == Source)
        {
            EnableEvents(eventSource, EventLevel.Error);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (_logger is null || !_lines.TryEnter(out _))
        {
            return;
        }

        var fault = string.Join(' ', eventData.Payload ?? (IEnumerable<object?>)[]);
        _logger.TelemetryExportFailed(eventData.EventName ?? "", fault.Length <= LongestFault ? fault : fault[..LongestFault]);
    }
}
