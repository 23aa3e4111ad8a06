using System.Globalization;
using System.Net;
using System.Text;
using Yarp.ReverseProxy.Forwarder;

namespace WebhookEdge.Forwarding;

/// <summary>The HTTP clients towards upstreams: YARP's, with the settings this gateway promises.</summary>
internal sealed class UpstreamClientFactory(ILogger<ForwarderHttpClientFactory> logger) : ForwarderHttpClientFactory(logger)
{
    /// <summary>
    /// The key of a cluster's <c>Metadata</c> that says how long one attempt to connect may take, TLS included, as YARP writes time spans: <c>00:00:03</c>.
    /// </summary>
    public const string ConnectTimeoutKey = "ConnectTimeout";

    /// <summary>A single connection attempt; the gate repeats them within the route's timeout, because nothing has been sent yet.</summary>
    public static readonly TimeSpan DefaultConnectTimeout = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Shorter than usual keep-alive times of servers: a connection the upstream closes while we write to it makes an ambiguous failure.</summary>
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(30);

    /// <summary>
    /// What <paramref name="metadata"/> says of <see cref="ConnectTimeoutKey"/>, or the default. What is no time span was refused when the file was read.
    /// </summary>
    public static TimeSpan ConnectTimeoutOf(IReadOnlyDictionary<string, string>? metadata) =>
        metadata is not null && metadata.TryGetValue(ConnectTimeoutKey, out var text) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var timeout)
        && timeout > TimeSpan.Zero
            ? timeout
            : DefaultConnectTimeout;

    protected override bool CanReuseOldClient(ForwarderHttpClientContext context) =>
        base.CanReuseOldClient(context) && ConnectTimeoutOf(context.OldMetadata) == ConnectTimeoutOf(context.NewMetadata);

    protected override void ConfigureHandler(ForwarderHttpClientContext context, SocketsHttpHandler handler)
    {
        base.ConfigureHandler(context, handler);
        Configure(handler, ConnectTimeoutOf(context.NewMetadata));
    }

    /// <summary>What every client has, whatever its cluster says.</summary>
    internal static void Configure(SocketsHttpHandler handler, TimeSpan connectTimeout)
    {
        handler.AllowAutoRedirect = false;
        handler.AutomaticDecompression = DecompressionMethods.None;
        handler.UseCookies = false;
        handler.ActivityHeadersPropagator = null;
        handler.ConnectTimeout = connectTimeout;
        handler.PooledConnectionIdleTimeout = IdleTimeout;

        // For HTTP/2: a connection on which nothing comes back any more is found out and replaced, instead of taking every further request with it.
        handler.KeepAlivePingDelay = PingDelay;
        handler.KeepAlivePingTimeout = PingTimeout;
        handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;

        handler.PlaintextStreamFilter = static (context, _) =>
            new(context.NegotiatedHttpVersion.Major == 1 ? new GatheringStream(context.PlaintextStream) : context.PlaintextStream);

        // Bytes above 0x7f in header values come through as they are, in both directions.
        handler.RequestHeaderEncodingSelector ??= static (_, _) => Encoding.UTF8;
        handler.ResponseHeaderEncodingSelector ??= static (_, _) => Encoding.Latin1;
    }
}
