using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>
/// The meter and the groups of its instruments, with what is told beside them about a request: its trace. Tags are bounded: route, stage, reason, outcome,
/// status, list, secret (the reference); never an address, a path or a key.
/// </summary>
internal sealed class GatewayMetrics : IDisposable
{
    public const string MeterName = "WebhookEdge";

    public GatewayMetrics(IMeterFactory factory, TimeProvider time)
    {
        Meter = factory.Create(MeterName);
        Requests = new(Meter, time);
        Connections = new(Meter);
        Certificates = new(Meter);
        Configuration = new(Meter, time);
        Addresses = new(Meter);
        Replay = new(Meter);
        Routes = new(Meter);
        Secrets = new(Meter, time);
    }

    public Meter Meter { get; }

    public RequestMetrics Requests { get; }

    public ConnectionMetrics Connections { get; }

    public CertificateMetrics Certificates { get; }

    public ConfigurationMetrics Configuration { get; }

    public AddressMetrics Addresses { get; }

    public ReplayMetrics Replay { get; }

    public RouteMetrics Routes { get; }

    public SecretUse Secrets { get; }

    public RequestTracing Tracing { get; } = new();

    public void Dispose()
    {
        Tracing.Dispose();
        Meter.Dispose();
    }
}
