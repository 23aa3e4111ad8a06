using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Ingress;

/// <summary>
/// Around everything else, routing included: refuses what has no valid host before anybody reads it, and lets no exception out to the server, which would
/// log each one in full.
/// </summary>
internal sealed class OutermostStep(RequestDelegate next, VerdictWriter writer, LastResort lastResort, TimeProvider time)
{
    private static readonly Endpoint s_refused = new(null, EndpointMetadataCollection.Empty, "refused");

    // Senders call us by a few names; the last one that was found valid needs no second look.
    private string _valid = "";

    public Task InvokeAsync(HttpContext context) =>
        HttpProtocol.IsHttp2(context.Request.Protocol) && context.Features.Get<ConnectionPlace>() is { } place ? OverHttp2Async(context, place)
        : AnswerAsync(context);

    private async Task OverHttp2Async(HttpContext context, ConnectionPlace place)
    {
        place.RequestBegins();
        try
        {
            await AnswerAsync(context);
        }
        finally
        {
            place.RequestEnds();
        }
    }

    private Task AnswerAsync(HttpContext context)
    {
        Task rest;
        try
        {
            rest = IsValid(context.Request.Headers.Host.ToString()) ? next(context) : RefuseAsync(context);
        }
        catch (Exception e)
        {
            return lastResort.AnswerAsync(context, null, e, startedAt: null);
        }

        // To await costs an allocation, and a delivery under way needs none: the gate catches as much as this does.
        return rest.IsCompletedSuccessfully || (!rest.IsCompleted && context.GetEndpoint()?.Metadata.GetMetadata<RoutePolicy>() is not null)
            ? rest
            : AwaitAsync(context, rest);
    }

    private bool IsValid(string host)
    {
        if (host == _valid)
        {
            return true;
        }

        if (!HostText.IsValid(host))
        {
            return false;
        }

        _valid = host;
        return true;
    }

    private Task RefuseAsync(HttpContext context)
    {
        // Should its body be broken too, the server tells of that: this request is counted by then.
        context.SetEndpoint(s_refused);
        return writer.RejectAsync(context, null, Verdict.Reject(RejectReason.RequestMalformed, "no valid Host"), time.GetTimestamp());
    }

    private async Task AwaitAsync(HttpContext context, Task rest)
    {
        try
        {
            await rest;
        }
        catch (Exception e)
        {
            await lastResort.AnswerAsync(context, null, e, startedAt: null);
        }
    }
}
