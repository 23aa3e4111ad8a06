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
/// </summary>
internal sealed class ReceiveBuffers(TimeProvider time) : MemoryPool<byte>
{
    public const int BlockSize = 16 * 1024;

    /// <summary>Blocks kept for later at most, 256 MiB; what is returned beyond that goes to the garbage collector.</summary>
    public const int MostIdle = 16 * 1024;

    /// <summary>Of the blocks that nobody wanted for so long, half are let go.</summary>
    public static readonly TimeSpan TrimEvery = TimeSpan.FromSeconds(10);

    /// <summary>Returns after which the clock is looked at.</summary>
    private const int LookEvery = 64;

    private readonly Block[] _idle = new Block[MostIdle];
    private readonly Lock _lock = new();
    private int _count;
    private int _leastIdle;
    private int _returns;
    private long _trimmedAt = time.GetTimestamp();

    public override int MaxBufferSize => BlockSize;

    /// <summary>A block of <see cref="BlockSize"/> bytes, whose contents are what its last user left.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="minBufferSize"/> is beyond <see cref="BlockSize"/>.</exception>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockSize);
        lock (_lock)
        {
            if (_count > 0)
            {
                var block = _idle[--_count];
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
    }

    private void Return(Block block)
    {
        lock (_lock)
        {
            // Returned twice, it would be in two connections' hands.
            if (block.IsOut)
            {
                block.IsOut = false;
                if (_count < MostIdle)
                {
                    _idle[_count++] = block;
                }

                if (++_returns % LookEvery == 0 && time.GetElapsedTime(_trimmedAt) >= TrimEvery)
                {
                    Trim();
                }
            }
        }
    }

    /// <summary>After a burst of large bodies memory goes back by half each time, from the end that was longest unused. Under the lock.</summary>
    private void Trim()
    {
        var drop = (_leastIdle + 1) / 2;
        Array.Copy(_idle, drop, _idle, 0, _count - drop);
        Array.Clear(_idle, _count - drop, drop);
        _count -= drop;
        _leastIdle = _count;
        _trimmedAt = time.GetTimestamp();
    }

    private sealed class Block(ReceiveBuffers pool) : IMemoryOwner<byte>
    {
        // Pinned, so that the socket can be given its address without pinning it each time.
        public Memory<byte> Memory { get; } = MemoryMarshal.CreateFromPinnedArray(GC.AllocateUninitializedArray<byte>(BlockSize, pinned: true), 0, BlockSize);

        public bool IsOut { get; set; }

        public void Dispose() => pool.Return(this);
    }
}
