using Microsoft.AspNetCore.Http.Features;

namespace WebhookEdge.Gate;

/// <summary>
/// Stands in for the request's lifetime while it is forwarded, so that the delivery hangs on the route's time and not on the sender's connection.
/// An abort is kept until <see cref="End"/>: YARP aborts when the upstream breaks off in its answer, and after an abort the server takes no
/// body back.
/// </summary>
internal sealed class ForwardLifetime : IHttpRequestLifetimeFeature
{
    private IHttpRequestLifetimeFeature? _server;
    private volatile bool _aborted;

    /// <summary>True while the request is being forwarded, and until <see cref="End"/>.</summary>
    public bool HasBegun => _server is not null;

    public CancellationToken RequestAborted { get; set; }

    public void Abort() => _aborted = true;

    public void Begin(IFeatureCollection features, CancellationToken routesTime)
    {
        _server = features.GetRequiredFeature<IHttpRequestLifetimeFeature>();
        _aborted = false;
        RequestAborted = routesTime;
        features.Set<IHttpRequestLifetimeFeature>(this);
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
        if (_aborted)
        {
            server.Abort();
        }
    }
}
