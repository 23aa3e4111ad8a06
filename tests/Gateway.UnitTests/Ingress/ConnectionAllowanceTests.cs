using WebhookEdge.Ingress;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Ingress;

public sealed class ConnectionAllowanceTests
{
    [Theory]
    [InlineData(null, null, 8192)]
    [InlineData(null, 1048576L, 8192)]
    [InlineData(null, 16704L, 8192)]
    [InlineData(null, 16702L, 8191)]
    [InlineData(null, 1024L, 352)]
    [InlineData(null, 320L, 16)]
    [InlineData(null, 3L, 16)]
    [InlineData("20000", 1048576L, 20000)]
    [InlineData("20000", 4096L, 1888)]
    [InlineData("10", 100L, 10)]
    [InlineData("10", 1048576L, 10)]
    [InlineData("2147483647", null, int.MaxValue)]
    public void It_is_what_is_asked_for_as_far_as_there_are_files(string? configured, long? openFiles, int most)
    {
        var allowance = ConnectionAllowance.For(configured, openFiles);

        Assert.Equal(most, allowance.Most);
        Assert.Equal(most < allowance.Wanted, allowance.Shortage is not null);
    }

    [Fact]
    public void A_shortage_names_the_setting_both_numbers_and_the_way_out() =>
        Assert.Equal(
            "Kestrel:Limits:MaxConcurrentConnections: 352 connections at once instead of 8192, because this process may have only 1024 files open; raise "
            + "that to 16704 (ulimit -n, LimitNOFILE=, --ulimit nofile=)",
            ConnectionAllowance.For(null, 1024).Shortage);

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("many")]
    [InlineData("")]
    [InlineData("8192.5")]
    [InlineData("2147483648")]
    public void What_is_no_number_of_connections_is_told(string configured) =>
        Assert.StartsWith($"Kestrel:Limits:MaxConcurrentConnections: \"{configured}\" is no number",
            Assert.Throws<FormatException>(() => ConnectionAllowance.For(configured, null)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("Limit                     Soft Limit           Hard Limit           Units     \nMax file locks            unlimited            unlimited   "
        + "         locks\nMax open files            1024                 524288               files     \n", 1024L)]
    [InlineData("Max open files            unlimited            unlimited            files\n", null)]
    [InlineData("Max file size             unlimited            unlimited            bytes\n", null)]
    [InlineData("Max open files\n", null)]
    [InlineData("", null)]
    public void The_table_of_limits_says_how_many_files(string table, long? openFiles)
    {
        using var folder = new TempDirectory();

        Assert.Equal(openFiles, ConnectionAllowance.ReadOpenFiles(folder.Write("limits", table)));
    }

    [Fact]
    public void Without_the_table_nothing_is_known() => Assert.Null(ConnectionAllowance.ReadOpenFiles("/nowhere/limits"));
}
