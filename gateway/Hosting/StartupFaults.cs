using System.Net.Sockets;

namespace WebhookEdge.Hosting;

/// <summary>Why the gateway does not start, in one line that a person can act on, whatever was thrown.</summary>
internal static class StartupFaults
{
    /// <summary>The fault with its way out.</summary>
    public static string Say(Exception exception)
    {
        var message = Message(exception);
        return exception switch
        {
            SocketException { SocketErrorCode: SocketError.AccessDenied } =>
                $"may not listen: {message}; ports below 1024 need the right to them (CAP_NET_BIND_SERVICE), others are named by --urls or ASPNETCORE_URLS",
            SocketException => $"cannot listen: {message}; look at --urls or ASPNETCORE_URLS, Kestrel__Endpoints__… and Admin__Url",
            InvalidDataException => $"{message}; look at appsettings.json where the gateway is started",
            IOException or FormatException or StartupException => message,
            InvalidOperationException when message.StartsWith("an https endpoint", StringComparison.Ordinal) => message,
            _ => $"could not start: {message} ({exception.GetType().Name}); look at appsettings.json, and at Kestrel__… and Admin__… in the environment",
        };
    }

    /// <summary>What was thrown, in one line, with its cause where the message does not name it.</summary>
    public static string Message(Exception exception)
    {
        var message = OneLine(exception.Message);
        var cause = exception.InnerException is { } inner ? OneLine(inner.Message) : "";
        if (message.StartsWith("Unable to configure HTTPS endpoint", StringComparison.Ordinal))
        {
            return "an https endpoint has no certificate; name it with Kestrel__Certificates__Default__Path and …__KeyPath, or with the endpoint's own "
                + "Certificate__Path";
        }

        return message.Contains(cause, StringComparison.Ordinal) ? message : $"{message} ({cause})";
    }

    private static string OneLine(string text) =>
        string.Join(' ', text.Split((char[])['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}

/// <summary>Something beside routes.json is so wrong that the gateway does not start. The message says place, fault and way out.</summary>
internal sealed class StartupException(string message) : Exception(message);
