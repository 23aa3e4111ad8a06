using System.Runtime.InteropServices;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.FailedAttempts;

/// <summary>
/// The failed attempts of one route: of each event, and in a row. Fed with answers to deliveries that passed every check; a stranger's request never
/// comes here. Bounded: beyond <see cref="Capacity"/> events at once further ones are not followed (and counted as such); what was heard of last
/// <see cref="Forget"/> ago is forgotten.
/// </summary>
internal sealed class RouteAttempts(string routeId, GiveUpRules rules, RouteMetrics metrics, LogThrottle throttle, TimeProvider time, ILogger logger)
{
    /// <summary>Events followed at once.</summary>
    public const int Capacity = 5000;

    /// <summary>Longer than the pauses of any sender's schedule.</summary>
    public static readonly TimeSpan Forget = TimeSpan.FromHours(72);

    private static readonly TimeSpan s_sweepEvery = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<EventKey, Failing> _events = [];
    private readonly ThrottledLine _nearLimit = new(1110, LogLevel.Error, routeId, "near-limit");
    private readonly ThrottledLine _givenUpLine = new(1111, LogLevel.Error, routeId, "given-up");
    private readonly ThrottledLine _late = new(1114, LogLevel.Warning, routeId, "delivered-late");
    private long _sweptAt = time.GetTimestamp();
    private int _following;
    private int _inARow;
    private long _givenUp;

    public GiveUpRules Rules => rules;

    /// <summary>Some event or the row of failures waits for a success; else there is no need to tell of one.</summary>
    public bool AwaitsSuccess => Volatile.Read(ref _following) != 0 || Volatile.Read(ref _inARow) != 0;

    /// <summary>An authentic delivery was answered with a 2xx.</summary>
    /// <param name="key">Null when the event cannot be told from others.</param>
    public void Succeeded(EventKey? key)
    {
        Volatile.Write(ref _inARow, 0);
        if (Volatile.Read(ref _following) == 0 || key is not { } id)
        {
            return;
        }

        Failing failed;
        lock (_lock)
        {
            if (!_events.Remove(id, out failed))
            {
                return;
            }

            Volatile.Write(ref _following, _events.Count);
        }

        if (failed.Attempts >= rules.Attempts - 1 && throttle.Allows(_late))
        {
            logger.DeliveredLate(id.ToString(), routeId, failed.Attempts);
        }
    }

    /// <summary>An authentic delivery was answered with anything but a 2xx, by the upstream or by the gateway itself.</summary>
    /// <param name="key">Null when the event cannot be told from others.</param>
    public void Failed(EventKey? key)
    {
        var inARow = Interlocked.Increment(ref _inARow);
        if (rules.SwitchesOffAfter is { } limit)
        {
            // Once each: the next comes after a delivery that did not fail.
            if (inARow == limit - 1)
            {
                logger.SwitchOffNear(inARow, routeId, rules.Provider, limit);
            }
            else if (inARow == limit)
            {
                logger.SwitchedOff(inARow, routeId, limit, rules.Provider);
            }
        }

        if (key is { } id)
        {
            Count(id);
        }
    }

    public AttemptReading Read()
    {
        lock (_lock)
        {
            Sweep();
            var worst = default(KeyValuePair<EventKey, Failing>);
            var near = 0;
            var given = 0;
            foreach (var entry in _events)
            {
                worst = entry.Value.Attempts > worst.Value.Attempts ? entry : worst;
                near += entry.Value.Attempts == rules.Attempts - 1 ? 1 : 0;
                given += entry.Value.Attempts >= rules.Attempts ? 1 : 0;
            }

            return new(
                routeId, rules.Provider, rules.Attempts, worst.Value.Attempts == 0 ? null : worst.Key.ToString(), worst.Value.Attempts, _events.Count - given,
                near, _givenUp, _inARow, rules.SwitchesOffAfter);
        }
    }

    private void Count(EventKey id)
    {
        int attempts;
        lock (_lock)
        {
            if (_events.Count >= Capacity && !_events.ContainsKey(id))
            {
                Sweep(full: true);
                if (_events.Count >= Capacity)
                {
                    metrics.Untracked(routeId);
                    return;
                }
            }

            Sweep();
            ref var entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_events, id, out _);
            attempts = entry.Attempts + 1;
            entry = new(attempts, time.GetTimestamp());
            Volatile.Write(ref _following, _events.Count);
            if (attempts == rules.Attempts)
            {
                _givenUp++;
            }
        }

        if (attempts == rules.Attempts)
        {
            if (throttle.Allows(_givenUpLine))
            {
                logger.AttemptsGivenUp(id.ToString(), routeId, attempts, rules.Attempts, rules.Provider);
            }
        }
        else if (attempts == rules.Attempts - 1 && throttle.Allows(_nearLimit))
        {
            logger.AttemptsNearLimit(id.ToString(), routeId, attempts, rules.Attempts, rules.Provider);
        }
    }

    /// <summary>Drops what is too old, at most once a minute; when there is no room also what the sender has given up.</summary>
    private void Sweep(bool full = false)
    {
        if (_events.Count == 0 || (!full && time.GetElapsedTime(_sweptAt) < s_sweepEvery))
        {
            return;
        }

        _sweptAt = time.GetTimestamp();
        foreach (var (id, failed) in _events)
        {
            if (time.GetElapsedTime(failed.LastAt) > Forget || (full && failed.Attempts >= rules.Attempts))
            {
                _events.Remove(id);
            }
        }

        Volatile.Write(ref _following, _events.Count);
    }

    /// <param name="LastAt">Timestamp of the last failed attempt.</param>
    private readonly record struct Failing(int Attempts, long LastAt);
}
