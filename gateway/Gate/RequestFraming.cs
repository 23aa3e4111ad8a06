using Microsoft.Extensions.Primitives;

namespace WebhookEdge.Gate;

/// <summary>Heads after which two servers could disagree about where the body ends, or whether it is HTTP at all that follows.</summary>
internal static class RequestFraming
{
    /// <summary>
    /// Kestrel moves a Content-Length that came beside Transfer-Encoding to X-Content-Length (RFC 9112 §6.3 lets it); one of the two servers that read such a
    /// request is always wrong, so it goes no further. Neither does a coding besides chunked, which Kestrel would leave on the body, nor an upgrade to what is
    /// no HTTP, after which another server would take everything that follows for the other protocol. HTTP/2 has none of these headers (RFC 9113 §8.2.2), and
    /// HTTP/1.0 no transfer coding: a proxy of that version sees no body there (RFC 9112 §6.1).
    /// </summary>
    public static bool IsAmbiguous(string method, IHeaderDictionary headers, bool isHttp2, bool isHttp10 = false) =>
        (headers.TransferEncoding.Count > 0
            && (isHttp2 || isHttp10 || headers.ContentLength is not null || headers.ContainsKey("X-Content-Length")
            || !IsChunkedAlone(headers.TransferEncoding)))
        || (headers.Upgrade.Count > 0 && (isHttp2 || !OffersHttpAlone(headers.Upgrade)))
        || HttpMethods.IsConnect(method);

    private static bool IsChunkedAlone(StringValues codings) => codings.Count == 1 && string.Equals(codings[0], "chunked", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// RFC 9110 §7.8: an offer that a server may pass over, and the exchange goes on as it is. Java's and Apache's HTTP clients and <c>curl --http2</c> offer
    /// h2c or TLS with every request on a plain connection. Who asks for a websocket means it.
    /// </summary>
    private static bool OffersHttpAlone(StringValues protocols)
    {
        foreach (var line in protocols)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var name = line.AsSpan()[range].Trim(" \t");
                var version = name.IndexOf('/');
                name = version < 0 ? name : name[..version];
                if (!name.IsEmpty
                    && !name.Equals("h2c", StringComparison.OrdinalIgnoreCase)
                    && !name.Equals("h2", StringComparison.OrdinalIgnoreCase)
                    && !name.Equals("HTTP", StringComparison.OrdinalIgnoreCase)
                    && !name.Equals("TLS", StringComparison.OrdinalIgnoreCase))
                {
                    return false;
                }
            }
        }

        return true;
    }
}
