using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using WebhookEdge.Observability;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Hosting;

/// <summary>
/// Counts what the server refuses before there is a route (two Content-Lengths, bare LF, a head too large): without it a flood of such requests is in no
/// metric. The server tells of them through the diagnostic listener that ASP.NET Core has; of everything else told there the predicate wants nothing.
/// </summary>
internal sealed class UnroutedRequests(RequestMetrics metrics, TimeProvider time) : IObserver<KeyValuePair<string, object?>>
{
    private const string BadRequest = "Microsoft.AspNetCore.Server.Kestrel.BadRequest";

    /// <summary>Begins to count, for as long as <paramref name="services"/> live.</summary>
    public static void Watch(IServiceProvider services) =>
        services.GetRequiredService<DiagnosticListener>()
        .Subscribe(new UnroutedRequests(services.GetRequiredService<GatewayMetrics>().Requests, services.GetRequiredService<TimeProvider>()),
        static name => name == BadRequest);

    public void OnNext(KeyValuePair<string, object?> value)
    {
        // A body that breaks off is noticed by the server too, after the gate has answered and counted.
        if (value.Value is IFeatureCollection features && features.Get<IEndpointFeature>()?.Endpoint is null)
        {
            metrics.Unrouted.Refused(time.GetTimestamp(), TimeSpan.Zero, RejectReason.RequestMalformed, upstreamStatus: 0);
        }
    }

    public void OnCompleted()
    {
    }

    public void OnError(Exception error)
    {
    }
}
