using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace WebhookEdge.Ingress;

/// <summary>Gives the server its receive buffers from <see cref="ReceiveBuffers"/>.</summary>
internal sealed class ReceiveBuffersFactory(TimeProvider time) : IMemoryPoolFactory<byte>
{
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new ReceiveBuffers(time);
}

/// <summary>
/// Blocks of 16 KiB where the server's own pool has 4 KiB: a webhook with a body of up to 15 KB arrives in one read, lies in one piece, is hashed in
/// one call and sent in one write. A connection holds a block only while bytes are under way, so what senders can make us hold is bounded by the
/// number of connections. Blocks go out in the reverse order of coming back: the newest is still in the processor's cache.
/// <para>
/// Renting and returning cost the same however many blocks there are. Letting go of those that nobody wants is a timer's work, on the thread pool and a few
/// at a time; it runs while there are any, so memory goes back after a burst even if not one byte arrives after it.
/// </para>
/// </summary>
internal sealed class ReceiveBuffers : MemoryPool<byte>
{
    public const int BlockSize = 16 * 1024;

    /// <summary>Blocks kept for later at most, 256 MiB; what is returned beyond that goes to the garbage collector.</summary>
    public const int MostIdle = 16 * 1024;

    /// <summary>Of the blocks that nobody wanted for so long, half are let go.</summary>
    public static readonly TimeSpan TrimEvery = TimeSpan.FromSeconds(10);

    /// <summary>Blocks let go while renting and returning wait: about a microsecond.</summary>
    private const int TrimAtOnce = 256;

    /// <summary>A ring, the block that was longest unused at <see cref="_first"/>.</summary>
    private readonly Block?[] _idle = new Block?[MostIdle];
    private readonly Lock _lock = new();
    private readonly ITimer _timer;
    private int _first;
    private int _count;
    private int _leastIdle;
    private bool _isTimed;

    public ReceiveBuffers(TimeProvider time) =>
        _timer = time.CreateTimer(static state => ((ReceiveBuffers)state!).Trim(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    public override int MaxBufferSize => BlockSize;

    /// <summary>Blocks kept for later.</summary>
    public int Idle => Volatile.Read(ref _count);

    /// <summary>A block of <see cref="BlockSize"/> bytes, whose contents are what its last user left.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="minBufferSize"/> is beyond <see cref="BlockSize"/>.</exception>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockSize);
        lock (_lock)
        {
            if (_count > 0)
            {
                ref var place = ref _idle[(_first + --_count) % MostIdle];
                var block = place!;
                place = null;
                block.IsOut = true;
                _leastIdle = Math.Min(_leastIdle, _count);
                return block;
            }

            _leastIdle = 0;
        }

        return new Block(this) { IsOut = true };
    }

    protected override void Dispose(bool disposing)
    {
        // Blocks that connections still hold come back to a pool that nobody rents from, and are collected with it.
        _timer.Dispose();
    }

    private void Return(Block block)
    {
        lock (_lock)
        {
            // Returned twice, it would be in two connections' hands.
            if (!block.IsOut)
            {
                return;
            }

            block.IsOut = false;
            if (_count < MostIdle)
            {
                _idle[(_first + _count++) % MostIdle] = block;
            }

            if (_isTimed)
            {
                return;
            }

            _isTimed = true;
        }

        _timer.Change(TrimEvery, Timeout.InfiniteTimeSpan);
    }

    /// <summary>After a burst of large bodies memory goes back by half each time, from the end that was longest unused.</summary>
    private void Trim()
    {
        int drop;
        lock (_lock)
        {
            drop = (_leastIdle + 1) / 2;
        }

        while (drop > 0)
        {
            lock (_lock)
            {
                // Others go on renting in between: no more than nobody has wanted up to now.
                var now = Math.Min(Math.Min(drop, TrimAtOnce), _leastIdle);
                for (var i = 0; i < now; i++)
                {
                    _idle[_first] = null;
                    _first = (_first + 1) % MostIdle;
                }

                _count -= now;
                _leastIdle -= now;
                drop = now == 0 ? 0 : drop - now;
            }
        }

        lock (_lock)
        {
            _leastIdle = _count;
            _isTimed = _count > 0;
        }

        if (Volatile.Read(ref _isTimed))
        {
            _timer.Change(TrimEvery, Timeout.InfiniteTimeSpan);
        }
    }

    private sealed class Block(ReceiveBuffers pool) : IMemoryOwner<byte>
    {
        // Pinned, so that the socket can be given its address without pinning it each time.
        public Memory<byte> Memory { get; } = MemoryMarshal.CreateFromPinnedArray(GC.AllocateUninitializedArray<byte>(BlockSize, pinned: true), 0, BlockSize);

        public bool IsOut { get; set; }

        public void Dispose() => pool.Return(this);
    }
}
