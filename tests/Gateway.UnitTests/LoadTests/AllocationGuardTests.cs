using WebhookEdge.LoadTests;

namespace WebhookEdge.UnitTests.LoadTests;

/// <summary>What a request costs in bytes of our own, in every test run: bytes are the same on a busy machine, seconds are not.</summary>
public sealed class AllocationGuardTests
{
#if DEBUG
    [Fact(Skip = "in a Debug build every async method makes an object of its state; the product is a Release build")]
#else
    [Fact]
#endif
    public void No_path_of_the_gate_allocates_more_than_its_bound()
    {
        var rows = AllocationCheck.Run();

        Assert.Contains(rows, row => row.Path == "gate, forwarded, 600 B");
        Assert.Empty(rows.Where(row => !row.Holds).Select(row => $"{row.Path}: {row.Bytes:F1} B a request, at most {row.Bound}"));
    }
}
