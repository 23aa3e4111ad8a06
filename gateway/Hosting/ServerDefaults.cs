using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.Logging.Console;
using WebhookEdge.Ingress;

namespace WebhookEdge.Hosting;

/// <summary>What holds of settings and of the public server before anybody configures anything.</summary>
internal static class ServerDefaults
{
    public static void AddTo(WebApplicationBuilder builder)
    {
        // Lowest precedence: appsettings.json, environment and command line override each of these.
        ((IConfigurationBuilder)builder.Configuration).Sources.Insert(0, new MemoryConfigurationSource
        {
            InitialData = new Dictionary<string, string?>
            {
                ["Logging:LogLevel:Default"] = "Information",
                ["Logging:LogLevel:Microsoft"] = "Warning",
                ["Logging:LogLevel:Microsoft.Hosting.Lifetime"] = "Warning",
                ["Logging:LogLevel:Yarp"] = "Warning",

                // Enabled at any level, it starts an Activity and a log scope for each request, a tenth of what a request costs. The gate has lines of its own.
                ["Logging:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics"] = "None",

                // Streams that a sender opens and resets by the thousand end the connection with a line of level Critical, and nobody is to be woken for that.
                ["Logging:LogLevel:Microsoft.AspNetCore.Server.Kestrel.Http2"] = "None",

                // One line per refused connection attempt would bury the gate's own line about holding.
                ["Logging:LogLevel:Yarp.ReverseProxy.Forwarder.HttpForwarder"] = "Error",
            },
        });
        ConsoleFormat.AddDefaults(builder.Configuration);
        if (builder.Configuration["urls"] is null && builder.Configuration["http_ports"] is null && builder.Configuration["https_ports"] is null
            && !builder.Configuration.GetSection("Kestrel:Endpoints").GetChildren().Any())
        {
            builder.WebHost.UseUrls("http://*:8080");
        }

        ListenUrls.NameEndpoints(builder);

        // Whoever reads our output slowly, or not at all, must not slow down deliveries: lines are dropped then, requests are not.
        builder.Services.Configure<ConsoleLoggerOptions>(static console => console.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite);
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = TimeSpan.FromSeconds(30));
    }

    public static void Configure(IConfiguration configuration, KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.AllowResponseHeaderCompression = false;
        kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
        kestrel.RequestHeaderEncodingSelector = DigitsAlone.For;

        var limits = kestrel.Limits;
        limits.MaxRequestHeadersTotalSize = 32 * 1024;
        limits.MaxRequestHeaderCount = 100;
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(5);

        // Longer than the 60 s for which load balancers keep an idle connection (ALB, nginx): whoever closes first must be the one that sends, or a
        // delivery meets a connection that is just closing and the sender is told 502.
        limits.KeepAliveTimeout = TimeSpan.FromSeconds(75);

        // Not before the deadline that each route's bodies have: a sender that pauses is not one that holds us up, and the same on both protocols.
        limits.MinRequestBodyDataRate = new(bytesPerSecond: 500, gracePeriod: PayloadCheck.BodyDeadline);

        // Kestrel's 240 bytes a second give whoever reads no answer a second for each 240 bytes that were written before, hours for what a socket buffers.
        limits.MinResponseDataRate = new(bytesPerSecond: 32 * 1024, gracePeriod: TimeSpan.FromSeconds(5));

        // Of a connection that sends on while its answers wait; a body that is read needs none of it. Kestrel's own is a megabyte for each connection.
        limits.MaxRequestBufferSize = 128 * 1024;

        // Of requests that match no route. The gate sets each route's own cap.
        limits.MaxRequestBodySize = 64 * 1024;
        limits.MaxConcurrentUpgradedConnections = 0;
        var connections = kestrel.ApplicationServices.GetRequiredService<ConnectionLimit>();
        _ = kestrel.ApplicationServices.GetRequiredService<ConnectionDrain>();
        ServerLimits.Bind(configuration, limits);

        // Ours counts instead.
        limits.MaxConcurrentConnections = null;

        // Of every endpoint, however it was configured, and before TLS is added to it: the PROXY header comes in the clear, before the handshake.
        kestrel.ConfigureEndpointDefaults(endpoint =>
        {
            var proxyProtocol = endpoint.ApplicationServices.GetRequiredService<ProxyProtocolMiddleware>();
            endpoint.AnswerHalfClosed(endpoint.ApplicationServices.GetRequiredService<TimeProvider>());
            endpoint.Use(next => connection => connections.OnConnectionAsync(connection, next));
            endpoint.Use(next => connection => proxyProtocol.OnConnectionAsync(connection, next));
        });
    }
}
