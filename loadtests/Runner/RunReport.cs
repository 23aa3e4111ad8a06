using System.Globalization;
using System.Net;
using System.Text;

namespace WebhookEdge.LoadTests;

/// <summary>Puts results into words: text for a terminal, one self-contained page for a browser.</summary>
internal static class RunReport
{
    private static readonly double[] Percentiles = [50, 75, 90, 95, 99, 99.9, 99.99, 100];

    public static string Text(RunResult result, IReadOnlyList<Finding> findings)
    {
        var text = new StringBuilder();
        text.AppendLine(Invariant($"{result.Scenario.Name}: {result.Scenario.Description}"));
        text.AppendLine(Invariant($"  {result.Latency.Count} of {result.Plan.Requests} requests answered in {result.Elapsed.TotalSeconds:F2} s, {result.Rate:F0} a second ({result.Plan.Rate} wanted), {result.Scenario.Body.Size} B bodies, {result.Plan.Connections} connections"));
        text.Append("  latency from when it was due, ms:");
        foreach (var percentile in Percentiles)
        {
            text.Append(Invariant($"  {NameOf(percentile)} {result.Latency.Percentile(percentile).TotalMilliseconds:F2}"));
        }

        text.AppendLine();
        foreach (var (what, count) in result.WrongAnswers.OrderByDescending(static entry => entry.Value))
        {
            text.AppendLine(Invariant($"  wrong: {what}, {count} times"));
        }

        foreach (var finding in findings)
        {
            text.AppendLine(Invariant($"  {(finding.Holds ? "ok  " : "FAIL")} {finding.Text}"));
        }

        return text.ToString();
    }

    public static string Html(IReadOnlyList<(RunResult Result, IReadOnlyList<Finding> Findings)> runs, string title)
    {
        var page = new StringBuilder();
        page.Append("""
            <!doctype html>
            <html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Load test</title>
            <style>
              body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; background: #fff }
              table { border-collapse: collapse; margin: .5rem 0 1rem } th, td { text-align: right; padding: .2rem .8rem; border-bottom: 1px solid #d8dee4 } th:first-child, td:first-child { text-align: left }
              .ok { color: #1a7f37 } .fail { color: #cf222e; font-weight: 600 } svg { width: 100%; height: auto } svg text { font-size: 11px; fill: currentColor }
              @media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117 } th, td { border-color: #30363d } }
            </style>
            """);
        page.Append(Invariant($"<h1>{Encode(title)}</h1>"));
        foreach (var (result, findings) in runs)
        {
            page.Append(Invariant($"<h2>{Encode(result.Scenario.Name)}</h2><p>{Encode(result.Scenario.Description)}. {result.Plan.Rate} requests a second for {result.Plan.Duration.TotalSeconds:F0} s over {result.Plan.Connections} connections, bodies of {result.Scenario.Body.Size} bytes. Latency counts from the moment a request was due.</p><ul>"));
            foreach (var finding in findings)
            {
                page.Append(Invariant($"<li class=\"{(finding.Holds ? "ok" : "fail")}\">{(finding.Holds ? "✓" : "✗")} {Encode(finding.Text)}</li>"));
            }

            page.Append("</ul><table><tr><th>percentile</th>");
            foreach (var percentile in Percentiles)
            {
                page.Append(Invariant($"<th>{NameOf(percentile)}</th>"));
            }

            page.Append("</tr><tr><td>ms</td>");
            foreach (var percentile in Percentiles)
            {
                page.Append(Invariant($"<td>{result.Latency.Percentile(percentile).TotalMilliseconds:F3}</td>"));
            }

            page.Append("</tr></table>");
            page.Append(Curve(result.Latency));
            page.Append("<table><tr><th>kind</th><th>answered</th></tr>");
            foreach (var (kind, count) in result.Answered.OrderBy(static entry => entry.Key))
            {
                page.Append(Invariant($"<tr><td>{kind}</td><td>{count}</td></tr>"));
            }

            foreach (var (what, count) in result.WrongAnswers.OrderByDescending(static entry => entry.Value))
            {
                page.Append(Invariant($"<tr class=\"fail\"><td>{Encode(what)}</td><td>{count}</td></tr>"));
            }

            page.Append("</table>");
        }

        return page.Append("</html>\n").ToString();
    }

    /// <summary>Latency over percentile, the percentile as the number of nines, the latency logarithmic: tails stay visible.</summary>
    private static string Curve(LatencyHistogram latency)
    {
        const double Width = 900, Height = 260, Left = 60, Bottom = 30, Nines = 5;
        if (latency.Count == 0)
        {
            return "";
        }

        var low = Math.Log10(Math.Max(0.001, latency.Percentile(0).TotalMilliseconds));
        var high = Math.Max(low + 0.3, Math.Log10(Math.Max(0.001, latency.Max.TotalMilliseconds)));
        double X(double nines) => Left + ((Width - Left - 10) * nines / Nines);
        double Y(double milliseconds) => 10 + ((Height - Bottom - 10) * (1 - ((Math.Log10(Math.Max(0.001, milliseconds)) - low) / (high - low))));

        var svg = new StringBuilder(Invariant($"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"latency by percentile\"><polyline fill=\"none\" stroke=\"#0969da\" stroke-width=\"2\" points=\""));
        for (var step = 0; step <= 100; step++)
        {
            var nines = Nines * step / 100;
            svg.Append(Invariant($"{X(nines):F1},{Y(latency.Percentile(100 * (1 - Math.Pow(10, -nines))).TotalMilliseconds):F1} "));
        }

        svg.Append("\"/>");
        foreach (var (nines, label) in new[] { (0.301, "50%"), (1.0, "90%"), (2.0, "99%"), (3.0, "99.9%"), (4.0, "99.99%") })
        {
            svg.Append(Invariant($"<line x1=\"{X(nines):F1}\" x2=\"{X(nines):F1}\" y1=\"10\" y2=\"{Height - Bottom}\" stroke=\"#8884\"/><text x=\"{X(nines):F1}\" y=\"{Height - 10}\" text-anchor=\"middle\">{label}</text>"));
        }

        for (var power = (int)Math.Ceiling(low); power <= high; power++)
        {
            var y = Y(Math.Pow(10, power));
            svg.Append(Invariant($"<line x1=\"{Left}\" x2=\"{Width - 10}\" y1=\"{y:F1}\" y2=\"{y:F1}\" stroke=\"#8884\"/><text x=\"{Left - 6}\" y=\"{y + 4:F1}\" text-anchor=\"end\">{Math.Pow(10, power):0.###} ms</text>"));
        }

        return svg.Append("</svg>").ToString();
    }

    private static string NameOf(double percentile) => percentile >= 100 ? "max" : Invariant($"p{percentile}");

    private static string Encode(string text) => WebUtility.HtmlEncode(text);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
