using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using StackExchange.Redis;

namespace WebhookEdge.Replay;

/// <summary>
/// What went wrong with Redis in a word fit for a log: the server's own (NOAUTH, OOM, …), or why there is no connection. The library's messages name keys,
/// addresses and counters, and
/// "UnableToResolvePhysicalConnection" whatever the cause.
/// </summary>
internal static class RedisFault
{
    /// <summary>What is said when nothing more is known; a server that refuses a login often closes the connection before it can be read why.</summary>
    public const string Closed = "connection closed by the other side";

    private const string LateWord = "no answer in time";

    /// <summary>
    /// AUTH goes out first and the library drops its answer; that a command after it is refused for want of a login is how its refusal shows.
    /// </summary>
    private const string PasswordRefused = "NOAUTH after the login: user name or password refused (WRONGPASS)";

    /// <param name="connecting">Why the last attempt to connect failed; null when it did not.</param>
    public static ReplayStoreException Of(Exception exception, string? connecting) => exception switch
    {
        RedisServerException { Message: var message } => new(Code(message), exception) { IsAway = ServesNobody(Code(message), message) },
        RedisConnectionException => new(connecting ?? Word(exception, sendsPassword: false) ?? "no connection", exception),
        TimeoutException => new(connecting ?? LateWord, exception),
        _ => new(exception.GetType().Name, exception),
    };

    /// <summary>Why an attempt to connect failed; null when the library gave up an attempt in favour of another one, which says nothing.</summary>
    public static string? Of(ConnectionAttemptCompletedEventArgs attempt, bool sendsPassword)
    {
        if (attempt is { Stage: ConnectionAttemptStage.Tls, ServerCertificateAccepted: false })
        {
            var errors = attempt.ServerCertificatePolicyErrors ?? SslPolicyErrors.None;
            return $"TLS: the server's certificate is refused ({errors}, {attempt.ServerCertificateChainStatus})";
        }

        return attempt.Exception is { } exception && Word(exception, sendsPassword) is { } word ? word
            : attempt.FailureType == ConnectionFailureType.ConnectionDisposed ? null
            : attempt.Stage == ConnectionAttemptStage.Tls ? "TLS: no handshake"
            : Plain(attempt.FailureType);
    }

    /// <summary>The failed connection of a server that was there.</summary>
    public static string Of(ConnectionFailedEventArgs failure, bool sendsPassword) =>
        (failure.Exception is { } exception ? Word(exception, sendsPassword) : null) ?? Plain(failure.FailureType);

    private static string? Word(Exception exception, bool sendsPassword)
    {
        for (var inner = exception; inner is not null; inner = inner.InnerException)
        {
            switch (inner)
            {
                case SocketException socket:
                    return socket.SocketErrorCode switch
                    {
                        SocketError.ConnectionRefused => "connection refused",
                        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => "name not known",
                        SocketError.TimedOut or SocketError.OperationAborted => LateWord,
                        SocketError.HostUnreachable or SocketError.NetworkUnreachable => "no route to the host",
                        SocketError.ConnectionReset or SocketError.ConnectionAborted => Closed,
                        SocketError.AddressNotAvailable => "no such address or socket",
                        SocketError.AccessDenied => "permission denied",
                        var other => other.ToString(),
                    };
                case AuthenticationException:
                    return "TLS: no handshake";
                case var _ when inner.Message.IndexOf("Error: ", StringComparison.Ordinal) is >= 0 and var at:
                    var code = Code(inner.Message[(at + "Error: ".Length)..]);
                    return code == "NOAUTH" && sendsPassword ? PasswordRefused : code;
            }
        }

        return null;
    }

    private static string Plain(ConnectionFailureType type) => type switch
    {
        ConnectionFailureType.SocketClosed or ConnectionFailureType.SocketFailure => Closed,
        _ => type.ToString(),
    };

    /// <summary>The code that begins an error reply; the rest may name keys or addresses.</summary>
    private static string Code(string message)
    {
        var code = message.Split(' ', 2)[0];
        return code.Length is > 0 and <= 20 && code.All(char.IsAsciiLetterUpper) ? code : "an error without a code";
    }

    /// <summary>Refusals that say something of the server as a whole, and not of one key or one command.</summary>
    private static bool ServesNobody(string code, string message) =>
        code is "LOADING" or "READONLY" or "OOM" or "MISCONF" or "NOAUTH" or "WRONGPASS" or "CLUSTERDOWN" or "MASTERDOWN" or "NOREPLICAS" or "BUSY"
        || message.StartsWith("ERR max number of clients", StringComparison.Ordinal);
}
