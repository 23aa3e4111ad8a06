namespace WebhookEdge.Gate;

/// <summary>
/// Left on a request when the gate said yes. Forwarding refuses to send a request without it, so a pipeline that was put together
/// without the gate forwards nothing. Only a delivery has one.
/// </summary>
internal sealed class Admission
{
    internal Admission(Delivery delivery) => Delivery = delivery;

    public Delivery Delivery { get; }
}
