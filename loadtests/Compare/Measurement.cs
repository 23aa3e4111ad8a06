namespace WebhookEdge.LoadTests;

/// <summary>What a contender was driven with.</summary>
internal readonly record struct Drive(string Contender, int Size, RequestKind Kind);

/// <summary>One contender in one round.</summary>
/// <param name="Cpu">User and system time of the contender for one request.</param>
internal readonly record struct Measured(TimeSpan Cpu, double Rate);

/// <summary>Latency at the same rate for all contenders, in milliseconds.</summary>
internal readonly record struct HalfLoad(double Rate, double P50, double P99);

/// <summary>Middle, lowest and highest of some rounds.</summary>
internal readonly record struct Spread(double Median, double Min, double Max)
{
    /// <summary>Of no values: NaN.</summary>
    public static Spread Of(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        if (sorted.Length == 0)
        {
            return new(double.NaN, double.NaN, double.NaN);
        }

        var middle = sorted.Length / 2;
        return new(sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2, sorted[0], sorted[^1]);
    }
}

/// <summary>Everything a comparison measured.</summary>
internal sealed class Measurements
{
    private readonly Dictionary<Drive, List<Measured>> _rounds = [];
    private readonly Dictionary<(string Contender, int Size), List<HalfLoad>> _halfLoads = [];

    /// <summary>Memory in bytes after the last round, by contender.</summary>
    public Dictionary<string, long> Memory { get; } = new(StringComparer.Ordinal);

    public void Add(Drive drive, Measured measured)
    {
        if (!_rounds.TryGetValue(drive, out var list))
        {
            _rounds[drive] = list = [];
        }

        list.Add(measured);
    }

    public void Add(string contender, int size, HalfLoad measured)
    {
        if (!_halfLoads.TryGetValue((contender, size), out var list))
        {
            _halfLoads[(contender, size)] = list = [];
        }

        list.Add(measured);
    }

    public IReadOnlyList<Measured> Rounds(Drive drive) => _rounds.TryGetValue(drive, out var list) ? list : [];

    public IReadOnlyList<HalfLoad> HalfLoads(string contender, int size) => _halfLoads.TryGetValue((contender, size), out var list) ? list : [];

    /// <summary>CPU per request in microseconds.</summary>
    public Spread Cpu(Drive drive) => Spread.Of(Rounds(drive).Select(static round => round.Cpu.TotalMicroseconds));

    public Spread Rate(Drive drive) => Spread.Of(Rounds(drive).Select(static round => round.Rate));

    /// <summary>CPU per request of <paramref name="drive"/> divided by that of <paramref name="yardstick"/>, round by round.</summary>
    public Spread CpuRatio(Drive drive, Drive yardstick) =>
        Spread.Of(Rounds(drive).Zip(Rounds(yardstick), static (a, b) => a.Cpu / b.Cpu));

    /// <summary>How many requests of <paramref name="drive"/> a core does for one of <paramref name="yardstick"/>, round by round.</summary>
    public Spread PerCoreRatio(Drive drive, Drive yardstick) => CpuRatio(yardstick, drive);
}
