using Yarp.ReverseProxy.Forwarder;

namespace WebhookEdge.Forwarding;

/// <summary>
/// YARP's last step, and the gateway's word in it: nothing is sent that the gate has not admitted, and what is sent has the body that was verified.
/// Sending itself is YARP's.
/// </summary>
internal sealed class WebhookForwarder(IHttpForwarder yarp) : IHttpForwarder
{
    public ValueTask<ForwarderError> SendAsync(
        HttpContext context, string destinationPrefix, HttpMessageInvoker httpClient, ForwarderRequestConfig requestConfig, HttpTransformer transformer) =>
        SendAsync(context, destinationPrefix, httpClient, requestConfig, transformer, CancellationToken.None);

    /// <exception cref="InvalidOperationException">The request was not admitted by the gate.</exception>
    public ValueTask<ForwarderError> SendAsync(
        HttpContext context, string destinationPrefix, HttpMessageInvoker httpClient, ForwarderRequestConfig requestConfig, HttpTransformer transformer,
        CancellationToken cancellationToken)
    {
        var outgoing = OutgoingRequest.Of(context) ?? throw new InvalidOperationException("the request was not admitted by the gate and is not forwarded");
        return yarp.SendAsync(context, destinationPrefix, outgoing.Over(httpClient), requestConfig, transformer, cancellationToken);
    }
}
