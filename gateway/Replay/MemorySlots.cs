using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

internal enum MemorySlotState : byte
{
    Free,
    Pending,
    Done,
}

/// <summary>64 bytes: a cache line. Links are slot numbers, -1 = none.</summary>
internal struct MemorySlot
{
    public EventKey Key;
    public long ExpiresAt;

    /// <summary>The owner while pending, the upstream's status when done.</summary>
    public ulong Value;
    public int NextInBucket;
    public int Older;
    public int Newer;
    public MemorySlotState State;
}

/// <summary>
/// Slots by number, in blocks that are allocated as they are needed. The traces stand beside the slots and not in them: these stay a cache line, and without
/// tracing there are none.
/// </summary>
internal sealed class MemorySlots(int capacity)
{
    // 1,024 slots are 64 KB: below the large object heap, and growing copies nothing.
    private const int BlockBits = 10;

    private MemorySlot[]?[] _blocks = new MemorySlot[]?[BlocksOf(capacity)];
    private TraceRef[]?[] _traces = new TraceRef[]?[BlocksOf(capacity)];

    public void SetCapacity(int value)
    {
        if (BlocksOf(value) > _blocks.Length)
        {
            Array.Resize(ref _blocks, BlocksOf(value));
            Array.Resize(ref _traces, BlocksOf(value));
        }
    }

    /// <summary>Makes the slot of a number that is used for the first time.</summary>
    /// <param name="capacity">Slots wanted in all: the last block is as long as that wants it, and longer when it has grown.</param>
    public void Allocate(int index, int capacity)
    {
        ref var block = ref _blocks[index >> BlockBits];
        if (block is null || block.Length <= (index & ((1 << BlockBits) - 1)))
        {
            Array.Resize(ref block, Math.Min(1 << BlockBits, capacity - (index & ~((1 << BlockBits) - 1))));
        }
    }

    public ref MemorySlot At(int index) => ref _blocks[index >> BlockBits]![index & ((1 << BlockBits) - 1)];

    public TraceRef TraceAt(int index) => _traces[index >> BlockBits] is { } block ? block[index & ((1 << BlockBits) - 1)] : default;

    public void SetTrace(int index, TraceRef trace)
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

    private static int BlocksOf(int capacity) => (int)(((long)capacity + (1 << BlockBits) - 1) >> BlockBits);
}
