using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace WebhookEdge.Observability;

/// <summary>Turns what the SDK's reader collected into Prometheus text. Called by the reader, one collection at a time.</summary>
internal sealed class PrometheusExporter : BaseExporter<Metric>
{
    private readonly PrometheusText _text = new();

    /// <summary>The newest collection; empty before the first.</summary>
    public ReadOnlyMemory<byte> Text { get; private set; }

    public override ExportResult Export(in Batch<Metric> batch)
    {
        // Prometheus wants every series of one name together, under one head; meters of several hosts in one process would repeat it.
        var families = new Dictionary<string, (string Type, List<Metric> Metrics)>(StringComparer.Ordinal);
        foreach (var metric in batch)
        {
            if (TypeOf(metric.MetricType) is { } type)
            {
                var name = PrometheusText.NameOf(metric.Name, metric.Unit, type == "counter", type == "gauge");
                if (!families.TryGetValue(name, out var family))
                {
                    families.Add(name, family = (type, []));
                }

                if (family.Type == type)
                {
                    family.Metrics.Add(metric);
                }
            }
        }

        foreach (var (name, (type, metrics)) in families)
        {
            _text.Head(name, type, metrics[0].Description is { Length: > 0 } description ? description : $"OpenTelemetry's {metrics[0].Name}.");
            foreach (var metric in metrics)
            {
                foreach (ref readonly var point in metric.GetMetricPoints())
                {
                    Write(name, metric.MetricType, point);
                }
            }
        }

        Text = _text.Take();
        return ExportResult.Success;
    }

    /// <summary>Null for what has no counterpart; nobody here configures exponential histograms.</summary>
    private static string? TypeOf(MetricType type) => type switch
    {
        MetricType.LongSum or MetricType.DoubleSum => "counter",
        MetricType.LongSumNonMonotonic or MetricType.DoubleSumNonMonotonic or MetricType.LongGauge or MetricType.DoubleGauge => "gauge",
        MetricType.Histogram => "histogram",
        _ => null,
    };

    private void Write(string name, MetricType type, in MetricPoint point)
    {
        var tags = new List<KeyValuePair<string, object?>>(point.Tags.Count);
        foreach (var tag in point.Tags)
        {
            tags.Add(tag);
        }

        var labels = PrometheusText.LabelsOf(tags);
        switch (type)
        {
            case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                _text.Sample(name, "", labels, point.GetSumLong());
                break;
            case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                _text.Sample(name, "", labels, point.GetSumDouble());
                break;
            case MetricType.LongGauge:
                _text.Sample(name, "", labels, point.GetGaugeLastValueLong());
                break;
            case MetricType.DoubleGauge when point.GetGaugeLastValueDouble() is var value && !double.IsNaN(value):
                // NaN: a series of LiveGauge that ended.
                _text.Sample(name, "", labels, value);
                break;
            case MetricType.Histogram:
                var below = 0L;
                foreach (var bucket in point.GetHistogramBuckets())
                {
                    below += bucket.BucketCount;
                    _text.Sample(name, "_bucket", labels, below, bucket.ExplicitBound);
                }

                _text.Sample(name, "_sum", labels, point.GetHistogramSum());
                _text.Sample(name, "_count", labels, point.GetHistogramCount());
                break;
            default:
                break;
        }
    }
}
