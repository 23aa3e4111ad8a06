using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace WebhookEdge.Ingress;

/// <summary>Gives the server its receive buffers from <see cref="ReceiveBuffers"/>.</summary>
internal sealed class ReceiveBuffersFactory : IMemoryPoolFactory<byte>
{
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new ReceiveBuffers();
}

/// <summary>
/// Blocks of 16 KiB where the server's own pool has 4 KiB: a webhook with a body of up to 15 KB arrives in one read, lies in one piece, is hashed in
/// one call and sent in one write. A connection holds a block only while bytes are under way, so what senders can make us hold is bounded by the
/// number of connections. Blocks go out in the reverse order of coming back: the newest is still in the processor's cache.
/// </summary>
internal sealed class ReceiveBuffers : MemoryPool<byte>
{
    public const int BlockSize = 16 * 1024;

    /// <summary>Blocks kept for later, 16 MiB; what is returned beyond that goes to the garbage collector.</summary>
    private const int MostIdle = 1024;

    private readonly Block[] _idle = new Block[MostIdle];
    private readonly Lock _lock = new();
    private int _count;

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
                return block;
            }
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
            }
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
