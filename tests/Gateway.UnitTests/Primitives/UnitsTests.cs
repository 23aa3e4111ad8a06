using FsCheck;
using FsCheck.Fluent;
using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.Primitives;

public class UnitsTests
{
    [Fact]
    public void A_duration_reads_back_as_it_was_written()
    {
        var ticks = Gen.OneOf(
            Gen.Choose(1, int.MaxValue).Select(i => (long)i),
            Gen.Choose(1, 3650 * 86_400 / 4).Select(i => i * TimeSpan.TicksPerSecond * 4),
            Gen.Choose(1, int.MaxValue).Select(i => i * 1_468_000L));

        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(1_000),
            Prop.ForAll(ticks.ToArbitrary(), t => Duration.Parse(new Duration(new(t)).ToString(), null).Value.Ticks == t));
    }

    [Fact]
    public void A_size_reads_back_as_it_was_written() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(1_000),
            Prop.ForAll(
                Gen.Choose(1, int.MaxValue).SelectMany(i => Gen.Choose(0, 9).Select(shift => (long)i << shift)).ToArbitrary(),
                bytes => ByteSize.TryParse(new ByteSize(bytes).ToString(), out var size) && size.Bytes == bytes));

    [Theory]
    [InlineData("250ms", 250)]
    [InlineData("8.5s", 8_500)]
    [InlineData("1.001s", 1_001)]
    [InlineData("5m", 300_000)]
    [InlineData("72h", 259_200_000)]
    [InlineData("7d", 604_800_000)]
    [InlineData("3650d", 315_360_000_000)]
    public void A_duration_is_a_number_and_a_unit(string text, long milliseconds) =>
        Assert.Equal(milliseconds * TimeSpan.TicksPerMillisecond, Duration.Parse(text, null).Value.Ticks);

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("5")]
    [InlineData("0s")]
    [InlineData("-1s")]
    [InlineData("+1s")]
    [InlineData(" 1s")]
    [InlineData("1 s")]
    [InlineData("1S")]
    [InlineData(".5s")]
    [InlineData("5.s")]
    [InlineData("1,5s")]
    [InlineData("1e3s")]
    [InlineData("3651d")]
    [InlineData("99999999999999999999999999999999999999d")]
    [InlineData("0.00001ms")]
    public void Anything_else_is_no_duration(string text) => Assert.False(Duration.TryParse(text, null, out _));

    [Theory]
    [InlineData("512B", 512)]
    [InlineData("64KiB", 65_536)]
    [InlineData("1MiB", 1_048_576)]
    [InlineData("2GiB", 2_147_483_648)]
    public void A_size_is_a_whole_number_and_a_unit(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out var size));
        Assert.Equal(bytes, size.Bytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("B")]
    [InlineData("0B")]
    [InlineData("-1B")]
    [InlineData("1.5MiB")]
    [InlineData("1MB")]
    [InlineData("1mib")]
    [InlineData("1 MiB")]
    [InlineData("9999999999999999999GiB")]
    public void Anything_else_is_no_size(string text) => Assert.False(ByteSize.TryParse(text, out _));
}
