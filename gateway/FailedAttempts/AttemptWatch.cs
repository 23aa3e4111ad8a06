using WebhookEdge.Observability;

namespace WebhookEdge.FailedAttempts;

/// <summary>When a sender gives up, by its own documentation.</summary>
/// <param name="Provider">The preset's name.</param>
/// <param name="Attempts">Attempts of one event, the first included; at least 1.</param>
/// <param name="SwitchesOffAfter">Failed deliveries in a row, of whatever event, after which the sender sends nothing at all any more; null = not
/// documented.</param>
internal sealed record GiveUpRules(string Provider, int Attempts, int? SwitchesOffAfter);

/// <summary>
/// Counts failed attempts of events whose sender is known to give up, so that somebody hears of it before that. What it counts outlives a reload.
/// It counts what this process answered: behind a load balancer each instance knows its own share.
/// </summary>
internal sealed class AttemptWatch
{
    private readonly GatewayMetrics _metrics;
    private readonly LogThrottle _throttle;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<(string RouteId, GiveUpRules Rules), RouteAttempts> _routes = [];
    private RouteAttempts[] _inForce = [];

    public AttemptWatch(GatewayMetrics metrics, LogThrottle throttle, TimeProvider time, ILogger<AttemptWatch> logger)
    {
        _metrics = metrics;
        _throttle = throttle;
        _time = time;
        _logger = logger;
        metrics.Routes.WatchAttempts(Readings);
    }

    /// <summary>The counts of a route; asking again for the same gives the same object.</summary>
    public RouteAttempts For(string routeId, GiveUpRules rules)
    {
        lock (_lock)
        {
            if (!_routes.TryGetValue((routeId, rules), out var route))
            {
                _routes.Add((routeId, rules), route = new(routeId, rules, _metrics.Routes, _throttle, _time, _logger));
            }

            return route;
        }
    }

    /// <summary>Says which counts the revision in force uses; the others are forgotten.</summary>
    public void Retain(IEnumerable<RouteAttempts> inUse)
    {
        lock (_lock)
        {
            _inForce = [.. inUse];
            foreach (var (key, route) in _routes.ToArray())
            {
                if (!_inForce.Contains(route))
                {
                    _routes.Remove(key);
                }
            }
        }
    }

    /// <summary>One reading for each route in force whose sender's limit is known.</summary>
    public IReadOnlyList<AttemptReading> Readings()
    {
        RouteAttempts[] routes;
        lock (_lock)
        {
            routes = _inForce;
        }

        return [.. routes.Select(static route => route.Read())];
    }
}
