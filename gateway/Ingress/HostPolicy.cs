using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.Ingress;

/// <summary>
/// Chooses among routes of one path by their <c>hosts</c>. In the place of routing's own policy, which asks for the decoded name of each request and throws
/// at a name that cannot be decoded (<c>xn--.example</c>), before any code of the gateway's runs.
/// </summary>
internal sealed class HostPolicy : MatcherPolicy, IEndpointSelectorPolicy
{
    // As the framework's: after methods, before everything that says nothing.
    public override int Order => -100;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints)
    {
        foreach (var endpoint in endpoints)
        {
            if (endpoint.Metadata.GetMetadata<RoutePolicy>() is { Hosts.IsEmpty: false })
            {
                return true;
            }
        }

        return false;
    }

    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        var name = HostText.Split(httpContext.Request.Headers.Host.ToString(), out var written);
        var port = written ?? (httpContext.Request.IsHttps ? 443 : 80);
        var best = -1;
        var bestRank = 0;
        for (var i = 0; i < candidates.Count; i++)
        {
            if (!candidates.IsValidCandidate(i))
            {
                continue;
            }

            if (!TryRank(candidates[i].Endpoint, name, port, out var rank))
            {
                candidates.SetValidity(i, false);
            }
            else if (best >= 0 && candidates[best].Score == candidates[i].Score)
            {
                // The same path twice: the route that names the host more exactly is meant.
                candidates.SetValidity(rank > bestRank ? best : i, false);
                (best, bestRank) = rank > bestRank ? (i, rank) : (best, bestRank);
            }
            else
            {
                (best, bestRank) = (i, rank);
            }
        }

        return Task.CompletedTask;
    }

    private static bool TryRank(Endpoint endpoint, ReadOnlySpan<char> name, int port, out int rank)
    {
        rank = 0;
        if (endpoint.Metadata.GetMetadata<RoutePolicy>() is not { Hosts.IsEmpty: false } policy)
        {
            return true;
        }

        foreach (var host in policy.Hosts)
        {
            if (host.Rank > rank && host.Matches(name, port))
            {
                rank = host.Rank;
            }
        }

        return rank > 0;
    }
}
