using WebhookEdge.Gate;

namespace WebhookEdge.Forwarding;

/// <summary>
/// The scheme and the host that the sender used, for <c>X-Forwarded-Proto</c> and <c>X-Forwarded-Host</c>. Behind a proxy that ends TLS the gateway's own
/// connection is plain, and an app that insists on https would redirect every event.
/// </summary>
internal static class SendersUrl
{
    /// <summary>
    /// What a trusted proxy says of its client's connection, if it is a word for it; else <c>publicUrl</c>'s; else the connection's. Of several words the
    /// right-most counts: the nearest proxy wrote it, all others may be the sender's.
    /// </summary>
    /// <param name="delivery">Open.</param>
    /// <param name="connection">The scheme of the gateway's own connection.</param>
    public static string Scheme(Delivery delivery, string connection)
    {
        if (delivery.FromTrustedProxy)
        {
            var lines = delivery.Headers["X-Forwarded-Proto"];
            var word = lines.Count == 0 ? default : lines[^1].AsSpan();
            word = word[(word.LastIndexOf(',') + 1)..].Trim(" \t");
            if (word.Equals("https", StringComparison.OrdinalIgnoreCase))
            {
                return "https";
            }

            if (word.Equals("http", StringComparison.OrdinalIgnoreCase))
            {
                return "http";
            }
        }

        return delivery.Policy.PublicScheme ?? connection;
    }

    /// <summary>
    /// <c>publicUrl</c>'s host, else that of the request as it was sent. A proxy's <c>X-Forwarded-Host</c> is not asked: load balancers pass on what a stranger
    /// wrote there.
    /// </summary>
    public static string Host(Delivery delivery) => delivery.Policy.PublicHost ?? delivery.Host;
}
