using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>What became of connections from proxies that speak the PROXY protocol. Tag: <c>outcome</c>, one of a fixed list.</summary>
internal sealed class ConnectionMetrics(Meter meter)
{
    private readonly Counter<long> _proxied = meter.CreateCounter<long>(
        "webhookedge.proxy_protocol.connections", "{connection}", "Connections from trusted proxies, by what their PROXY header came to.");

    public void Proxied(string outcome) => _proxied.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
}
