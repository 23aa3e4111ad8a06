using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>Whether the newest file was taken, and how many routes are in force.</summary>
internal sealed class ConfigurationMetrics
{
    private readonly Counter<long> _reloads;
    private long _successful;
    private long _routes;

    public ConfigurationMetrics(Meter meter)
    {
        _reloads = meter.CreateCounter<long>("webhookedge.config.reloads", "{reload}", "Readings of routes.json by outcome.");
        meter.CreateObservableGauge("webhookedge.config.last_reload_successful", () => Volatile.Read(ref _successful), null, "1 when the newest file is in force, 0 when it was refused.");
        meter.CreateObservableGauge("webhookedge.config.routes", () => Volatile.Read(ref _routes), "{route}", "Routes in force.");
    }

    public void Reloaded(bool successful, int routes)
    {
        Volatile.Write(ref _successful, successful ? 1 : 0);
        Volatile.Write(ref _routes, routes);
        _reloads.Add(1, new KeyValuePair<string, object?>("outcome", successful ? "taken" : "refused"));
    }
}
