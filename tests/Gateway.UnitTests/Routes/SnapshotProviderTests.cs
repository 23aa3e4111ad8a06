using WebhookEdge.Routes;
using WebhookEdge.TestKit;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.UnitTests.Routes;

public sealed class SnapshotProviderTests
{
    private readonly TestClock _clock = new();

    [Fact]
    public async Task A_revision_that_the_proxy_never_speaks_of_is_given_up_and_the_next_one_can_be_published()
    {
        var provider = new SnapshotProvider();
        var publishing = provider.PublishAsync(Revision("one"), _clock, CancellationToken.None);
        await _clock.TimersArmed(1);
        _clock.Advance(SnapshotProvider.AppliedWithin - TimeSpan.FromSeconds(1));
        Assert.False(publishing.IsCompleted);
        _clock.Advance(TimeSpan.FromSeconds(2));

        var fault = await publishing.WaitAsync(TimeSpan.FromSeconds(10));

        Assert.IsType<TimeoutException>(fault);
        Assert.Contains("30 s", fault.Message, StringComparison.Ordinal);
        Assert.Equal("none", provider.Current.RevisionId);

        var next = Revision("two");
        var second = provider.PublishAsync(next, _clock, CancellationToken.None);
        ((IConfigChangeListener)provider).ConfigurationApplied([next]);
        Assert.Null(await second.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal("two", provider.Current.RevisionId);
    }

    private static GatewaySnapshot Revision(string id) => new()
    {
        RevisionId = id,
        Routes = [],
        Clusters = [],
        Policies = GatewaySnapshot.Empty.Policies,
        Summaries = [],
        Settings = new EdgeSettings(),
    };
}
