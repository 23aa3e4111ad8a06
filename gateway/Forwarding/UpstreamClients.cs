using System.Net;
using System.Text;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace WebhookEdge.Forwarding;

/// <summary>The HTTP clients towards upstreams: YARP's, with the settings this gateway promises.</summary>
internal static class UpstreamClients
{
    /// <summary>A single connection attempt; the gate repeats them within the route's timeout, because nothing has been sent yet.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Shorter than usual keep-alive times of servers: a connection the upstream closes while we write to it makes an ambiguous failure.</summary>
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(30);

    public static void Configure(ForwarderHttpClientContext context, SocketsHttpHandler handler)
    {
        handler.AllowAutoRedirect = false;
        handler.AutomaticDecompression = DecompressionMethods.None;
        handler.UseCookies = false;
        handler.ActivityHeadersPropagator = null;
        handler.ConnectTimeout = ConnectTimeout;
        handler.PooledConnectionIdleTimeout = IdleTimeout;

        handler.PlaintextStreamFilter = static (context, _) =>
            new(context.NegotiatedHttpVersion.Major == 1 ? new GatheringStream(context.PlaintextStream) : context.PlaintextStream);

        // Bytes above 0x7f in header values come through as they are, in both directions.
        handler.RequestHeaderEncodingSelector ??= static (_, _) => Encoding.UTF8;
        handler.ResponseHeaderEncodingSelector ??= static (_, _) => Encoding.Latin1;
    }
}
