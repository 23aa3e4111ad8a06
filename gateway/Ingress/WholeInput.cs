using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace WebhookEdge.Ingress;

/// <summary>
/// The bytes of a connection, whose end is told when all of them have been looked at, and not together with some of them. The server refuses a body of a
/// declared length as cut off when it hears of the end in the moment in which it gets the last bytes, whether or not they are all there.
/// </summary>
internal sealed class WholeInput(PipeReader inner) : PipeReader
{
    private bool _ended;
    private bool _lookedAtAll;
    private ReadOnlySequence<byte> _buffer;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var pending = inner.ReadAsync(cancellationToken);
        return pending.IsCompletedSuccessfully ? new(Tell(pending.Result)) : WaitAsync(pending);
    }

    public override bool TryRead(out ReadResult result)
    {
        var read = inner.TryRead(out result);
        result = read ? Tell(result) : result;
        return read;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_ended)
        {
            // Compared by distance: one place has two names where two segments meet.
            _lookedAtAll = _buffer.IsEmpty || _buffer.GetOffset(examined) == _buffer.GetOffset(_buffer.End);
            _buffer = default;
        }

        inner.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> pending) => Tell(await pending.ConfigureAwait(false));

    private ReadResult Tell(ReadResult result)
    {
        if (!result.IsCompleted)
        {
            return result;
        }

        _ended = true;
        _buffer = result.Buffer;
        return _buffer.IsEmpty || _lookedAtAll ? result : new(result.Buffer, result.IsCanceled, isCompleted: false);
    }
}
