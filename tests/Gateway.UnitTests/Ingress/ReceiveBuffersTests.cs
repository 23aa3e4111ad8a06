using WebhookEdge.Ingress;

namespace WebhookEdge.UnitTests.Ingress;

public class ReceiveBuffersTests
{
    [Fact]
    public void Gives_blocks_of_16_KiB_whatever_smaller_size_is_asked_for()
    {
        using var buffers = new ReceiveBuffers();

        using var block = buffers.Rent(2048);

        Assert.Equal(16 * 1024, block.Memory.Length);
        Assert.Equal(16 * 1024, buffers.MaxBufferSize);
        Assert.Throws<ArgumentOutOfRangeException>(() => buffers.Rent((16 * 1024) + 1));
    }

    [Fact]
    public void Gives_out_the_newest_returned_block_first_and_none_twice()
    {
        using var buffers = new ReceiveBuffers();
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
        using var buffers = new ReceiveBuffers();
        var block = buffers.Rent();

        block.Dispose();
        block.Dispose();

        Assert.Same(block, buffers.Rent());
        Assert.NotSame(block, buffers.Rent());
    }

    [Fact]
    public void Threads_that_rent_and_return_never_hold_the_same_block()
    {
        using var buffers = new ReceiveBuffers();

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
    public void Keeps_no_more_than_its_bound_of_idle_blocks()
    {
        using var buffers = new ReceiveBuffers();
        var rented = Enumerable.Range(0, 1100).Select(_ => buffers.Rent()).ToList();
        foreach (var block in rented)
        {
            block.Dispose();
        }

        var known = rented.ToHashSet();
        var reused = Enumerable.Range(0, 1100).Count(_ => known.Contains(buffers.Rent()));

        Assert.Equal(1024, reused);
    }
}
