using WebhookEdge.Admin;
using WebhookEdge.Observability;

namespace WebhookEdge.UnitTests.Admin;

public sealed class RouteHealthTests
{
    [Fact]
    public void Nothing_is_grey_and_deliveries_alone_are_green()
    {
        Assert.Equal("grey", RouteHealth.Judge(default).Colour);
        Assert.Equal("green", RouteHealth.Judge(new() { Accepted = 1, Destinations = 2 }).Colour);
    }

    [Fact]
    public void Red_is_when_nothing_gets_through()
    {
        Assert.Equal("red", RouteHealth.Judge(new() { Failed = 1 }).Colour);
        Assert.Equal("yellow", RouteHealth.Judge(new() { Failed = 1, Accepted = 1 }).Colour);
        Assert.Equal("red", RouteHealth.Judge(new() { Lookalikes = 5 }).Colour);
        Assert.Equal("yellow", RouteHealth.Judge(new() { Lookalikes = 4 }).Colour);
        Assert.Equal("yellow", RouteHealth.Judge(new() { Lookalikes = 500, Accepted = 1 }).Colour);
        Assert.Equal("red", RouteHealth.Judge(new() { Accepted = 1, Destinations = 2, DestinationsDown = 2 }).Colour);
        Assert.Equal("yellow", RouteHealth.Judge(new() { Accepted = 1, Destinations = 2, DestinationsDown = 1 }).Colour);
        Assert.Equal("red", RouteHealth.Judge(new() { Accepted = 1, ListsNeverLoaded = ["aws"] }).Colour);
    }

    [Fact]
    public void Red_is_also_when_the_next_failure_makes_the_sender_give_up()
    {
        var attempts = new AttemptReading("r", "cr3dentials", 5, null, 0, 0, 0, 0, 0, 5);

        Assert.Equal("green", RouteHealth.Judge(new() { Accepted = 1, Attempts = attempts }).Colour);
        Assert.Equal(("red", "1 event one failed attempt from being given up"),
            First(RouteHealth.Judge(new() { Accepted = 1, Attempts = attempts with { NearLimit = 1 } })));
        Assert.Equal("green", RouteHealth.Judge(new() { Accepted = 1, Attempts = attempts with { InARow = 3 } }).Colour);
        Assert.Equal(("red", "4 failures in a row: the sender switches the webhook off after 5"),
            First(RouteHealth.Judge(new() { Accepted = 1, Attempts = attempts with { InARow = 4 } })));
        Assert.Equal("green", RouteHealth.Judge(new() { Accepted = 1, Attempts = attempts with { InARow = 40, SwitchesOffAfter = null } }).Colour);

        static (string, string) First(HealthView health) => (health.Colour, health.Why[0]);
    }

    [Fact]
    public void Yellow_is_what_somebody_should_look_at()
    {
        Assert.Equal("yellow", RouteHealth.Judge(new() { Accepted = 1, Observes = true }).Colour);
        Assert.Equal("yellow", RouteHealth.Judge(new() { Accepted = 1, ListsStale = ["aws"] }).Colour);
        Assert.Equal("yellow", RouteHealth.Judge(new() { Accepted = 1, StoreAway = true }).Colour);
        Assert.Equal("yellow", RouteHealth.Judge(new() { Accepted = 1, FromElsewhere = 1 }).Colour);
    }

    [Fact]
    public void The_worst_is_said_first()
    {
        var health = RouteHealth.Judge(new() { Failed = 3, Observes = true });

        Assert.Equal(["3 deliveries failed, none succeeded", "in observe mode: refusals are recorded, not enforced"], health.Why);
    }

    [Theory]
    [InlineData("http://127.0.0.1:9901", null, true)]
    [InlineData("http://localhost:9901;http://[::1]:9901", "", true)]
    [InlineData("http://127.1.2.3:0", null, true)]
    [InlineData("http://*:9901", null, false)]
    [InlineData("http://+:9901", null, false)]
    [InlineData("http://0.0.0.0:9901", null, false)]
    [InlineData("http://gateway:9901", null, false)]
    [InlineData("http://127.0.0.1:9901;http://0.0.0.0:9901", null, false)]
    [InlineData("", null, false)]
    [InlineData("http://*:9901", "0123456789abcdef", true)]
    [InlineData("http://*:9901", "0123456789abcde", false)]
    public void Beyond_loopback_a_token_is_needed(string url, string? token, bool good) => Assert.Equal(good, AdminAccess.Fault(url, token) is null);
}
