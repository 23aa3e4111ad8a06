using Microsoft.Extensions.Primitives;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Routes;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Admin;

/// <summary>The journal as views: bounded, without queries and values, with what an operator needs to act.</summary>
internal sealed class Refusals(RejectJournal journal, SnapshotProvider snapshots)
{
    public const int MostOnAPage = 200;

    private const int LongestPath = 256;
    private const int MostHops = 16;
    private const int LongestHop = 64;
    private const int LongestHeaderName = 64;

    /// <param name="route">Only of this route; null = of any, <c>none</c> = of no route.</param>
    /// <param name="reason">Only for this reason; null = for any.</param>
    /// <param name="before">Only older than this number; null = from the newest.</param>
    /// <param name="limit">At most so many, 1 to <see cref="MostOnAPage"/>.</param>
    public RefusalsView List(string? route, RejectReason? reason, long? before, int limit)
    {
        var all = journal.Newest();
        var matching = all.Where(entry => (route is null || entry.Route == route) && (reason is null || entry.Reason == reason)).ToArray();
        var page = matching.Where(entry => before is null || entry.Number < before).Take(limit + 1).ToArray();
        return new(
            [.. page.Take(limit).Select(View)],
            matching.Length,
            page.Length > limit ? page[limit - 1].Number : null,
            journal.LastNumber,
            all.CountBy(static entry => entry.Route).ToDictionary(StringComparer.Ordinal),
            all.CountBy(static entry => entry.Reason.Describe().Slug).ToDictionary(StringComparer.Ordinal));
    }

    public RefusalDetailView? Find(long number)
    {
        if (journal.Find(number) is not { } found)
        {
            return null;
        }

        var (entry, headers) = found;
        var row = entry.Reason.Describe();
        return new(
            View(entry), StageNames.Of(row.Stage), row.Meaning, row.Advice, Addresses(entry), [.. headers.Select(static name => Cut(name, LongestHeaderName))],
            entry.DeclaredBytes,
            entry.BodyBytes == 0 ? "not hashed: the body was not read" : entry.EventKey is { } key ? $"event key {key}"
            : "not hashed: refused before an event key was made", entry.RequestId, entry.EventKey);
    }

    private static RefusalView View(JournalEntry entry) => new(
        entry.Number, entry.At, entry.Route, entry.Reason.Describe().Slug, entry.Status, entry.Observed,
        entry.Client.IsKnown ? entry.Client.ToString() : entry.Peer.ToString(), Cut(entry.Method, 16),
        PathOf(entry.Target), entry.BodyBytes, entry.Detail);

    private AddressesSeenView Addresses(JournalEntry entry)
    {
        var hops = Hops(entry.Forwarded, out var cut);
        if (entry.Named.IsKnown)
        {
            // Below HTTP: what the proxy itself wrote for this connection stands for the chain.
            (hops, cut) = ([entry.Named.ToString()], false);
        }

        var allow = snapshots.Current.Policies.GetValueOrDefault(entry.Route) is { } policy ? AdminState.AllowOf(policy) : null;
        bool? allowedNow = allow is null ? null : IsIn(allow, entry.Client);
        string? hint = null;
        if (entry.Reason == RejectReason.AddressNotAllowed && allow is not null)
        {
            var other = hops.Append(entry.Peer.ToString())
                .FirstOrDefault(hop => AddressParser.TryParse(hop, out var address) && !address.Equals(entry.Client) && IsIn(allow, address));
            hint = allowedNow == true ? "The client is allowed by now: a list was refreshed since, or the configuration changed."
                : other is not null
                ? $"X-Forwarded-For names {other}, which is allowed. That proves nothing, anybody can write it. Only if you know {entry.Client} as a load "
                + "balancer of yours does it belong into edge.clientAddress.trustedProxies."
                : null;
        }

        return new(
            entry.Peer.ToString(), hops, cut, entry.Client.IsKnown ? entry.Client.ToString() : "unknown", Rule(entry, hops.Count > 0),
            entry.Route == "none" ? [] : AdminState.Describe(allow), allowedNow, hint);
    }

    private static string Rule(JournalEntry entry, bool forwarded)
    {
        if (entry.Route == "none")
        {
            return "No route matched, so no client was resolved.";
        }

        if (entry.Named.IsKnown)
        {
            return entry.Client.Equals(entry.Named)
                ? "The peer is a trusted proxy, and its PROXY header named the client."
                : "The connection began with a PROXY header, whose proxy is not trusted any more: the socket's peer counts.";
        }

        if (!entry.BelievesForwarded)
        {
            if (!entry.Client.IsKnown)
            {
                return "The peer is a trusted proxy that named nobody in its PROXY header, or its connection is older than the rule: nobody counts as the "
                    + "client.";
            }

            return forwarded
                ? "clientAddress is the connection: the socket's peer counts, X-Forwarded-For is not looked at."
                : "clientAddress is the connection: the socket's peer counts.";
        }

        if (!entry.Client.IsKnown)
        {
            return "The peer is a trusted proxy, but X-Forwarded-For has something that is no address, or is too long: nobody counts as the client.";
        }

        return entry.Client.Equals(entry.Peer)
            ? "The peer itself counts: it is no trusted proxy, or sent no X-Forwarded-For."
            : "The peer is a trusted proxy: the right-most address in X-Forwarded-For that is none counts.";
    }

    private static bool IsIn(AllowLists.AllowListCheck allow, ClientAddress address) =>
        address.IsKnown && (allow.Literal.Contains(address) || allow.Lists.Any(list => list.Current?.Contains(address) == true));

    private static List<string> Hops(StringValues lines, out bool cut)
    {
        cut = false;
        var hops = new List<string>();
        foreach (var line in lines)
        {
            foreach (var range in (line ?? "").AsSpan().Split(','))
            {
                var hop = line.AsSpan()[range].Trim();
                if (hop.IsEmpty)
                {
                    continue;
                }

                if (hops.Count == MostHops)
                {
                    cut = true;
                    return hops;
                }

                cut |= hop.Length > LongestHop;
                hops.Add(Cut(hop.ToString(), LongestHop));
            }
        }

        return hops;
    }

    private static string PathOf(string target)
    {
        var end = target.IndexOf('?', StringComparison.Ordinal);
        return Cut(end < 0 ? target : target[..end], LongestPath);
    }

    private static string Cut(string text, int length) => text.Length <= length ? text : text[..(length - 1)] + "…";
}
