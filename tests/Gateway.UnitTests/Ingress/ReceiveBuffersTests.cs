using WebhookEdge.Ingress;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Ingress;

public class ReceiveBuffersTests
{
    private readonly TestClock _clock = new();

    [Fact]
    public void Gives_blocks_of_16_KiB_whatever_smaller_size_is_asked_for()
    {
        using var buffers = new ReceiveBuffers(_clock);

        using var block = buffers.Rent(2048);

        Assert.Equal(16 * 1024, block.Memory.Length);
        Assert.Equal(16 * 1024, buffers.MaxBufferSize);
        Assert.Throws<ArgumentOutOfRangeException>(() => buffers.Rent((16 * 1024) + 1));
    }

    [Fact]
    public void Gives_out_the_newest_returned_block_first_and_none_twice()
    {
        using var buffers = new ReceiveBuffers(_clock);
        var first = buffers.Rent();
        var second = buffers.Rent();
        Assert.NotSame(first, second);

        first.Dispose();
        second.Dispose();

        Assert.Same(second, buffers.Rent());
        Assert.Same(first, buffers.Rent());
    }

    [Fact]
    public void A_block_returned_twice_is_given_to_one_user()
    {
        using var buffers = new ReceiveBuffers(_clock);
        var block = buffers.Rent();

        block.Dispose();
        block.Dispose();

        Assert.Same(block, buffers.Rent());
        Assert.NotSame(block, buffers.Rent());
    }

    [Fact]
    public void Threads_that_rent_and_return_never_hold_the_same_block()
    {
        using var buffers = new ReceiveBuffers(_clock);

        Parallel.For(0, 8, worker =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                var block = buffers.Rent();
                block.Memory.Span[0] = (byte)worker;
                Thread.Yield();
                Assert.Equal((byte)worker, block.Memory.Span[0]);
                block.Dispose();
            }
        });
    }

    [Fact]
    public void After_a_burst_blocks_that_nobody_wants_are_let_go_by_half()
    {
        using var buffers = new ReceiveBuffers(_clock);
        var burst = Enumerable.Range(0, 1000).Select(_ => buffers.Rent()).ToList();
        burst.ForEach(static block => block.Dispose());
        var known = burst.ToHashSet();

        for (var minute = 0; minute < 4; minute++)
        {
            _clock.Advance(ReceiveBuffers.TrimEvery);
            for (var i = 0; i < 64; i++)
            {
                buffers.Rent().Dispose();
            }
        }

        var kept = Enumerable.Range(0, 1000).Count(_ => known.Contains(buffers.Rent()));
        Assert.InRange(kept, 60, 260);
    }

    [Fact]
    public void After_a_burst_memory_goes_back_although_nothing_is_rented_or_returned_any_more()
    {
        using var buffers = new ReceiveBuffers(_clock);
        var burst = Enumerable.Range(0, 1000).Select(_ => buffers.Rent()).ToList();
        burst.ForEach(static block => block.Dispose());
        Assert.Equal(1000, buffers.Idle);

        _clock.Advance(ReceiveBuffers.TrimEvery * 4);
        Assert.InRange(buffers.Idle, 100, 150);
        _clock.Advance(ReceiveBuffers.TrimEvery * 10);
        Assert.Equal(0, buffers.Idle);

        // And it begins anew with the next burst.
        buffers.Rent().Dispose();
        Assert.Equal(1, buffers.Idle);
        _clock.Advance(ReceiveBuffers.TrimEvery * 2);
        Assert.Equal(0, buffers.Idle);
    }

    [Fact]
    public void Blocks_let_go_while_others_rent_and_return_are_nobodys()
    {
        using var buffers = new ReceiveBuffers(_clock);
        var burst = Enumerable.Range(0, 5000).Select(_ => buffers.Rent()).ToList();
        burst.ForEach(static block => block.Dispose());

        Parallel.For(0, 4, worker =>
        {
            for (var i = 0; i < 2_000; i++)
            {
                if (worker == 0)
                {
                    _clock.Advance(TimeSpan.FromSeconds(1));
                    continue;
                }

                var block = buffers.Rent();
                block.Memory.Span[0] = (byte)worker;
                Thread.Yield();
                Assert.Equal((byte)worker, block.Memory.Span[0]);
                block.Dispose();
            }
        });

        Assert.InRange(buffers.Idle, 0, 5000);
    }

    [Fact]
    public void What_is_in_use_all_the_time_is_kept()
    {
        using var buffers = new ReceiveBuffers(_clock);
        var first = Enumerable.Range(0, 100).Select(_ => buffers.Rent()).ToHashSet();
        foreach (var block in first)
        {
            block.Dispose();
        }

        for (var round = 0; round < 10; round++)
        {
            _clock.Advance(ReceiveBuffers.TrimEvery);
            var again = Enumerable.Range(0, 100).Select(_ => buffers.Rent()).ToList();
            Assert.True(round == 0 || first.IsSupersetOf(again));
            again.ForEach(static block => block.Dispose());
        }
    }
}
