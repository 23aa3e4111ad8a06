using WebhookEdge.Gate;

namespace WebhookEdge.UnitTests.Gate;

/// <summary>The upload of a body, which the HTTP client may begin more than once and only the delivery ends for good.</summary>
public sealed class DeliverySendingTests
{
    [Fact]
    public async Task A_second_attempt_of_the_client_does_not_begin_ended()
    {
        var delivery = new Delivery();
        var first = delivery.BeginSending();
        await first.CancelAsync();
        delivery.Sending.End();

        Assert.False(delivery.BeginSending().IsCancellationRequested);
        delivery.Sending.End();
    }

    [Fact]
    public async Task What_the_delivery_has_ended_begins_ended_until_it_is_reset()
    {
        var delivery = new Delivery();
        delivery.BeginSending();
        await delivery.Sending.Stop();
        Assert.True(delivery.BeginSending().IsCancellationRequested);
        delivery.Sending.End();
        delivery.Sending.End();
        Assert.True(delivery.Sending.WhenDone().IsCompleted);

        delivery.Reset();

        Assert.False(delivery.BeginSending().IsCancellationRequested);
    }
}
