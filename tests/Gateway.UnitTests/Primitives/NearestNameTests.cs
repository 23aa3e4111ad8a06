using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.Primitives;

public class NearestNameTests
{
    private static readonly string[] Known = ["verify", "allow", "replay", "rateLimit", "maxBody", "timeout", "secrets"];

    [Theory]
    [InlineData("verfy", "verify")]
    [InlineData("Allow", "allow")]
    [InlineData("allowList", "allow")]
    [InlineData("secret", "secrets")]
    [InlineData("ratelimit", "rateLimit")]
    [InlineData("tiemout", "timeout")]
    public void Finds_what_was_meant(string written, string meant) => Assert.Equal(meant, NearestName.Of(written, Known));

    [Theory]
    [InlineData("")]
    [InlineData("upstream")]
    [InlineData("x")]
    public void Guesses_nothing_when_nothing_is_near(string written) => Assert.Null(NearestName.Of(written, Known));

    [Fact]
    public void Does_not_compare_novels() => Assert.Null(NearestName.Of(new string('a', 100_000), [new string('a', 100_000)]));

    [Fact]
    public void Lists_the_known_names_when_they_are_few()
    {
        Assert.Equal("known: open, closed", NearestName.Hint("forward", ["open", "closed"]));
        Assert.Null(NearestName.Hint("forward", [.. Enumerable.Range(0, 50).Select(i => $"name{i}")]));
    }
}
