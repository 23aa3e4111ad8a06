using Microsoft.Extensions.Primitives;
using WebhookEdge.Ingress;

namespace WebhookEdge.UnitTests.Ingress;

public sealed class ContentCodingsTests
{
    [Theory]
    [InlineData("", null)]
    [InlineData("identity", null)]
    [InlineData(" IDENTITY ,, identity", null)]
    [InlineData("gzip", null)]
    [InlineData("X-GZIP", null)]
    [InlineData("gzip, identity, gzip", null)]
    [InlineData("br", "br")]
    [InlineData("gzip, BR", "br")]
    [InlineData("x-compress", "compress")]
    [InlineData("x-br", "x-br")]
    [InlineData("exi", "exi")]
    [InlineData("gzip, exi", "what is the name of no coding")]
    [InlineData("gzip exi", "what is the name of no coding")]
    [InlineData("a\nb", "what is the name of no coding")]
    public void The_first_coding_that_is_not_allowed_is_named(string line, string? expected) =>
        Assert.Equal(expected, ContentCodings.RefusedOf(line, ["gzip"]));

    [Fact]
    public void Several_lines_are_one_list() => Assert.Equal("br", ContentCodings.RefusedOf(new StringValues(["identity", "gzip", "br"]), ["gzip"]));

    [Fact]
    public void Nothing_is_allocated_for_it()
    {
        StringValues value = new(["identity, gzip", "some-unknown-coding"]);
        ContentCodings.RefusedOf(value, ["gzip"]);
        System.Collections.Immutable.ImmutableArray<string> allowed = ["gzip"];
        var before = GC.GetAllocatedBytesForCurrentThread();

        var named = ContentCodings.RefusedOf(value, allowed);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal("some-unknown-coding", named);
    }
}
