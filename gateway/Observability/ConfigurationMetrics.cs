using System.Diagnostics.Metrics;
using System.Globalization;

namespace WebhookEdge.Observability;

/// <summary>Whether the newest file was taken, which revision and how many routes are in force.</summary>
internal sealed class ConfigurationMetrics
{
    private readonly TimeProvider _time;
    private long _taken;
    private long _refused;
    private long _successful;
    private long _routes;
    private long _revision;
    private long _at;

    public ConfigurationMetrics(Meter meter, TimeProvider time)
    {
        _time = time;
        meter.CreateObservableCounter<long>(
            "webhookedge.config.reloads",
            () => [new(Volatile.Read(ref _taken), new KeyValuePair<string, object?>("outcome", "taken")),
                new(Volatile.Read(ref _refused), new KeyValuePair<string, object?>("outcome", "refused"))],
            "{reload}", "Readings of routes.json by outcome.");
        meter.CreateObservableGauge("webhookedge.config.last_reload_successful", () => Volatile.Read(ref _successful), null,
            "1 when the newest file is in force, 0 when it was refused.");
        meter.CreateObservableGauge("webhookedge.config.last_reload_timestamp", () => Volatile.Read(ref _at), "s",
            "When routes.json was last read, as Unix time.");
        meter.CreateObservableGauge("webhookedge.config.routes", () => Volatile.Read(ref _routes), "{route}", "Routes in force.");
        meter.CreateObservableGauge("webhookedge.config.revision", () => Volatile.Read(ref _revision), null,
            "The revision in force, its twelve hex digits read as a number: equal on instances that run the same rules.");
    }

    /// <param name="revision">Of the revision in force, in hex; 0 where it is none.</param>
    public void Reloaded(bool successful, int routes, string revision)
    {
        Volatile.Write(ref _successful, successful ? 1 : 0);
        Volatile.Write(ref _routes, routes);
        Volatile.Write(ref _revision, long.TryParse(revision, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number) ? number : 0);
        Volatile.Write(ref _at, _time.GetUtcNow().ToUnixTimeSeconds());
        Interlocked.Increment(ref successful ? ref _taken : ref _refused);
    }
}
