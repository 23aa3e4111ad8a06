using System.Diagnostics;
using Microsoft.Extensions.Primitives;

namespace WebhookEdge.Observability;

/// <summary>
/// Spans of requests that match a route. Off until an exporter is configured, and then a request pays for a null check. The sender's own trace context is not
/// continued but linked: whoever sends to a public endpoint must not choose our trace ids, nor which requests are recorded.
/// </summary>
internal sealed class RequestTracing : IDisposable
{
    public const string SourceName = "WebhookEdge";

    private ActivitySource? _source;

    public bool IsOn => _source is not null;

    public void TurnOn() => _source ??= new(SourceName);

    public void Dispose()
    {
        _source?.Dispose();
        _source = null;
    }

    /// <summary>Null when tracing is off or nobody samples.</summary>
    /// <param name="path">The route's path as configured, not what was asked for.</param>
    /// <param name="traceParent">The sender's header, whatever it holds.</param>
    public Activity? Start(string route, string? provider, string path, string method, StringValues traceParent)
    {
        if (_source is not { } source)
        {
            return null;
        }

        ActivityLink[]? links = traceParent.Count == 1 && ActivityContext.TryParse(traceParent[0], null, isRemote: true, out var sender) ? [new(sender)] : null;
        var outer = Activity.Current;
        var activity = source.StartActivity(ActivityKind.Server, parentContext: default, links: links,
            name: $"{(IsKnown(method) ? method : "_OTHER")} {path}");

        // Nothing below the gate is to become a child by itself: not the HTTP client, not Redis' background work.
        Activity.Current = outer;
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag("http.request.method", method);
            activity.SetTag("http.route", path);
            activity.SetTag("webhookedge.route", route);
            if (provider is not null)
            {
                activity.SetTag("webhookedge.provider", provider);
            }
        }

        return activity;
    }

    private static bool IsKnown(string method) =>
        HttpMethods.IsPost(method) || HttpMethods.IsGet(method) || HttpMethods.IsPut(method) || HttpMethods.IsPatch(method) || HttpMethods.IsHead(method);
}
