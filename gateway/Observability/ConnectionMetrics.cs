using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>Connections to the public endpoints: open now, the most there may be, closed as they came since the start.</summary>
internal readonly record struct ConnectionReading(int Open, int Most, long Refused);

/// <summary>
/// Connections against their bound, and what became of those from proxies that speak the PROXY protocol. Tag there: <c>outcome</c>, one of a fixed list.
/// </summary>
internal sealed class ConnectionMetrics
{
    private readonly Counter<long> _proxied;
    private Func<ConnectionReading> _reading = static () => default;

    public ConnectionMetrics(Meter meter)
    {
        _proxied = meter.CreateCounter<long>("webhookedge.proxy_protocol.connections", "{connection}",
            "Connections from trusted proxies, by what their PROXY header came to.");
        meter.CreateObservableGauge("webhookedge.connections", () => Read().Open, "{connection}", "Connections open now.");
        meter.CreateObservableGauge("webhookedge.connections.limit", () => Read().Most, "{connection}",
            "Connections the gateway takes at once; more are closed as they come.");
        meter.CreateObservableCounter("webhookedge.connections.refused", () => Read().Refused, "{connection}",
            "Connections closed as they came, because too many were open.");
    }

    /// <summary>Tells the instruments where to look; the last caller wins.</summary>
    public void Watch(Func<ConnectionReading> reading) => Volatile.Write(ref _reading, reading);

    public void Proxied(string outcome) => _proxied.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    private ConnectionReading Read() => Volatile.Read(ref _reading)();
}
