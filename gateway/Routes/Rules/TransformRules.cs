using WebhookEdge.Configuration;
using WebhookEdge.Forwarding;

namespace WebhookEdge.Routes.Rules;

/// <summary>
/// What is wrong with a route's <c>transforms</c> that YARP takes. It takes any text for a header; what no header can be fails with each request or is dropped
/// without a word.
/// </summary>
internal sealed class TransformRules(RuleReport report)
{
    /// <summary>How long a message is and when a connection ends, which the gateway decides for each side by itself (RFC 9110 §7.6.1, RFC 9112 §6).</summary>
    private static readonly string[] Framing =
        ["Connection", "Content-Length", "Expect", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"];

    public void Judge(ResolvedRoute route)
    {
        for (var i = 0; i < route.Written.Transforms?.Count; i++)
        {
            var place = JsonPath.Item($"{route.Place}.transforms", i);
            var transform = route.Written.Transforms[i];
            if (transform.Count == 0)
            {
                report.Error(place, "an empty transform", "as YARP documents them, e.g. { \"RequestHeader\": \"X-From\", \"Set\": \"webhooks\" }");
            }

            foreach (var (key, value) in transform)
            {
                var valuePlace = JsonPath.Key(place, key);
                if (key is "RequestHeader" or "RequestHeaderRouteValue" or "RequestHeaderRemove" or "ResponseHeader" or "ResponseHeaderRemove"
                    or "ResponseTrailer" or "ResponseTrailerRemove")
                {
                    Header(valuePlace, value, key);
                }
                else if (value.Any(char.IsControl))
                {
                    report.Error(valuePlace, $"{Quoted.Name(value)} has a control character, which no message carries", "take it out");
                }
                else if (key is "PathPrefix" or "PathSet" or "PathPattern" && value.Split('/').Any(static segment => segment is "." or ".."))
                {
                    report.Warn(valuePlace, $"{Quoted.Name(value)} has dot segments, which are resolved before the app sees them",
                        "write the path that is meant");
                }
            }
        }
    }

    private void Header(string place, string name, string key)
    {
        if (!RoutesSyntax.IsToken(name))
        {
            report.Error(place, $"{Quoted.Name(name)} is not the name of a header", "letters, digits and hyphens, e.g. \"X-From\"");
        }
        else if (Framing.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            report.Error(place, $"{name} says where a message ends, and the gateway sets it by the message", "leave it out");
        }
        else if (key.StartsWith("Request", StringComparison.Ordinal) && IsTheGateways(ForwardedHeaders.Normalise(name)))
        {
            const string Fault = "is set by the gateway, after all transforms";
            const string WayOut = "take another name; X-Webhook-* is the gateway's own";
            if (key != "RequestHeaderRemove" && IsTheGateways(name))
            {
                report.Error(place, $"{name} {Fault}", WayOut);
            }
            else
            {
                // Another spelling, which some apps read as the same name, is left out of the request; a removal comes before the gateway's own.
                report.Warn(place, $"{name} {Fault}", WayOut);
            }
        }
    }

    private static bool IsTheGateways(string normalised) =>
        normalised.StartsWith("X-Webhook-", StringComparison.OrdinalIgnoreCase) || HeaderFamilies.Of(normalised) == HeaderFamily.Gateway;
}
