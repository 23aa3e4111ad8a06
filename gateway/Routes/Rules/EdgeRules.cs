using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Routes.Rules;

/// <summary>The gateway as a whole: its URL, Redis, state and bounds, and whose address is the client's.</summary>
internal sealed class EdgeRules(RuleReport report, RoutesFile file)
{
    private static readonly ByteSize DefaultMaxBody = new(1L << 20);
    private static readonly ByteSize DefaultBufferedBodies = new(256L << 20);

    public void Edge()
    {
        if (file.Edge is not { } edge)
        {
            return;
        }

        if (edge.PublicUrl is { } publicUrl
            && !(Uri.TryCreate(publicUrl, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.UserInfo.Length == 0
                && url.Query.Length == 0 && url.Fragment.Length == 0))
        {
            report.Error("edge.publicUrl", "not an absolute http or https URL without user, query and fragment", "write for example https://hooks.example.com");
        }

        if (edge.Redis is { } redis && RoutesSyntax.SecretFault(redis) is { } redisFault)
        {
            var literal = !SecretReference.TryParse(redis, out _);
            report.Error("edge.redis", literal ? "a connection string may hold a password, so literal ones are refused" : redisFault.Message, redisFault.Hint);
        }

        if (edge.StateDirectory is { } directory && (string.IsNullOrWhiteSpace(directory) || directory.Any(char.IsControl)))
        {
            report.Error("edge.stateDirectory", "not a path", "leave the key out to keep no lists over a restart");
        }

        if (edge.AwsRanges is { } aws)
        {
            if (aws.Url is not null && OutboundUrl.ListFault(aws.Url) is { } fault)
            {
                report.Error("edge.awsRanges.url", fault);
            }

            if (aws.AlarmAfter is { } alarm && alarm.Value <= (aws.Refresh?.Value ?? TimeSpan.FromHours(1)))
            {
                report.Error("edge.awsRanges.alarmAfter", "not longer than refresh, so every list would be stale before its turn");
            }
        }

        if (edge.Limits is { } limits)
        {
            BodyCap("edge.limits.maxBody", limits.MaxBody);
            if (limits.MaxBody is null && limits.BufferedBodies is { } buffered && buffered.Bytes < DefaultMaxBody.Bytes)
            {
                report.Error("edge.limits.bufferedBodies", $"smaller than one body of the default maxBody, {DefaultMaxBody}",
                    "raise it, or write a smaller maxBody");
            }
        }
    }

    public void BodyCap(string path, ByteSize? cap)
    {
        if (cap is not { } size)
        {
            return;
        }

        var buffered = file.Edge?.Limits?.BufferedBodies ?? DefaultBufferedBodies;
        if (size.Bytes > 1L << 30)
        {
            report.Error(path, $"{size} is out of range", "at most 1GiB");
        }
        else if (size.Bytes > buffered.Bytes)
        {
            report.Error(path, $"{size} is more than edge.limits.bufferedBodies ({buffered}), so such a body could never be held", "lower this or raise that");
        }
    }

    public void ClientAddress(IReadOnlyList<string> routesWithAddressRule)
    {
        if (file.Edge?.ClientAddress is not { } client)
        {
            return;
        }

        const string Path = "edge.clientAddress";
        var trusted = client.TrustedProxies ?? [];
        var tooWide = false;
        for (var i = 0; i < trusted.Count; i++)
        {
            var place = JsonPath.Item($"{Path}.trustedProxies", i);
            if (RoutesSyntax.IsTooWide(trusted[i]))
            {
                tooWide = true;
                report.Error(place, $"{trusted[i]} would trust strangers to name any client address",
                    "write the addresses of the proxies in front of the gateway");
            }
            else if (!AddressParser.TryParseNetwork(trusted[i], out _, out var fault))
            {
                report.Error(place, fault);
            }
        }

        report.Repeats($"{Path}.trustedProxies", client.TrustedProxies);
        if (trusted.Count > 0 && client.From is null or AddressSource.Connection)
        {
            report.Error($"{Path}.trustedProxies", "trusted proxies without a header of theirs to read",
                "write \"from\": \"forwardedFor\" or \"proxyProtocol\"");
        }

        if (client.From == AddressSource.ProxyProtocol && trusted.Count == 0)
        {
            report.Error($"{Path}.trustedProxies", "without trusted proxies no PROXY header is ever read", "list the load balancers in front of the gateway");
        }

        if (client.From == AddressSource.ForwardedFor && trusted.Count == 0 && !tooWide)
        {
            if (routesWithAddressRule.Count > 0)
            {
                report.Error($"{Path}.trustedProxies",
                    $"without trusted proxies X-Forwarded-For is anybody's word, and the address rule of {Quoted.Name(routesWithAddressRule[0])} would rest "
                    + "on it", "list the proxies in front of the gateway");
            }
            else
            {
                report.Warn($"{Path}.trustedProxies", "without trusted proxies X-Forwarded-For is never believed",
                    "list the proxies in front of the gateway, or write \"from\": \"connection\"");
            }
        }
    }
}
