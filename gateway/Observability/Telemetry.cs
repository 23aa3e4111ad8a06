using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace WebhookEdge.Observability;

/// <summary>
/// The OpenTelemetry SDK of this process: one meter provider whose reader answers <c>/metrics</c>, and, when the standard <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is
/// set, OTLP export of the same metrics and of traces. Works from the start of the host to its end.
/// </summary>
internal sealed class Telemetry(GatewayMetrics metrics, IMeterFactory factory, IConfiguration configuration, TimeProvider time, ILogger<Telemetry> logger)
    : IHostedService, IDisposable
{
    /// <summary>Setting: <c>connections</c> (default) or <c>requests</c>, which adds what ASP.NET Core and the HTTP client measure for each request.</summary>
    public const string FrameworkKey = "Metrics:Framework";

    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string ServiceName = "webhookedge";

    /// <summary>Series of one instrument of ours at most; what is beyond is added up in one series with <c>otel_metric_overflow="true"</c>.</summary>
    private const int OurSeries = 8192;
    private const int TheirSeries = 1024;

    private static readonly string[] Meters =
    [
        GatewayMetrics.MeterName, "System.Runtime", "System.Net.Http", "System.Net.NameResolution", "Microsoft.AspNetCore.Hosting",
        "Microsoft.AspNetCore.Server.Kestrel",
        "Microsoft.AspNetCore.Routing", "Microsoft.AspNetCore.Diagnostics", "Yarp.*",
    ];

    // Measured for every request, each with its own dictionary look-up over four to seven tags, and all of it said by our own instruments for less.
    private static readonly HashSet<string> PerRequest = new(StringComparer.Ordinal)
    {
        "http.server.request.duration", "http.server.active_requests", "aspnetcore.routing.match_attempts",
        "http.client.request.duration", "http.client.active_requests", "http.client.request.time_in_queue", "http.client.open_connections",
    };

    // Gauges called …_count, which Prometheus keeps for histograms, and which nobody watches.
    private static readonly HashSet<string> Unwanted = new(StringComparer.Ordinal)
        { "dotnet.assembly.count", "dotnet.timer.count", "dotnet.process.cpu.count" };

    private readonly PrometheusExporter _prometheus = new();
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly bool _perRequest = string.Equals(configuration[FrameworkKey], "requests", StringComparison.OrdinalIgnoreCase);
    private MetricReader? _reader;
    private ExportFaults? _faults;
    private MeterProvider? _meters;
    private TracerProvider? _traces;
    private long _collectedAt;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var exports = HasEndpoint();
        _faults = exports ? new(time, logger) : null;
        _reader = new BaseExportingMetricReader(_prometheus) { TemporalityPreference = MetricReaderTemporalityPreference.Cumulative };
        var meters = Sdk.CreateMeterProviderBuilder()
            .ConfigureServices(services => services.AddSingleton(configuration))
            .ConfigureResource(Describe)
            .AddMeter(Meters)
            .AddView(View)
            .AddReader(_reader);
        if (exports && configuration["OTEL_METRICS_EXPORTER"] != "none")
        {
            meters.AddOtlpExporter();
        }

        _meters = meters.Build();
        if (exports && configuration["OTEL_TRACES_EXPORTER"] != "none")
        {
            _traces = Sdk.CreateTracerProviderBuilder()
                .ConfigureServices(services => services.AddSingleton(configuration))
                .ConfigureResource(Describe)
                .AddSource(RequestTracing.SourceName)
                .AddOtlpExporter()
                .Build();
            metrics.Tracing.TurnOn();
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Everything measured, as Prometheus text. One collection at a time: whoever asks during one waits for the next and shares it with all others who wait, so
    /// that no number of scrapers costs more than one, and nobody gets text from before the question.
    /// </summary>
    public async ValueTask<ReadOnlyMemory<byte>> CollectAsync(CancellationToken cancellationToken)
    {
        var asked = time.GetTimestamp();
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (_reader is { } reader && (_prometheus.Text.IsEmpty || _collectedAt - asked <= 0))
            {
                _collectedAt = time.GetTimestamp();
                reader.Collect();
            }

            return _prometheus.Text;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Sends what was not sent yet, for a few seconds at most.</summary>
    public void Dispose()
    {
        _traces?.Dispose();
        _meters?.Dispose();
        _faults?.Dispose();
        _one.Dispose();
    }

    private bool HasEndpoint()
    {
        if (configuration[Endpoint] is not { Length: > 0 } endpoint)
        {
            return false;
        }

        if (Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps))
        {
            return true;
        }

        // The SDK would go on with localhost and say nothing.
        logger.TelemetryEndpointRefused(Endpoint);
        return false;
    }

    private void Describe(ResourceBuilder resource)
    {
        // Where OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES name the service, they have the say.
        if (configuration["OTEL_SERVICE_NAME"] is null
            && configuration["OTEL_RESOURCE_ATTRIBUTES"]?.Contains("service.name=", StringComparison.Ordinal) != true)
        {
            resource.AddService(ServiceName, serviceVersion: typeof(Telemetry).Assembly.GetName().Version?.ToString(3));
        }
    }

    /// <summary>Which instruments are heard, and how many series each may have.</summary>
    private MetricStreamConfiguration? View(Instrument instrument)
    {
        // Of another host in this process: the admin listener's server, and other gateways in tests.
        if (instrument.Meter.Scope is IMeterFactory other && !ReferenceEquals(other, factory))
        {
            return MetricStreamConfiguration.Drop;
        }

        if (instrument.Meter.Name == GatewayMetrics.MeterName)
        {
            return new() { CardinalityLimit = OurSeries };
        }

        return Unwanted.Contains(instrument.Name) || (!_perRequest && PerRequest.Contains(instrument.Name)) ? MetricStreamConfiguration.Drop
            : new() { CardinalityLimit = TheirSeries };
    }
}
