using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>A hash table under a lock of its own, with its delivered keys in a list from oldest to newest.</summary>
internal sealed class MemoryShard(MemoryReplayStore store, int capacity)
{
    private readonly Lock _gate = new();
    private readonly MemorySlots _slots = new(capacity);
    private int _capacity = capacity;
    private int[] _buckets = NewBuckets(16);
    private int _everUsed;
    private int _free = -1;
    private int _count;
    private int _hand;
    private int _oldest = -1;
    private int _newest = -1;

    public int Count => Volatile.Read(ref _count);

    public void SetCapacity(int value)
    {
        lock (_gate)
        {
            _capacity = value;
            _slots.SetCapacity(value);
        }
    }

    public bool TryClaim(in EventKey key, int hash, ulong owner, long now, long expiresAt, out ClaimAnswer answer)
    {
        lock (_gate)
        {
            Sweep(now, 2);
            var index = FindLive(key, hash, now);
            if (index >= 0)
            {
                ref var held = ref _slots.At(index);
                answer = held.State == MemorySlotState.Done ? new(ClaimState.Done, Status: (int)held.Value, Trace: _slots.TraceAt(index))
                    : new(ClaimState.InFlight, Owner: held.Value);
                return true;
            }

            answer = new(ClaimState.Claimed);
            index = Add(key, hash, now);
            if (index < 0)
            {
                return false;
            }

            ref var slot = ref _slots.At(index);
            slot.State = MemorySlotState.Pending;
            slot.Value = owner;
            slot.ExpiresAt = expiresAt;
            return true;
        }
    }

    public bool TryCommit(in EventKey key, int hash, int status, long now, long expiresAt, TraceRef trace)
    {
        lock (_gate)
        {
            var index = FindLive(key, hash, now);
            if (index < 0)
            {
                index = Add(key, hash, now);
            }

            if (index < 0)
            {
                return false;
            }

            ref var slot = ref _slots.At(index);
            if (slot.State == MemorySlotState.Done)
            {
                Unlink(ref slot);
            }

            slot.State = MemorySlotState.Done;
            slot.Value = (uint)status;
            slot.ExpiresAt = expiresAt;
            _slots.SetTrace(index, trace);
            LinkAsNewest(index);
            return true;
        }
    }

    public bool Release(in EventKey key, int hash, ulong owner, long now)
    {
        lock (_gate)
        {
            var index = FindLive(key, hash, now);
            if (index < 0 || _slots.At(index).State != MemorySlotState.Pending || _slots.At(index).Value != owner)
            {
                return false;
            }

            Remove(index);
            return true;
        }
    }

    public bool Forget(in EventKey key, int hash, long now)
    {
        lock (_gate)
        {
            var index = FindLive(key, hash, now);
            if (index < 0)
            {
                return false;
            }

            Remove(index);
            return true;
        }
    }

    private static int[] NewBuckets(int length)
    {
        var buckets = new int[length];
        Array.Fill(buckets, -1);
        return buckets;
    }

    private int FindLive(in EventKey key, int hash, long now)
    {
        for (var index = _buckets[hash & (_buckets.Length - 1)]; index >= 0; index = _slots.At(index).NextInBucket)
        {
            if (_slots.At(index).Key.Equals(key))
            {
                if (_slots.At(index).ExpiresAt > now)
                {
                    return index;
                }

                Remove(index);
                return -1;
            }
        }

        return -1;
    }

    /// <summary>A slot in its bucket, with neither state nor expiry yet; -1 when all are taken by deliveries in flight.</summary>
    private int Add(in EventKey key, int hash, long now)
    {
        if (_count >= _capacity)
        {
            Sweep(now, 64);
        }

        // Two where the capacity has become less; otherwise one is enough.
        for (var made = 0; _count >= _capacity && made < 2; made++)
        {
            if (_oldest < 0)
            {
                return -1;
            }

            if (_slots.At(_oldest).ExpiresAt > now)
            {
                store.CountEvicted();
            }

            Remove(_oldest);
        }

        if (_count >= _buckets.Length)
        {
            GrowBuckets();
        }

        int index;
        if (_free >= 0)
        {
            index = _free;
            _free = _slots.At(index).NextInBucket;
        }
        else
        {
            index = _everUsed++;
            _slots.Allocate(index, _capacity);
        }

        ref var slot = ref _slots.At(index);
        ref var bucket = ref _buckets[hash & (_buckets.Length - 1)];
        slot.Key = key;
        slot.NextInBucket = bucket;
        bucket = index;
        _count++;
        return index;
    }

    private void Remove(int index)
    {
        ref var slot = ref _slots.At(index);
        ref var link = ref _buckets[slot.Key.GetHashCode() & (_buckets.Length - 1)];
        while (link != index)
        {
            link = ref _slots.At(link).NextInBucket;
        }

        link = slot.NextInBucket;
        if (slot.State == MemorySlotState.Done)
        {
            Unlink(ref slot);
        }

        slot.State = MemorySlotState.Free;
        slot.NextInBucket = _free;
        _free = index;
        _count--;
    }

    private void Sweep(long now, int steps)
    {
        for (; steps > 0 && _everUsed > 0; steps--)
        {
            _hand = _hand + 1 < _everUsed ? _hand + 1 : 0;
            if (_slots.At(_hand).State != MemorySlotState.Free && _slots.At(_hand).ExpiresAt <= now)
            {
                Remove(_hand);
            }
        }
    }

    private void GrowBuckets()
    {
        _buckets = NewBuckets(_buckets.Length * 2);
        for (var index = 0; index < _everUsed; index++)
        {
            ref var slot = ref _slots.At(index);
            if (slot.State != MemorySlotState.Free)
            {
                ref var bucket = ref _buckets[slot.Key.GetHashCode() & (_buckets.Length - 1)];
                slot.NextInBucket = bucket;
                bucket = index;
            }
        }
    }

    private void LinkAsNewest(int index)
    {
        ref var slot = ref _slots.At(index);
        slot.Older = _newest;
        slot.Newer = -1;
        if (_newest >= 0)
        {
            _slots.At(_newest).Newer = index;
        }
        else
        {
            _oldest = index;
        }

        _newest = index;
    }

    private void Unlink(ref MemorySlot slot)
    {
        if (slot.Older >= 0)
        {
            _slots.At(slot.Older).Newer = slot.Newer;
        }
        else
        {
            _oldest = slot.Newer;
        }

        if (slot.Newer >= 0)
        {
            _slots.At(slot.Newer).Older = slot.Older;
        }
        else
        {
            _newest = slot.Older;
        }
    }
}
