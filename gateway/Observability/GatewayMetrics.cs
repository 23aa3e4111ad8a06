using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>The meter and the groups of its instruments. Tags are bounded: route, stage, reason, outcome, list; never an address, a path or a key.</summary>
internal sealed class GatewayMetrics : IDisposable
{
    public const string MeterName = "WebhookEdge";

    public GatewayMetrics(IMeterFactory factory)
    {
        Meter = factory.Create(MeterName);
    }

    public Meter Meter { get; }

    public void Dispose() => Meter.Dispose();
}
