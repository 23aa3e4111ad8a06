using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>What a check of a list's source came to; the tag <c>outcome</c>.</summary>
internal enum RefreshOutcome
{
    Unchanged,
    Changed,
    Failed,
    HeldBack,
}

/// <summary>One list as the gauges show it; a list that was never loaded has no age.</summary>
internal readonly record struct AddressListReading(string List, TimeSpan? Age, int Prefixes);

/// <summary>Instruments about address lists. The tag <c>list</c> is bounded by the configuration.</summary>
internal sealed class AddressMetrics
{
    private readonly Counter<long> _refreshes;
    private Func<IReadOnlyList<AddressListReading>> _readings = static () => [];

    public AddressMetrics(Meter meter)
    {
        _refreshes = meter.CreateCounter<long>("webhookedge.addresses.refreshes", "{refresh}", "Checks of address lists against their source, by list and outcome.");
        meter.CreateObservableGauge("webhookedge.addresses.age", Ages, "s", "Time since a list was last fetched or confirmed; absent for a list that was never loaded.");
        meter.CreateObservableGauge("webhookedge.addresses.prefixes", Prefixes, "{prefix}", "Networks in a list; 0 for a list that was never loaded.");
    }

    /// <summary>Tells the gauges where to look; the last caller wins.</summary>
    public void Watch(Func<IReadOnlyList<AddressListReading>> readings) => Volatile.Write(ref _readings, readings);

    public void Refreshed(string list, RefreshOutcome outcome) => _refreshes.Add(1, new("list", list), new("outcome", Tag(outcome)));

    private static string Tag(RefreshOutcome outcome) => outcome switch
    {
        RefreshOutcome.Unchanged => "unchanged",
        RefreshOutcome.Changed => "changed",
        RefreshOutcome.HeldBack => "held-back",
        _ => "failed",
    };

    private IEnumerable<Measurement<double>> Ages()
    {
        foreach (var reading in Volatile.Read(ref _readings)())
        {
            if (reading.Age is { } age)
            {
                yield return new(age.TotalSeconds, new KeyValuePair<string, object?>("list", reading.List));
            }
        }
    }

    private IEnumerable<Measurement<int>> Prefixes()
    {
        foreach (var reading in Volatile.Read(ref _readings)())
        {
            yield return new(reading.Prefixes, new KeyValuePair<string, object?>("list", reading.List));
        }
    }
}
