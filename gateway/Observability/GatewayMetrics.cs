using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>The meter and the groups of its instruments. Tags are bounded: route, stage, reason, outcome, list; never an address, a path or a key.</summary>
internal sealed class GatewayMetrics : IDisposable
{
    public const string MeterName = "WebhookEdge";

    public GatewayMetrics(IMeterFactory factory)
    {
        Meter = factory.Create(MeterName);
        Requests = new(Meter);
        Connections = new(Meter);
        Configuration = new(Meter);
        Addresses = new(Meter);
        Replay = new(Meter);
        Routes = new(Meter);
    }

    public Meter Meter { get; }

    public RequestMetrics Requests { get; }

    public ConnectionMetrics Connections { get; }

    public ConfigurationMetrics Configuration { get; }

    public AddressMetrics Addresses { get; }

    public ReplayMetrics Replay { get; }

    public RouteMetrics Routes { get; }

    public void Dispose() => Meter.Dispose();
}
