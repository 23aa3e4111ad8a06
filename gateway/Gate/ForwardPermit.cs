using Microsoft.AspNetCore.Http.Features;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>
/// Left on a request when the gate said yes, in the place of the request's lifetime: from here on the delivery hangs on the route's time and not on the
/// sender's connection. Forwarding refuses to send a request without it, so a pipeline that was put together without the gate forwards nothing. Only a
/// delivery has one. One object for all of it: each feature that is set makes the server's context forget those it has looked up.
/// <para>
/// It also says that the request has no body, which is true by then: the gate has read it, and what is forwarded are the verified bytes. YARP would read the
/// sender's body otherwise.
/// </para>
/// <para>
/// An abort is kept until <see cref="End"/>: YARP aborts when the upstream breaks off in its answer, and after an abort the server takes no body back.
/// </para>
/// </summary>
internal sealed class ForwardPermit : IHttpRequestLifetimeFeature, IHttpRequestBodyDetectionFeature
{
    private IHttpRequestLifetimeFeature? _server;
    private IHttpRequestBodyDetectionFeature? _serversDetection;
    private volatile bool _aborted;

    internal ForwardPermit(Delivery delivery) => Delivery = delivery;

    public Delivery Delivery { get; }

    /// <summary>What forwarding came to: passed when the upstream's answer is on its way to the sender. Refuses until whoever forwards has said so.</summary>
    public Verdict Result { get; set; }

    /// <summary>True while the request is being forwarded, and until <see cref="End"/>.</summary>
    public bool HasBegun => _server is not null;

    public CancellationToken RequestAborted { get; set; }

    public bool CanHaveBody => false;

    public void Abort() => _aborted = true;

    /// <summary>The delivery the gate has admitted; null for a request it has not.</summary>
    public static Delivery? Of(IFeatureCollection features) => (features.Get<IHttpRequestLifetimeFeature>() as ForwardPermit)?.Delivery;

    public void Begin(IFeatureCollection features, CancellationToken routesTime)
    {
        _server = features.GetRequiredFeature<IHttpRequestLifetimeFeature>();
        _aborted = false;
        Result = default;
        RequestAborted = routesTime;
        _serversDetection = features.Get<IHttpRequestBodyDetectionFeature>();
        features.Set<IHttpRequestLifetimeFeature>(this);
        features.Set<IHttpRequestBodyDetectionFeature>(this);
    }

    /// <summary>Gives the server its own back, and the abort if there was one. Nothing happens when the request was never forwarded.</summary>
    public void End(IFeatureCollection features)
    {
        if (_server is not { } server)
        {
            return;
        }

        _server = null;
        RequestAborted = default;
        features.Set(server);
        features.Set(_serversDetection);
        _serversDetection = null;
        if (_aborted)
        {
            server.Abort();
        }
    }
}
