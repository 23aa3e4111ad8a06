using System.Buffers.Binary;
using System.Runtime.InteropServices;
using WebhookEdge.Observability;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>Reads the key of the event that a delivery brings into <paramref name="digest"/>, which has <see cref="Delivery.EventKeyLength"/> bytes. Needs the delivery's body.</summary>
internal delegate void EventKeyReader(Delivery delivery, Span<byte> digest);

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
    private readonly Dictionary<EventId, Failing> _events = [];
    private readonly ThrottledLine _nearLimit = new(1110, LogLevel.Error, routeId, "near-limit");
    private readonly ThrottledLine _givenUpLine = new(1111, LogLevel.Error, routeId, "given-up");
    private readonly ThrottledLine _late = new(1114, LogLevel.Warning, routeId, "delivered-late");
    private long _sweptAt = time.GetTimestamp();
    private int _following;
    private int _inARow;
    private long _givenUp;

    public GiveUpRules Rules => rules;

    /// <summary>The upstream's answer is on its way to the sender.</summary>
    public void Forwarded(Delivery delivery, bool accepted)
    {
        if (!accepted)
        {
            Failed(delivery);
        }
        else if (Volatile.Read(ref _following) != 0 || Volatile.Read(ref _inARow) != 0)
        {
            Succeeded(delivery);
        }
    }

    /// <summary>The gateway itself answered. Of its refusals only those count that come after the sender has proved itself.</summary>
    public void Refused(Delivery delivery, RejectReason reason, int status)
    {
        var authentic = reason is RejectReason.TooManyForRoute or RejectReason.Duplicate or RejectReason.DuplicateInFlight or RejectReason.ReplayStoreDown
            or RejectReason.UpstreamUnreachable or RejectReason.UpstreamTimeout or RejectReason.UpstreamFailed
            || (reason is RejectReason.CheckFailed or RejectReason.SenderHungUp && !delivery.EventKeyDigest.IsEmpty);
        if (authentic)
        {
            Forwarded(delivery, status is >= 200 and < 300);
        }
    }

    public AttemptReading Read()
    {
        lock (_lock)
        {
            Sweep();
            var worst = default(KeyValuePair<EventId, Failing>);
            var near = 0;
            var given = 0;
            foreach (var entry in _events)
            {
                worst = entry.Value.Attempts > worst.Value.Attempts ? entry : worst;
                near += entry.Value.Attempts == rules.Attempts - 1 ? 1 : 0;
                given += entry.Value.Attempts >= rules.Attempts ? 1 : 0;
            }

            return new(
                routeId, rules.Provider, rules.Attempts, worst.Value.Attempts == 0 ? null : worst.Key.ToString(), worst.Value.Attempts, _events.Count - given, near, _givenUp, _inARow, rules.SwitchesOffAfter);
        }
    }

    /// <summary>What observe mode let through unproved says nothing about the sender's events.</summary>
    private static bool IsAuthentic(Delivery delivery) =>
        delivery.Trust > TrustLevel.Observed
        && delivery.WouldRefuse is RejectReason.NotDecided or RejectReason.TooManyForRoute or RejectReason.Duplicate or RejectReason.DuplicateInFlight or RejectReason.ReplayStoreDown;

    private static EventId? IdOf(Delivery delivery)
    {
        if (delivery.EventKeyDigest is { IsEmpty: false } known)
        {
            return new(known);
        }

        // A route budget refuses before the key was made, and a route with replay off makes none.
        if (delivery.Policy.ReadEventKey is not { } read)
        {
            return null;
        }

        Span<byte> digest = stackalloc byte[Delivery.EventKeyLength];
        read(delivery, digest);
        return new(digest);
    }

    private void Succeeded(Delivery delivery)
    {
        if (!IsAuthentic(delivery))
        {
            return;
        }

        Volatile.Write(ref _inARow, 0);
        if (Volatile.Read(ref _following) == 0 || IdOf(delivery) is not { } id)
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

    private void Failed(Delivery delivery)
    {
        if (!IsAuthentic(delivery))
        {
            return;
        }

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

        if (IdOf(delivery) is { } id)
        {
            Count(id);
        }
    }

    private void Count(EventId id)
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

    /// <summary>An event key by value: looking one up allocates nothing.</summary>
    private readonly record struct EventId(UInt128 High, UInt128 Low)
    {
        public EventId(ReadOnlySpan<byte> digest)
            : this(BinaryPrimitives.ReadUInt128BigEndian(digest), BinaryPrimitives.ReadUInt128BigEndian(digest[16..]))
        {
        }

        public override string ToString() => $"{High:x32}{Low:x32}";
    }
}
