using WebhookEdge.Observability;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Admin;

/// <summary>What the pill of a route is made of. Numbers are of the last five minutes.</summary>
internal readonly record struct HealthFacts
{
    /// <summary>2xx of the upstream, and duplicates of them.</summary>
    public long Accepted { get; init; }

    /// <summary>Authentic and not delivered.</summary>
    public long Failed { get; init; }

    /// <summary>Refused although something of a sender's proof was there; see <see cref="SenderProof.WrongProof"/>.</summary>
    public long Lookalikes { get; init; }

    public long FromElsewhere { get; init; }

    public bool Observes { get; init; }

    public int Destinations { get; init; }

    public int DestinationsDown { get; init; }

    public IReadOnlyList<string> ListsNeverLoaded { get; init; }

    public IReadOnlyList<string> ListsStale { get; init; }

    public bool StoreAway { get; init; }

    /// <summary>Failed attempts, where the sender's limit is known.</summary>
    public AttemptReading? Attempts { get; init; }
}

/// <summary>
/// Green, yellow, red, as providers show it. Red: nothing gets through (no 2xx lately while deliveries failed, or at least five that look authentic were
/// refused), no destination is up, an address list was never loaded, or the next failure makes the sender give up. Yellow: some of it, a stale list, a store
/// that is away, or observe mode, in which nothing is enforced. Green: deliveries and none of these. Grey: nothing came.
/// </summary>
internal static class RouteHealth
{
    private const int ManyLookalikes = 5;

    public static HealthView Judge(in HealthFacts facts)
    {
        var red = new List<string>();
        var yellow = new List<string>();
        foreach (var list in facts.ListsNeverLoaded ?? [])
        {
            red.Add($"address list {list} was never loaded");
        }

        if (facts.Destinations > 0 && facts.DestinationsDown == facts.Destinations)
        {
            red.Add(facts.Destinations == 1 ? "the upstream is down" : $"all {facts.Destinations} upstream destinations are down");
        }
        else if (facts.DestinationsDown > 0)
        {
            yellow.Add($"{facts.DestinationsDown} of {facts.Destinations} upstream destinations are down");
        }

        if (facts.Attempts is { } attempts)
        {
            if (attempts.NearLimit > 0)
            {
                red.Add($"{Counted(attempts.NearLimit, "event", "events")} one failed attempt from being given up");
            }

            if (attempts.SwitchesOffAfter is { } most && attempts.InARow >= most - 1)
            {
                red.Add($"{attempts.InARow} failures in a row: the sender switches the webhook off after {most}");
            }
        }

        if (facts.Failed > 0)
        {
            (facts.Accepted == 0 ? red : yellow)
                .Add($"{Counted(facts.Failed, "delivery", "deliveries")} failed{(facts.Accepted == 0 ? ", none succeeded" : "")}");
        }

        if (facts.Lookalikes > 0)
        {
            var nothing = facts.Accepted == 0 && facts.Lookalikes >= ManyLookalikes;
            (nothing ? red : yellow)
                .Add($"{Counted(facts.Lookalikes, "request", "requests")} with a wrong proof refused{(nothing ? ", none delivered: wrong secret?" : "")}");
        }

        if (facts.FromElsewhere > 0)
        {
            yellow.Add($"{Counted(facts.FromElsewhere, "request", "requests")} from addresses not allowed");
        }

        if (facts.Observes)
        {
            yellow.Add("in observe mode: refusals are recorded, not enforced");
        }

        foreach (var list in facts.ListsStale ?? [])
        {
            yellow.Add($"address list {list} is stale");
        }

        if (facts.StoreAway)
        {
            yellow.Add("the replay store is away");
        }

        return red.Count > 0 ? new("red", [.. red, .. yellow])
            : yellow.Count > 0 ? new("yellow", yellow)
            : facts.Accepted > 0 ? new("green", [$"{Counted(facts.Accepted, "delivery", "deliveries")}, none failed"])
            : new("grey", ["nothing came in the last five minutes"]);
    }

    private static string Counted(long count, string one, string many) => count == 1 ? $"1 {one}" : $"{count} {many}";
}
