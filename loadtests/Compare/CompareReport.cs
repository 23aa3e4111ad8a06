using System.Globalization;
using System.Text;

namespace WebhookEdge.LoadTests;

/// <summary>The measurements as Markdown, ready for loadtests/README.md.</summary>
internal static class CompareReport
{
    private const RequestKind Valid = RequestKind.Valid;

    /// <summary>The yardsticks' dearest round against their cheapest, at most. What is beyond is the machine's other guests.</summary>
    private const double SteadyEnough = 1.6;

    /// <param name="busyBefore">The part of the machine that was busy before anything was started, 0 to 1.</param>
    public static string Markdown(ComparePlan plan, Measurements measured, string machine, string versions, DateTimeOffset now, double busyBefore)
    {
        var text = new StringBuilder();
        if (Doubts(plan, measured, busyBefore) is { Length: > 0 } doubts)
        {
            text.AppendLine(Invariant($"**Not to be quoted:** {doubts}.")).AppendLine();
        }

        text.AppendLine(Invariant($"Measured {now:yyyy-MM-dd}. {machine}. {versions}."));
        text.AppendLine(Invariant($"{plan.Rounds} interleaved rounds of {plan.Round.TotalSeconds:F0} s, {Wrk.Connections} connections; contender on one core, app, Redis and wrk on another. Middle of the rounds (lowest–highest)."));
        foreach (var size in plan.Sizes)
        {
            AppendTable(text, plan, measured, size);
        }

        AppendGoals(text, plan, measured);
        return text.ToString();
    }

    private static string Doubts(ComparePlan plan, Measurements measured, double busyBefore)
    {
        var doubts = new List<string>();
        if (plan.Rounds < 5)
        {
            doubts.Add("fewer than 5 rounds");
        }

        if (plan.WarmUp < TimeSpan.FromSeconds(10))
        {
            doubts.Add(".NET contenders warmed up for less than 10 s");
        }

        if (busyBefore > 0.1)
        {
            doubts.Add(Invariant($"something else kept {100 * busyBefore:F0} % of the machine busy before it began"));
        }

        foreach (var size in plan.Sizes)
        {
            foreach (var yardstick in plan.Contenders.Where(static contender => contender.Id is Contender.BareYarpId or Contender.NginxLuaId))
            {
                if (measured.Cpu(new(yardstick.Id, size, Valid)) is var cpu && cpu.Max > SteadyEnough * cpu.Min)
                {
                    doubts.Add(Invariant($"{yardstick.Id} took from {cpu.Min:F0} to {cpu.Max:F0} µs for {size} B, so the machine was not steady"));
                }
            }
        }

        return string.Join("; ", doubts);
    }

    private static void AppendTable(StringBuilder text, ComparePlan plan, Measurements measured, int size)
    {
        text.AppendLine().AppendLine(Invariant($"### Bodies of {size} bytes")).AppendLine();
        text.AppendLine("| contender | CPU, bare YARP = 1 | requests per core, nginx + Lua = 1 | CPU µs a request | requests/s | forged, per core, valid = 1 | wrong address, per core, valid = 1 | p50 / p99 ms at half load | memory MB |");
        text.AppendLine("|---|---|---|---|---|---|---|---|---|");
        foreach (var contender in plan.Contenders)
        {
            var drive = new Drive(contender.Id, size, Valid);
            var half = measured.HalfLoads(contender.Id, size);
            text.Append(Invariant($"| {contender.Title} "));
            text.Append(Cell(measured.CpuRatio(drive, drive with { Contender = Contender.BareYarpId })));
            text.Append(Cell(measured.PerCoreRatio(drive, drive with { Contender = Contender.NginxLuaId })));
            text.Append(Cell(measured.Cpu(drive), "F1"));
            text.Append(Cell(measured.Rate(drive), "F0"));
            text.Append(Cell(measured.PerCoreRatio(drive with { Kind = RequestKind.Forged }, drive)));
            text.Append(Cell(measured.PerCoreRatio(drive with { Kind = RequestKind.WrongAddress }, drive)));
            text.Append(half.Count == 0 ? "| – " : Invariant($"| {Spread.Of(half.Select(static run => run.P50)).Median:F2} / {Spread.Of(half.Select(static run => run.P99)).Median:F2} "));
            text.AppendLine(Invariant($"| {measured.Memory.GetValueOrDefault(contender.Id) / 1e6:F0} |"));
        }
    }

    private static void AppendGoals(StringBuilder text, ComparePlan plan, Measurements measured)
    {
        var rows = plan.Sizes.SelectMany(size => Goals(measured, size)).Where(static row => !double.IsNaN(row.Value)).ToArray();
        if (rows.Length == 0)
        {
            return;
        }

        text.AppendLine().AppendLine("### Goals").AppendLine().AppendLine("| goal | bodies | target | measured | |").AppendLine("|---|---|---|---|---|");
        foreach (var row in rows)
        {
            text.AppendLine(Invariant($"| {row.Goal} | {row.Size} B | {(row.AtMost ? "≤" : "≥")} {row.Target:0.0#} | {row.Value:F2} | {(row.Met ? "met" : "missed")} |"));
        }
    }

    private static IEnumerable<GoalRow> Goals(Measurements measured, int size)
    {
        var yarp = new Drive(Contender.BareYarpId, size, Valid);
        var gateway = yarp with { Contender = Contender.GatewayId };
        var redis = yarp with { Contender = Contender.GatewayRedisId };
        yield return new("all checks, replay in memory: CPU against bare YARP", size, AtMost: true, 0.60, measured.CpuRatio(gateway, yarp).Median);
        yield return new("the same: requests per core against nginx + Lua", size, AtMost: false, 1.0, measured.PerCoreRatio(gateway, yarp with { Contender = Contender.NginxLuaId }).Median);
        yield return new("replay in Redis: requests per core against nginx + Lua with SET NX", size, AtMost: false, 1.3, measured.PerCoreRatio(redis, yarp with { Contender = Contender.NginxLuaRedisId }).Median);
        yield return new("forged, requests per core against valid", size, AtMost: false, 2.2, measured.PerCoreRatio(gateway with { Kind = RequestKind.Forged }, gateway).Median);
        yield return new("wrong address, requests per core against valid", size, AtMost: false, 3.0, measured.PerCoreRatio(gateway with { Kind = RequestKind.WrongAddress }, gateway).Median);
        yield return new("1,000 routes, 10,000 addresses, 16 secrets: CPU against 8, 2 and 1", size, AtMost: true, 1.05, measured.CpuRatio(yarp with { Contender = Contender.GatewayGrownId }, gateway).Median);
        yield return new("p99 added at half load, ms over bare YARP", size, AtMost: true, 0.2, AddedP99(measured, size));
    }

    private static double AddedP99(Measurements measured, int size) =>
        Spread.Of(measured.HalfLoads(Contender.GatewayId, size).Zip(measured.HalfLoads(Contender.BareYarpId, size), static (a, b) => a.P99 - b.P99)).Median;

    private static string Cell(Spread spread, string format = "F2") => double.IsNaN(spread.Median)
        ? "| – "
        : string.Create(CultureInfo.InvariantCulture, $"| {spread.Median.ToString(format, CultureInfo.InvariantCulture)} ({spread.Min.ToString(format, CultureInfo.InvariantCulture)}–{spread.Max.ToString(format, CultureInfo.InvariantCulture)}) ");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private readonly record struct GoalRow(string Goal, int Size, bool AtMost, double Target, double Value)
    {
        public bool Met => AtMost ? Value <= Target : Value >= Target;
    }
}
