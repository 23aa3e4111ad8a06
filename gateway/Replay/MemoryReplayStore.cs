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
    private readonly MemoryShard[] _shards;
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
        _shards = new MemoryShard[1 << _shardBits];
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

    public void CountEvicted() => Interlocked.Increment(ref _evicted);

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

    private MemoryShard ShardOf(in EventKey key, out int hash)
    {
        hash = key.GetHashCode();

        // The upper bits choose the shard, the lower ones the bucket in it.
        return _shards[(int)((ulong)(uint)hash << _shardBits >> 32)];
    }
}
