using System.Buffers;

namespace WebhookEdge.TestKit;

/// <summary>Bytes that lie in several pieces, as a server's buffers hold what did not come at once.</summary>
internal static class Segments
{
    /// <summary>A sequence of segments that end at <paramref name="cuts"/>.</summary>
    public static ReadOnlySequence<byte> Cut(byte[] bytes, params IEnumerable<int> cuts)
    {
        Segment? first = null;
        Segment? last = null;
        var from = 0;
        foreach (var to in cuts.Where(cut => cut >= 0 && cut < bytes.Length).Append(bytes.Length).Order())
        {
            last = new(bytes.AsMemory(from, to - from), last);
            first ??= last;
            from = to;
        }

        return new(first!, 0, last!, last!.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? before)
        {
            Memory = memory;
            if (before is not null)
            {
                RunningIndex = before.RunningIndex + before.Memory.Length;
                before.Next = this;
            }
        }
    }
}
