using WebhookEdge.Configuration;

namespace WebhookEdge.Routes.Rules;

/// <summary>
/// What is wrong with a route's <c>transforms</c> that YARP takes. It takes any text for a header; what no header can be fails with each request or is dropped
/// without a word.
/// </summary>
internal sealed class TransformRules(RuleReport report)
{
    private static readonly string[] SetByTheGateway = ["Idempotency-Key", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"];

    /// <summary>How long a message is and when a connection ends, which the gateway decides for each side by itself (RFC 9110 §7.6.1, RFC 9112 §6).</summary>
    private static readonly string[] Framing =
        ["Connection", "Content-Length", "Expect", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"];

    public void Judge(string path, RouteSpec route)
    {
        for (var i = 0; i < route.Transforms?.Count; i++)
        {
            var place = JsonPath.Item($"{path}.transforms", i);
            var transform = route.Transforms[i];
            if (transform.Count == 0)
            {
                report.Error(place, "an empty transform", "as YARP documents them, e.g. { \"RequestHeader\": \"X-From\", \"Set\": \"webhooks\" }");
            }

            var isHeader = false;
            foreach (var (key, value) in transform)
            {
                if (key is "RequestHeader" or "RequestHeaderRouteValue" or "RequestHeaderRemove" or "ResponseHeader" or "ResponseHeaderRemove"
                    or "ResponseTrailer" or "ResponseTrailerRemove")
                {
                    isHeader = true;
                    Header(JsonPath.Key(place, key), value, isRequest: key.StartsWith("Request", StringComparison.Ordinal));
                }
            }

            foreach (var (key, value) in transform)
            {
                if (value.Any(c => char.IsControl(c) || (isHeader && !char.IsAscii(c))))
                {
                    report.Error(JsonPath.Key(place, key), $"{Quoted.Name(value)} has a character that {(isHeader ? "a header" : "a request")} cannot carry",
                        isHeader ? "printable ASCII alone" : "no line ends nor other control characters");
                }
            }
        }
    }

    private void Header(string place, string name, bool isRequest)
    {
        if (!Grammar.IsToken(name))
        {
            report.Error(place, $"{Quoted.Name(name)} is not the name of a header", "letters, digits and hyphens, e.g. \"X-From\"");
        }
        else if (Framing.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            report.Error(place, $"{name} says where a message ends, and the gateway sets it by the message", "leave it out");
        }
        else if (isRequest && IsTheGateways(name.Replace('_', '-')))
        {
            report.Error(place, $"{name} is set by the gateway, after all transforms", "take another name; X-Webhook-* is the gateway's own");
        }
    }

    private static bool IsTheGateways(string name) =>
        name.StartsWith("X-Webhook-", StringComparison.OrdinalIgnoreCase) || SetByTheGateway.Contains(name, StringComparer.OrdinalIgnoreCase);
}
