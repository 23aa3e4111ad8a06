using System.Diagnostics.Metrics;

namespace WebhookEdge.TestKit;

/// <summary>One measurement with its tags.</summary>
internal sealed record MetricPoint(string Instrument, double Value, IReadOnlyDictionary<string, object?> Tags)
{
    public override string ToString() => $"{Instrument}={Value} {string.Join(' ', Tags.Select(tag => $"{tag.Key}={tag.Value}"))}";
}

/// <summary>
/// Collects what one meter, or the meters of one service provider, measure. Bound to the object and not to the name, so that gateways of
/// parallel tests do not mix.
/// </summary>
internal sealed class MetricCapture : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();
    private readonly Lock _asking = new();
    private readonly List<MetricPoint> _points = [];
    private readonly Dictionary<string, double> _totals = [];
    private bool _observing;

    /// <param name="meter">The meter under test.</param>
    public MetricCapture(Meter meter)
        : this(candidate => ReferenceEquals(candidate, meter))
    {
    }

    /// <param name="factory">The meter factory of a gateway's services.</param>
    /// <param name="meterName">Only meters of this name.</param>
    public MetricCapture(IMeterFactory factory, string meterName = "WebhookEdge")
        : this(candidate => ReferenceEquals(candidate.Scope, factory) && candidate.Name == meterName)
    {
    }

    private MetricCapture(Func<Meter, bool> wanted)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (wanted(instrument.Meter))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<byte>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<short>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<float>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<decimal>((instrument, value, tags, _) => Add(instrument, (double)value, tags));
        _listener.Start();
    }

    /// <summary>
    /// Every measurement so far, in order. What an observable counter gained since the last look is one point for each unit, as if it had been counted one by
    /// one.
    /// </summary>
    public IReadOnlyList<MetricPoint> Points
    {
        get
        {
            lock (_asking)
            {
                _listener.RecordObservableInstruments();
            }

            lock (_lock)
            {
                return [.. _points];
            }
        }
    }

    /// <summary>The measurements of an instrument that have at least these tags.</summary>
    public IReadOnlyList<MetricPoint> Of(string instrument, params (string Name, object? Value)[] tags) =>
        [.. Points.Where(point => Fits(point, instrument, tags))];

    /// <summary>The sum of a counter over the measurements that have at least these tags; 0 when there are none.</summary>
    public double Sum(string instrument, params (string Name, object? Value)[] tags) => Of(instrument, tags).Sum(point => point.Value);

    /// <summary>Asks the observable instruments and gives the newest value with these tags; null when there is none.</summary>
    public double? Observe(string instrument, params (string Name, object? Value)[] tags)
    {
        lock (_asking)
        {
            int seen;
            lock (_lock)
            {
                seen = _points.Count;
                _observing = true;
            }

            _listener.RecordObservableInstruments();
            lock (_lock)
            {
                _observing = false;
                return _points.Skip(seen).LastOrDefault(point => Fits(point, instrument, tags))?.Value;
            }
        }
    }

    /// <summary>All names of tags an instrument was measured with, to hold them against the list of bounded ones.</summary>
    public IReadOnlySet<string> TagNames(string instrument) => Of(instrument).SelectMany(point => point.Tags.Keys).ToHashSet();

    public void Dispose() => _listener.Dispose();

    private static bool Fits(MetricPoint point, string instrument, (string Name, object? Value)[] tags) =>
        point.Instrument == instrument && tags.All(tag => point.Tags.TryGetValue(tag.Name, out var value) && Equals(value, tag.Value));

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var copy = new Dictionary<string, object?>(tags.Length);
        foreach (var (name, tag) in tags)
        {
            copy[name] = tag;
        }

        lock (_lock)
        {
            if (instrument is ObservableCounter<long>)
            {
                var series = $"{instrument.Name} {string.Join(' ', copy)}";
                for (var total = _totals.GetValueOrDefault(series); total < value; total++)
                {
                    _points.Add(new(instrument.Name, 1, copy));
                }

                _totals[series] = value;
            }
            else if (!instrument.IsObservable || _observing)
            {
                _points.Add(new(instrument.Name, value, copy));
            }
        }
    }
}
