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
internal readonly record struct AddressListReading(string List, TimeSpan? Age, TimeSpan AlarmAfter, int Prefixes, int LeftOut);

/// <summary>Instruments about address lists. The tag <c>list</c> is bounded by the configuration.</summary>
internal sealed class AddressMetrics
{
    private readonly Counter<long> _refreshes;
    private Func<IReadOnlyList<AddressListReading>> _readings = static () => [];

    public AddressMetrics(Meter meter)
    {
        _refreshes = meter.CreateCounter<long>("webhookedge.addresses.refreshes", "{refresh}",
            "Checks of address lists against their source, by list and outcome.");
        meter.CreateLiveGauge("webhookedge.addresses.age", "s",
            "Time since a list was last fetched or confirmed; absent for a list that was never loaded.", () =>
            Read().Where(static list => list.Age is not null).Select(static list => Of(list, list.Age!.Value.TotalSeconds)));
        meter.CreateLiveGauge("webhookedge.addresses.alarm_after", "s", "Age at which a list is called stale.",
            () => Read().Select(static list => Of(list, list.AlarmAfter.TotalSeconds)));
        meter.CreateLiveGauge("webhookedge.addresses.prefixes", "{prefix}",
            "Networks in a list; 0 for a list that was never loaded, or that is published empty.", () => Read().Select(static list => Of(list, list.Prefixes)));
        meter.CreateLiveGauge("webhookedge.addresses.left_out", "{entry}", "Entries of a list that are no sound network and were left out.",
            () => Read().Select(static list => Of(list, list.LeftOut)));
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

    private static Measurement<double> Of(AddressListReading list, double value) => new(value, new KeyValuePair<string, object?>("list", list.List));

    private IReadOnlyList<AddressListReading> Read() => Volatile.Read(ref _readings)();
}
