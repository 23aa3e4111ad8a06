using System.Numerics;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>
/// The replay memory of this process: first level in front of Redis, and the whole store where none is configured. Holds at most
/// <see cref="Capacity"/> keys, about 72 bytes each, allocated in blocks as they are needed and reused for ever after. When full, the key delivered
/// longest ago makes room, and is counted if it was to be remembered longer; one in flight never does. Expired keys go when they are met, or by a hand that
/// looks at two slots with every claim.
/// </summary>
internal sealed class MemoryReplayStore : IReplayStore
{
    public const int DefaultCapacity = 1_000_000;

    private readonly TimeProvider _time;
    private readonly Shard[] _shards;
    private readonly int _shardBits;
    private int _capacity;
    private long _evicted;

    /// <param name="capacity">Keys remembered at most; rounded up to a whole number per shard.</param>
    public MemoryReplayStore(TimeProvider time, int capacity = DefaultCapacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _time = time;
        _capacity = capacity;
        _shardBits = Math.Clamp(BitOperations.Log2((uint)capacity) - 10, 0, 6);
        _shards = new Shard[1 << _shardBits];
        for (var i = 0; i < _shards.Length; i++)
        {
            _shards[i] = new(this, PerShard(capacity));
        }
    }

    /// <summary>Keys remembered at most. When it becomes less, each new key takes the place of two until that is so; slots once allocated stay.</summary>
    public int Capacity
    {
        get => Volatile.Read(ref _capacity);
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            Volatile.Write(ref _capacity, value);
            foreach (var shard in _shards)
            {
                shard.SetCapacity(PerShard(value));
            }
        }
    }

    /// <summary>Delivered keys that made room before their time, since the start.</summary>
    public long Evicted => Volatile.Read(ref _evicted);

    /// <summary>Keys held now, those that expired and were not met since included.</summary>
    public int Count
    {
        get
        {
            var count = 0;
            foreach (var shard in _shards)
            {
                count += shard.Count;
            }

            return count;
        }
    }

    /// <summary>
    /// As <see cref="IReplayStore.ClaimAsync"/>; false when every slot is held by a delivery in flight, so that the key could not be claimed.
    /// </summary>
    public bool TryClaim(in EventKey key, ulong owner, TimeSpan lease, out ClaimAnswer answer)
    {
        var now = _time.GetTimestamp();
        return ShardOf(key, out var hash).TryClaim(key, hash, owner, now, _time.After(now, lease), out answer);
    }

    /// <summary>As <see cref="IReplayStore.CommitAsync"/>; false when there was no room to remember it.</summary>
    public bool TryCommit(in EventKey key, int status, TimeSpan ttl, TraceRef trace = default)
    {
        var now = _time.GetTimestamp();
        return ShardOf(key, out var hash).TryCommit(key, hash, status, now, _time.After(now, ttl), trace);
    }

    /// <summary>As <see cref="IReplayStore.ReleaseAsync"/>.</summary>
    public bool Release(in EventKey key, ulong owner) => ShardOf(key, out var hash).Release(key, hash, owner, _time.GetTimestamp());

    /// <summary>As <see cref="IReplayStore.ForgetAsync"/>.</summary>
    public bool Forget(in EventKey key) => ShardOf(key, out var hash).Forget(key, hash, _time.GetTimestamp());

    ValueTask<ClaimAnswer> IReplayStore.ClaimAsync(EventKey key, ulong owner, TimeSpan lease) =>
        TryClaim(key, owner, lease, out var answer) ? new(answer) : throw new ReplayStoreException("every slot of the replay memory is in flight");

    ValueTask IReplayStore.CommitAsync(EventKey key, int status, TimeSpan ttl, TraceRef trace) =>
        TryCommit(key, status, ttl, trace) ? default : throw new ReplayStoreException("every slot of the replay memory is in flight");

    ValueTask<bool> IReplayStore.ReleaseAsync(EventKey key, ulong owner) => new(Release(key, owner));

    ValueTask<bool> IReplayStore.ForgetAsync(EventKey key) => new(Forget(key));

    private int PerShard(int capacity) => (int)(((long)capacity + _shards.Length - 1) >> _shardBits);

    private Shard ShardOf(in EventKey key, out int hash)
    {
        hash = key.GetHashCode();

        // The upper bits choose the shard, the lower ones the bucket in it.
        return _shards[(int)((ulong)(uint)hash << _shardBits >> 32)];
    }

    private enum SlotState : byte
    {
        Free,
        Pending,
        Done,
    }

    /// <summary>64 bytes: a cache line. Links are slot numbers, -1 = none.</summary>
    private struct Slot
    {
        public EventKey Key;
        public long ExpiresAt;

        /// <summary>The owner while pending, the upstream's status when done.</summary>
        public ulong Value;
        public int NextInBucket;
        public int Older;
        public int Newer;
        public SlotState State;
    }

    /// <summary>A hash table under a lock of its own, with its delivered keys in a list from oldest to newest.</summary>
    private sealed class Shard(MemoryReplayStore store, int capacity)
    {
        // 1,024 slots are 64 KB: below the large object heap, and growing copies nothing.
        private const int BlockBits = 10;

        private readonly Lock _gate = new();
        private Slot[]?[] _blocks = new Slot[]?[BlocksOf(capacity)];
        // Beside the slots and not in them: they stay a cache line, and without tracing there are none.
        private TraceRef[]?[] _traces = new TraceRef[]?[BlocksOf(capacity)];
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
                if (BlocksOf(value) > _blocks.Length)
                {
                    Array.Resize(ref _blocks, BlocksOf(value));
                    Array.Resize(ref _traces, BlocksOf(value));
                }
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
                    ref var held = ref At(index);
                    answer = held.State == SlotState.Done ? new(ClaimState.Done, Status: (int)held.Value, Trace: TraceAt(index)) : new(ClaimState.InFlight, Owner: held.Value);
                    return true;
                }

                answer = new(ClaimState.Claimed);
                index = Add(key, hash, now);
                if (index < 0)
                {
                    return false;
                }

                ref var slot = ref At(index);
                slot.State = SlotState.Pending;
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

                ref var slot = ref At(index);
                if (slot.State == SlotState.Done)
                {
                    Unlink(ref slot);
                }

                slot.State = SlotState.Done;
                slot.Value = (uint)status;
                slot.ExpiresAt = expiresAt;
                SetTrace(index, trace);
                LinkAsNewest(index);
                return true;
            }
        }

        public bool Release(in EventKey key, int hash, ulong owner, long now)
        {
            lock (_gate)
            {
                var index = FindLive(key, hash, now);
                if (index < 0 || At(index).State != SlotState.Pending || At(index).Value != owner)
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

        private static int BlocksOf(int capacity) => (int)(((long)capacity + (1 << BlockBits) - 1) >> BlockBits);

        private static int[] NewBuckets(int length)
        {
            var buckets = new int[length];
            Array.Fill(buckets, -1);
            return buckets;
        }

        private ref Slot At(int index) => ref _blocks[index >> BlockBits]![index & ((1 << BlockBits) - 1)];

        private TraceRef TraceAt(int index) => _traces[index >> BlockBits] is { } block ? block[index & ((1 << BlockBits) - 1)] : default;

        private void SetTrace(int index, TraceRef trace)
        {
            ref var block = ref _traces[index >> BlockBits];
            var length = _blocks[index >> BlockBits]!.Length;
            if (block is null ? trace.IsKnown : block.Length < length)
            {
                Array.Resize(ref block, length);
            }

            if (block is not null)
            {
                block[index & ((1 << BlockBits) - 1)] = trace;
            }
        }

        private int FindLive(in EventKey key, int hash, long now)
        {
            for (var index = _buckets[hash & (_buckets.Length - 1)]; index >= 0; index = At(index).NextInBucket)
            {
                if (At(index).Key.Equals(key))
                {
                    if (At(index).ExpiresAt > now)
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

                if (At(_oldest).ExpiresAt > now)
                {
                    Interlocked.Increment(ref store._evicted);
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
                _free = At(index).NextInBucket;
            }
            else
            {
                index = _everUsed++;
                ref var block = ref _blocks[index >> BlockBits];
                if (block is null || block.Length <= (index & ((1 << BlockBits) - 1)))
                {
                    // The last block is as long as the capacity wants it, and longer when that has grown.
                    Array.Resize(ref block, Math.Min(1 << BlockBits, _capacity - (index & ~((1 << BlockBits) - 1))));
                }
            }

            ref var slot = ref At(index);
            ref var bucket = ref _buckets[hash & (_buckets.Length - 1)];
            slot.Key = key;
            slot.NextInBucket = bucket;
            bucket = index;
            _count++;
            return index;
        }

        private void Remove(int index)
        {
            ref var slot = ref At(index);
            ref var link = ref _buckets[slot.Key.GetHashCode() & (_buckets.Length - 1)];
            while (link != index)
            {
                link = ref At(link).NextInBucket;
            }

            link = slot.NextInBucket;
            if (slot.State == SlotState.Done)
            {
                Unlink(ref slot);
            }

            slot.State = SlotState.Free;
            slot.NextInBucket = _free;
            _free = index;
            _count--;
        }

        private void Sweep(long now, int steps)
        {
            for (; steps > 0 && _everUsed > 0; steps--)
            {
                _hand = _hand + 1 < _everUsed ? _hand + 1 : 0;
                if (At(_hand).State != SlotState.Free && At(_hand).ExpiresAt <= now)
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
                ref var slot = ref At(index);
                if (slot.State != SlotState.Free)
                {
                    ref var bucket = ref _buckets[slot.Key.GetHashCode() & (_buckets.Length - 1)];
                    slot.NextInBucket = bucket;
                    bucket = index;
                }
            }
        }

        private void LinkAsNewest(int index)
        {
            ref var slot = ref At(index);
            slot.Older = _newest;
            slot.Newer = -1;
            if (_newest >= 0)
            {
                At(_newest).Newer = index;
            }
            else
            {
                _oldest = index;
            }

            _newest = index;
        }

        private void Unlink(ref Slot slot)
        {
            if (slot.Older >= 0)
            {
                At(slot.Older).Newer = slot.Newer;
            }
            else
            {
                _oldest = slot.Newer;
            }

            if (slot.Newer >= 0)
            {
                At(slot.Newer).Older = slot.Older;
            }
            else
            {
                _newest = slot.Older;
            }
        }
    }
}
