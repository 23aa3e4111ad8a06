namespace WebhookEdge.RateLimits;

/// <summary>
/// Budgets, outside the configuration snapshot and keyed by what they are for: a reload that leaves a route's numbers alone leaves what it
/// spent alone too. One per process.
/// </summary>
internal sealed class RateLimiterPool(TimeProvider time) : IDisposable
{
    // Longer than any request that still holds a policy of the revision before: a budget disposed under one would fail it.
    private static readonly TimeSpan s_disposeAfter = TimeSpan.FromMinutes(10);

    private readonly Lock _gate = new();
    private readonly Dictionary<BudgetKey, Entry> _entries = [];

    private enum Kind
    {
        Route,
        Address,
    }

    /// <summary>Budgets held, dropped ones that wait for their end included.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>The route's budget with these numbers; the same object as long as it is asked for in every revision.</summary>
    public RouteBudget Route(string routeId, int permits, TimeSpan window, int queue = 0) =>
        (RouteBudget)Get(new(routeId, Kind.Route, permits, window, queue), key => new RouteBudget(key.Permits, key.Window, key.Queue));

    /// <summary>The budget of each client address on this route.</summary>
    public AddressBudget Address(string routeId, int permits, TimeSpan window) =>
        (AddressBudget)Get(new(routeId, Kind.Address, permits, window, 0), key => new AddressBudget(key.Permits, key.Window));

    /// <summary>
    /// Says after a reload which budgets (<see cref="RouteBudget"/> and <see cref="AddressBudget"/>) the published revision holds. Others are
    /// dropped by a later call, once no request can hold them any more; a route that comes back before finds its budget as it left it.
    /// </summary>
    public void Retain(IReadOnlyCollection<IDisposable> inUse)
    {
        lock (_gate)
        {
            foreach (var (key, entry) in _entries.ToArray())
            {
                if (inUse.Contains(entry.Budget))
                {
                    entry.UnusedSince = null;
                }
                else if (entry.UnusedSince is not { } since)
                {
                    entry.UnusedSince = time.GetTimestamp();
                }
                else if (time.GetElapsedTime(since) > s_disposeAfter)
                {
                    _entries.Remove(key);
                    entry.Budget.Dispose();
                }
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var entry in _entries.Values)
            {
                entry.Budget.Dispose();
            }

            _entries.Clear();
        }
    }

    private IDisposable Get(BudgetKey key, Func<BudgetKey, IDisposable> create)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out var entry))
            {
                _entries.Add(key, entry = new(create(key)));
            }

            entry.UnusedSince = null;
            return entry.Budget;
        }
    }

    private readonly record struct BudgetKey(string RouteId, Kind Kind, int Permits, TimeSpan Window, int Queue);

    private sealed class Entry(IDisposable budget)
    {
        public IDisposable Budget { get; } = budget;

        public long? UnusedSince { get; set; }
    }
}
