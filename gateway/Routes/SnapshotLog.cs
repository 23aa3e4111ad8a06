using System.Reflection;
using WebhookEdge.Configuration;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Routes;

/// <summary>A revision told to the operator: as lines for a person, as fields for a machine.</summary>
internal static class SnapshotLog
{
    /// <summary>The gateway in one line and each route in one, in the order of the file.</summary>
    public static void Summarise(this ILogger logger, GatewaySnapshot snapshot, IReadOnlyList<ConfigProblem> problems)
    {
        var settings = snapshot.Settings;
        logger.Summary(
            typeof(SnapshotLog).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown",
            snapshot.RevisionId,
            snapshot.Summaries.Count,
            settings.Redis is { } redis ? $"Redis at {redis} and this process" : "this process alone",
            settings.ClientAddress,
            settings.ConcurrentRequests,
            new ByteSize(settings.BufferedBodies).ToString(),
            settings.StateDirectory ?? "none",
            problems.Count(static p => p.IsWarning));
        foreach (var route in snapshot.Summaries)
        {
            logger.RouteSummary(route.Route, route.Match, route.Upstream, route.Provider, route.Checks, route.Addresses, route.Replay, route.Limits,
                route.GivesUp, route.Mode);
        }
    }

    /// <summary>One warning for each route that lets through what a check refuses.</summary>
    public static void WarnOfObserving(this ILogger logger, GatewaySnapshot snapshot)
    {
        foreach (var route in snapshot.Routes)
        {
            if (snapshot.Policies[route.RouteId].Observing is { IsEmpty: false } observing)
            {
                logger.RouteObserves(route.RouteId, string.Join(", ", observing));
            }
        }
    }
}
