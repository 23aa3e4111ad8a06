using System.Globalization;

namespace WebhookEdge.LoadTests;

/// <summary>One threshold, whether it holds, and the figures.</summary>
internal sealed record Finding(bool Holds, string Text);

/// <summary>Holds a scenario's figures against its thresholds: the same for every runner.</summary>
internal static class Judgement
{
    public static IReadOnlyList<Finding> Of(Thresholds thresholds, double wantedRate, double rate, TimeSpan p99, long requests, long errors)
    {
        var errorShare = requests == 0 ? 1 : (double)errors / requests;
        return
        [
            new(errorShare <= thresholds.MaxErrors, Text($"wrong or missing answers {errors} of {requests}, at most {thresholds.MaxErrors:P2}")),
            new(rate >= wantedRate * thresholds.MinRate, Text($"{rate:F0} requests/s, at least {wantedRate * thresholds.MinRate:F0}")),
            
            // Of requests that were not answered nothing is known that could hold.
            new(p99 <= thresholds.P99 && errors < requests, Text($"p99 {p99.TotalMilliseconds:F2} ms, at most {thresholds.P99.TotalMilliseconds:F2} ms")),
        ];
    }

    public static IReadOnlyList<Finding> Of(RunResult result, Thresholds thresholds) =>
        Of(thresholds, result.Plan.Rate, result.Rate, result.Latency.Percentile(99), result.Plan.Requests, result.Errors);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
