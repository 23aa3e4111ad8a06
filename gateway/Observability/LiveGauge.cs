using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>
/// Gauges whose series come and go with the configuration. The SDK exports the last value of a series for ever, whether it is still measured or not, and a
/// route that was removed would stay in observe mode on every dashboard. So a series that ended is measured as NaN from then on, and our exporter leaves NaN
/// out.
/// </summary>
internal static class LiveGauge
{
    /// <summary>Ended series that are kept in mind; beyond, they keep their last value until a restart.</summary>
    private const int MostEnded = 4096;

    public static void CreateLiveGauge(this Meter meter, string name, string? unit, string description, Func<IEnumerable<Measurement<double>>> read)
    {
        var gate = new Lock();
        var known = new Dictionary<string, KeyValuePair<string, object?>[]>(StringComparer.Ordinal);
        meter.CreateObservableGauge(name, Measure, unit, description);

        List<Measurement<double>> Measure()
        {
            lock (gate)
            {
                List<Measurement<double>> measured = [.. read()];
                var live = new HashSet<string>(measured.Count, StringComparer.Ordinal);
                foreach (var measurement in measured)
                {
                    var key = string.Join('\n', measurement.Tags.ToArray().Select(static tag => $"{tag.Key}={tag.Value}"));
                    live.Add(key);
                    if (known.Count < MostEnded && !known.ContainsKey(key))
                    {
                        known.Add(key, measurement.Tags.ToArray());
                    }
                }

                foreach (var (key, tags) in known)
                {
                    if (!live.Contains(key))
                    {
                        measured.Add(new(double.NaN, tags));
                    }
                }

                return measured;
            }
        }
    }
}
