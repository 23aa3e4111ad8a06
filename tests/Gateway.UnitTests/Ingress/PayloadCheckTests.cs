using System.Buffers;
using System.IO.Pipelines;
using WebhookEdge.Gate;
using WebhookEdge.Ingress;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Ingress;

public sealed class PayloadCheckTests
{
    private readonly TestClock _clock = new();

    public static TheoryData<string, string> Endings => new()
    {
        { "reset", nameof(RejectReason.BodyIncomplete) },
        { "aborted", nameof(RejectReason.BodyIncomplete) },
        { "other length", nameof(RejectReason.RequestMalformed) },
    };

    /// <summary>The server's reader refuses every call once the request is aborted. Out of a timer's callback that would end the process.</summary>
    [Fact]
    public async Task A_deadline_that_passes_as_the_sender_leaves_throws_nothing_out_of_the_timer()
    {
        var reader = new Reader();
        var verdict = Check(reader).AsTask();
        reader.RefusesCalls = true;

        _clock.Advance(PayloadCheck.BodyDeadline);
        reader.End(new IOException("The client reset the request stream."));

        Assert.Equal(RejectReason.BodyIncomplete, (await Deadline.WaitAsync(verdict, "the verdict")).Reason);
        Assert.Equal(1, reader.Cancelled);
    }

    [Theory]
    [MemberData(nameof(Endings))]
    public async Task A_read_that_throws_is_a_refusal_whether_it_throws_at_once_or_later(string ending, string reason)
    {
        Exception exception = ending switch
        {
            "reset" => new IOException("The client reset the request stream."),
            "aborted" => new TaskCanceledException("The request was aborted"),
            _ => new IOException("more", new Http2StreamErrorException()),
        };
        var atOnce = new Reader { ThrowsAtOnce = exception };
        Assert.Equal(reason, (await Check(atOnce)).Reason.ToString());

        var later = new Reader();
        var verdict = Check(later).AsTask();
        later.End(exception);
        Assert.Equal(reason, (await Deadline.WaitAsync(verdict, "the verdict")).Reason.ToString());
    }

    /// <summary>Over HTTP/2 one request's fault ends the connection with all others: found by fuzzing, told as a failed check with a stack trace.</summary>
    [Fact]
    public async Task A_connection_that_ends_as_a_complete_body_is_looked_at_is_the_senders_fault_and_no_failed_check()
    {
        var reader = new Reader { Whole = "{}"u8.ToArray() };
        var delivery = Open(reader);
        delivery.SharesConnection = true;

        var verdict = await new PayloadCheck(new Capacity(_clock), _clock).CheckAsync(delivery, CancellationToken.None);

        Assert.Equal((RejectReason.BodyIncomplete, true), (verdict.Reason, delivery.BodyBroken));
    }

    [Fact]
    public async Task A_server_that_is_about_to_stop_and_ends_a_read_does_not_cut_off_the_body_that_is_arriving()
    {
        var pipe = new Pipe();
        await pipe.Writer.WriteAsync("{\"a\""u8.ToArray());
        var verdict = Check(pipe.Reader).AsTask();

        pipe.Reader.CancelPendingRead();
        await pipe.Writer.WriteAsync(":1}"u8.ToArray());
        await pipe.Writer.CompleteAsync();

        Assert.True((await Deadline.WaitAsync(verdict, "the verdict")).Passed);
    }

    private static Delivery Open(PipeReader reader)
    {
        var delivery = new Delivery();
        delivery.Open(RoutePolicy.None with { BodyLimit = 1000 }, "POST", "/", default, Delivery.EmptyHeaders, 1000, reader);
        return delivery;
    }

    private ValueTask<Verdict> Check(PipeReader reader) => new PayloadCheck(new Capacity(_clock), _clock).CheckAsync(Open(reader), CancellationToken.None);

    /// <summary>Named as the server's own, which is not public.</summary>
    private sealed class Http2StreamErrorException : Exception;

    private sealed class Reader : PipeReader
    {
        private readonly TaskCompletionSource<ReadResult> _read = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Exception? ThrowsAtOnce { get; init; }

        /// <summary>Arrives whole, and the connection ends before it is looked at a second time.</summary>
        public byte[]? Whole { get; init; }

        public bool RefusesCalls { get; set; }

        public int Cancelled { get; private set; }

        public void End(Exception exception) => _read.SetException(exception);

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => 
            ThrowsAtOnce is { } e ? throw e
            : Whole is { } body ? new(new ReadResult(new(body), isCanceled: false, isCompleted: true))
            : new(_read.Task);

        public override void CancelPendingRead()
        {
            Cancelled++;
            if (RefusesCalls)
            {
                throw new TaskCanceledException();
            }
        }

        public override void AdvanceTo(SequencePosition consumed)
        {
            if (Whole is null)
            {
                throw new InvalidOperationException("No reading operation to complete.");
            }
        }

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => AdvanceTo(consumed);

        public override void Complete(Exception? exception = null)
        {
        }

        public override bool TryRead(out ReadResult result)
        {
            result = default;
            return Whole is null ? false : throw new IOException("The request stream was aborted.");
        }
    }
}
