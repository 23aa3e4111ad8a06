using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using WebhookEdge.Ingress;

namespace WebhookEdge.UnitTests.Ingress;

public sealed class WholeInputTests
{
    private readonly Pipe _pipe = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline,
        useSynchronizationContext: false));
    private readonly WholeInput _input;

    public WholeInputTests() => _input = new(_pipe.Reader);

    [Fact]
    public async Task The_end_is_told_when_all_bytes_have_been_looked_at()
    {
        await _pipe.Writer.WriteAsync("headbody"u8.ToArray());
        await _pipe.Writer.CompleteAsync();

        var head = await _input.ReadAsync();
        Assert.Equal(("headbody", false), Of(head));
        _input.AdvanceTo(head.Buffer.GetPosition(4));

        var body = await _input.ReadAsync();
        Assert.Equal(("body", false), Of(body));
        _input.AdvanceTo(body.Buffer.GetPosition(2), body.Buffer.End);

        Assert.Equal(("dy", true), Of(body = await _input.ReadAsync()));
        _input.AdvanceTo(body.Buffer.End);
        Assert.Equal(("", true), Of(await _input.ReadAsync()));
    }

    [Fact]
    public async Task Bytes_consumed_to_the_last_are_followed_by_the_end_alone()
    {
        await _pipe.Writer.WriteAsync("all"u8.ToArray());
        await _pipe.Writer.CompleteAsync();

        var all = await _input.ReadAsync();
        Assert.Equal(("all", false), Of(all));
        _input.AdvanceTo(all.Buffer.End);

        Assert.Equal(("", true), Of(await _input.ReadAsync()));
    }

    [Fact]
    public async Task A_read_that_waits_hears_of_the_end_and_of_a_fault()
    {
        var waiting = _input.ReadAsync().AsTask();
        Assert.False(waiting.IsCompleted);
        await _pipe.Writer.CompleteAsync(new IOException("reset"));

        await Assert.ThrowsAsync<IOException>(() => waiting);
    }

    [Fact]
    public async Task Reads_that_wait_follow_one_another_and_each_is_awaited_once()
    {
        for (var i = 0; i < 100; i++)
        {
            var waiting = _input.ReadAsync();
            Assert.False(waiting.IsCompleted);
            await _pipe.Writer.WriteAsync(Encoding.ASCII.GetBytes($"bytes {i}"));

            var read = await waiting;
            Assert.Equal(($"bytes {i}", false), Of(read));
#pragma warning disable CA2012 // Awaiting it again is what is tried.
            await Assert.ThrowsAsync<InvalidOperationException>(async () => await waiting);
#pragma warning restore CA2012
            _input.AdvanceTo(read.Buffer.End);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_waits_goes_on_in_its_own_context(bool flows)
    {
        var local = new AsyncLocal<string> { Value = "the waiter's" };
        var seen = new TaskCompletionSource<string?>();
#pragma warning disable CA2012 // The two ways to wait are what is tried.
        var waiting = _input.ReadAsync().GetAwaiter();
#pragma warning restore CA2012
        Action goOn = () => seen.SetResult(local.Value);
        if (flows)
        {
            waiting.OnCompleted(goOn);
        }
        else
        {
            waiting.UnsafeOnCompleted(goOn);
        }

        local.Value = "the writer's";
        await Task.Run(async () => await _pipe.Writer.WriteAsync("x"u8.ToArray()));

        Assert.Equal(flows ? "the waiter's" : "the writer's", await seen.Task);
    }

    [Fact]
    public async Task The_end_of_bytes_in_several_segments_is_found_by_either_name_of_it()
    {
        for (var i = 0; i < 3; i++)
        {
            await _pipe.Writer.WriteAsync(new byte[4096]);
        }

        await _pipe.Writer.CompleteAsync();
        var read = await _input.ReadAsync();
        Assert.False(read.Buffer.IsSingleSegment);

        // The position of the last byte's end, counted from the start: not the same object as Buffer.End would need it to be.
        _input.AdvanceTo(read.Buffer.Start, read.Buffer.GetPosition(read.Buffer.Length));

        Assert.True((await _input.ReadAsync()).IsCompleted);
    }

    [Fact]
    public async Task Cancelling_a_read_is_told_with_and_without_an_end()
    {
        var waiting = _input.ReadAsync();
        _input.CancelPendingRead();
        Assert.True((await waiting).IsCanceled);
        _input.AdvanceTo(default, default);

        await _pipe.Writer.WriteAsync("x"u8.ToArray());
        await _pipe.Writer.CompleteAsync();
        _input.CancelPendingRead();
        Assert.True(_input.TryRead(out var read));
        Assert.True(read.IsCanceled);
        Assert.Equal(("x", false), Of(read));
    }

    private static (string Text, bool Ended) Of(ReadResult read) => (Encoding.ASCII.GetString(read.Buffer.ToArray()), read.IsCompleted);
}
