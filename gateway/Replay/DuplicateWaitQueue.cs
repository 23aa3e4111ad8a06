using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>
/// Where copies of an event wait for the copy that is being delivered. Empty, and costing one uncontended lock, unless copies meet.
/// <para>
/// No wake-up is lost: a copy looks at the memory and sits down under the same lock, and whoever settles first changes the memory, then comes
/// here. A copy that was woken and does not use its turn must <see cref="WakeOne"/> in its place.
/// </para>
/// </summary>
internal sealed class DuplicateWaitQueue
{
    /// <summary>Seats per key. A sender with more copies in flight than this is told to come back.</summary>
    public const int Seats = 8;

    private readonly Room[] _rooms = new Room[16];

    public DuplicateWaitQueue()
    {
        for (var i = 0; i < _rooms.Length; i++)
        {
            _rooms[i] = new();
        }
    }

    /// <summary>
    /// Claims the key, or takes a seat: <paramref name="seat"/> completes when it is worth trying again, and is null when the claim was decided
    /// or every seat is taken. False when the memory has no room for a claim.
    /// </summary>
    public bool TryClaimOrSit(MemoryReplayStore memory, in EventKey key, ulong owner, TimeSpan lease, out ClaimAnswer answer, out TaskCompletionSource? seat)
    {
        seat = null;
        var room = RoomOf(key);
        lock (room.Gate)
        {
            if (!memory.TryClaim(key, owner, lease, out answer))
            {
                return false;
            }

            if (answer.State == ClaimState.InFlight)
            {
                if (!room.Queues.TryGetValue(key, out var queue))
                {
                    room.Queues.Add(key, queue = []);
                }

                if (queue.Count < Seats)
                {
                    // The waker is the delivery that just ended; it must not run its waiters' requests.
                    seat = new(TaskCreationOptions.RunContinuationsAsynchronously);
                    queue.Add(seat);
                }
            }

            return true;
        }
    }

    /// <summary>Gives the seat up; false when it was woken before, and the turn must be passed on.</summary>
    public bool Leave(in EventKey key, TaskCompletionSource seat)
    {
        var room = RoomOf(key);
        lock (room.Gate)
        {
            if (!room.Queues.TryGetValue(key, out var queue) || !queue.Remove(seat))
            {
                return false;
            }

            if (queue.Count == 0)
            {
                room.Queues.Remove(key);
            }

            return true;
        }
    }

    /// <summary>The key was given up: the copy that waited longest may try.</summary>
    public void WakeOne(in EventKey key)
    {
        var room = RoomOf(key);
        lock (room.Gate)
        {
            if (room.Queues.Count > 0 && room.Queues.TryGetValue(key, out var queue))
            {
                queue[0].SetResult();
                queue.RemoveAt(0);
                if (queue.Count == 0)
                {
                    room.Queues.Remove(key);
                }
            }
        }
    }

    /// <summary>The event was delivered: nobody need wait any longer.</summary>
    public void WakeAll(in EventKey key)
    {
        var room = RoomOf(key);
        lock (room.Gate)
        {
            if (room.Queues.Count > 0 && room.Queues.Remove(key, out var queue))
            {
                foreach (var seat in queue)
                {
                    seat.SetResult();
                }
            }
        }
    }

    private Room RoomOf(in EventKey key) => _rooms[key.GetHashCode() & (_rooms.Length - 1)];

    private sealed class Room
    {
        public Lock Gate { get; } = new();

        public Dictionary<EventKey, List<TaskCompletionSource>> Queues { get; } = [];
    }
}
