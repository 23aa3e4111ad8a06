using System.Globalization;
using WebhookEdge.AllowLists;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Handshakes;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.Routes;

/// <summary>One route in words, presets and defaults filled in; of secrets only where they are.</summary>
/// <param name="Match">Methods, hosts and path.</param>
/// <param name="Upstream">Where to, without credentials and queries.</param>
/// <param name="Checks">Schemes with the references of their secrets, and what else is looked at.</param>
/// <param name="Addresses">Where requests may come from.</param>
/// <param name="Replay">The key, how long it is remembered.</param>
/// <param name="Limits">Budgets, body, time.</param>
/// <param name="GivesUp">When the sender gives up, or "not known".</param>
/// <param name="Mode"><c>enforce</c>, or what is in observe mode.</param>
internal sealed record RouteSummary(string Route, string Match, string Upstream, string Provider, string Checks, string Addresses, string Replay,
    string Limits, string GivesUp, string Mode)
{
    public static RouteSummary Of(ResolvedRoute route, RoutePolicy policy, ClusterConfig cluster) => new(
        route.Id,
        $"{string.Join(",", route.Methods)} {string.Join(",", route.Hosts)}{route.Path}",
        ((route.Written.Cluster is { } name ? name + " " : "")
            + string.Join(", ", (cluster.Destinations ?? new Dictionary<string, DestinationConfig>()).Values.Select(static d => Bare(d.Address)))).Trim(),
        route.Written.Provider ?? "none",
        ChecksOf(route),
        string.Join(", ", route.Sources) + WrittenOf(policy),
        ReplayOf(route.Replay, policy),
        LimitsOf(route),
        GivesUpOf(policy),
        policy.Observing.IsEmpty ? "enforce" : $"observe ({string.Join(", ", policy.Observing)})");

    /// <summary>How many addresses the networks written in the file let in, where one does not see it at a glance.</summary>
    private static string WrittenOf(RoutePolicy policy)
    {
        foreach (var check in policy.Checks)
        {
            if ((check is ObserveOnlyCheck shadow ? shadow.Inner : check) is AllowListCheck { Literal: { PrefixCount: > 1 } written })
            {
                return string.Create(CultureInfo.InvariantCulture,
                    $" ({AddressCount.Say(written)} in {written.PrefixCount} networks of the "
                    + $"file{(written.MergedCount == written.PrefixCount ? "" : $", {written.MergedCount} merged")})");
            }
        }

        return "";
    }

    private static string ChecksOf(ResolvedRoute route)
    {
        var checks = route.Verify.Select(static check => $"{check.Name} ({string.Join(", ", check.Secrets ?? [])})").ToList();
        if (route.Written.Freshness is { } freshness)
        {
            checks.Add($"{freshness.At} within {freshness.Within}");
        }

        if (route.Handshake is { } handshake)
        {
            checks.Add($"answers {handshake.Name} challenges");
        }

        return checks.Count == 0 ? "none but the address" : string.Join(" + ", checks);
    }

    private static string ReplayOf(ResolvedReplay replay, RoutePolicy policy) =>
        replay.IsOff ? "off" : $"{string.Join(" + ", replay.KeyOf(policy.SignsId))} for {replay.Ttl}{(replay.Closed ? ", closed without its store" : "")}";

    private static string LimitsOf(ResolvedRoute route)
    {
        var limits = new List<string> { $"body {route.MaxBody}", $"answer within {new Duration(route.Timeout)}" };
        if (route.Written.RateLimit?.Address is { } address)
        {
            limits.Add($"{address.Permits} per {address.Window} an address");
        }

        if (route.Written.RateLimit?.Route is { } budget)
        {
            limits.Add($"{budget.Permits} per {budget.Window} in all");
        }

        if (route.Encodings.Count > 0)
        {
            limits.Add($"bodies in {string.Join(" or ", route.Encodings)} as they are");
        }

        return string.Join(", ", limits);
    }

    private static string GivesUpOf(RoutePolicy policy) => policy.Attempts?.Rules is not { } rules
        ? "not known"
        : string.Create(CultureInfo.InvariantCulture,
            $"after {rules.Attempts} "
            + $"{(rules.Attempts == 1 ? "attempt" : "attempts")}{(rules.SwitchesOffAfter is { } off ? $", switches off after {off} failures in a row" : "")}");

    private static string Bare(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) ? uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped)
        : "?";
}

/// <summary>What a new revision changes for requests: routes by id, in the order of the alphabet.</summary>
internal sealed record RouteChanges(IReadOnlyList<string> Added, IReadOnlyList<string> Removed, IReadOnlyList<string> Changed)
{
    private const int Named = 20;

    public static RouteChanges Between(GatewaySnapshot before, GatewaySnapshot after)
    {
        var old = before.Routes.ToDictionary(static r => r.RouteId, static r => r, StringComparer.Ordinal);
        var now = after.Routes.Select(static r => r.RouteId).ToHashSet(StringComparer.Ordinal);
        return new(
            [.. now.Where(id => !old.ContainsKey(id)).Order(StringComparer.Ordinal)],
            [.. old.Keys.Where(id => !now.Contains(id)).Order(StringComparer.Ordinal)],
            [.. after.Routes.Where(r => old.TryGetValue(r.RouteId, out var was) && !was.Equals(r))
                .Select(static r => r.RouteId).Order(StringComparer.Ordinal)]);
    }

    /// <summary>A list of names for one line: bounded, "none" when empty.</summary>
    public static string Line(IReadOnlyList<string> ids) =>
        ids.Count == 0 ? "none" : string.Join(", ", ids.Take(Named))
        + (ids.Count > Named ? string.Create(CultureInfo.InvariantCulture, $" and {ids.Count - Named} more") : "");
}
