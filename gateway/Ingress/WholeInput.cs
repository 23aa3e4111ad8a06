using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Tasks.Sources;

namespace WebhookEdge.Ingress;

/// <summary>
/// The bytes of a connection, whose end is told when all of them have been looked at, and not together with some of them. The server refuses a body of a
/// declared length as cut off when it hears of the end in the moment in which it gets the last bytes, whether or not they are all there.
/// </summary>
internal sealed class WholeInput(PipeReader inner) : PipeReader, IValueTaskSource<ReadResult>
{
    private bool _ended;
    private bool _lookedAtAll;
    private ReadOnlySequence<byte> _buffer;

    // A read that has to wait, and who waits for it: every request begins with one, so it costs no state machine of its own. A pipe has one read at a time.
    private ValueTask<ReadResult> _pending;
    private short _read;
    private Action? _arrived;
    private Action<object?>? _continuation;
    private object? _state;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var pending = inner.ReadAsync(cancellationToken);
        if (pending.IsCompletedSuccessfully)
        {
            return new(Tell(pending.Result));
        }

        _pending = pending;
        return new(this, ++_read);
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

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token)
    {
#pragma warning disable CA2012 // It has completed: a source is asked for its result only then.
        var pending = Pending(token);
        _pending = default;
        _read++;
        return Tell(pending.GetAwaiter().GetResult());
#pragma warning restore CA2012
    }

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => Pending(token) switch
    {
        { IsCompleted: false } => ValueTaskSourceStatus.Pending,
        { IsCompletedSuccessfully: true } => ValueTaskSourceStatus.Succeeded,
        { IsCanceled: true } => ValueTaskSourceStatus.Canceled,
        _ => ValueTaskSourceStatus.Faulted,
    };

    void IValueTaskSource<ReadResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        var pending = Pending(token);
        (_continuation, _state) = (continuation, state);
        _arrived ??= Arrived;
        var wait = pending.ConfigureAwait(flags.HasFlag(ValueTaskSourceOnCompletedFlags.UseSchedulingContext)).GetAwaiter();
        if (flags.HasFlag(ValueTaskSourceOnCompletedFlags.FlowExecutionContext))
        {
            wait.OnCompleted(_arrived);
        }
        else
        {
            wait.UnsafeOnCompleted(_arrived);
        }
    }

    private ValueTask<ReadResult> Pending(short token) => token == _read ? _pending : throw new InvalidOperationException("this read has been awaited already");

    private void Arrived()
    {
        var (continuation, state) = (_continuation!, _state);
        (_continuation, _state) = (null, null);
        continuation(state);
    }

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
