using System.Collections.Immutable;
using WebhookEdge.Configuration;

namespace WebhookEdge.Routes;

/// <summary>What of a route is in observe mode.</summary>
internal static class ObservedParts
{
    /// <summary>The words of routes.json for what the route lets through. What a preset only observes cannot be enforced and is no roll-out.</summary>
    public static ImmutableArray<string> Of(RouteSpec route)
    {
        if (route.Mode == CheckMode.Observe)
        {
            return ["every check"];
        }

        var observing = ImmutableArray.CreateBuilder<string>();
        for (var i = 0; i < (route.Verify?.Count ?? 0); i++)
        {
            if (route.Verify![i].Mode == CheckMode.Observe)
            {
                observing.Add($"verify[{i}]");
            }
        }

        if (route.Allow?.Mode == CheckMode.Observe)
        {
            observing.Add("allow");
        }

        if (route.Replay?.Options?.Mode == CheckMode.Observe)
        {
            observing.Add("replay");
        }

        if (route.RateLimit?.Mode == CheckMode.Observe)
        {
            observing.Add("rateLimit");
        }

        return observing.ToImmutable();
    }
}
