using System.Net;
using WebhookEdge.Observability;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>Asks publishers for keys, bounded in size and time.</summary>
internal sealed class KeyFetcher(HttpMessageInvoker http, TimeProvider time, ILogger logger) : IDisposable
{
    /// <summary>Largest answer in bytes; a certificate with its chain is below 10 kB.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>From the first byte of the request to the last of the answer; well inside a route's default timeout.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(4);

    /// <summary>A client as this class wants it.</summary>
    public static HttpMessageInvoker CreateClient() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(3),
        MaxResponseHeadersLength = 16,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        UseCookies = false,
        ActivityHeadersPropagator = null,
    });

    /// <summary>Never throws; whatever goes wrong is in the log.</summary>
    public async Task<(KeyFetch Result, RemoteKey? Key, KeptAnswer? Kept)> FetchAsync(KeySource source, string name)
    {
        var (result, key, kept) = (KeyFetch.Unavailable, (RemoteKey?)null, (KeptAnswer?)null);
        try
        {
            using var deadline = new CancellationTokenSource(Timeout, time);
            using var message = source.Request(name);
            using var answer = await http.SendAsync(message, deadline.Token);
            if (answer.StatusCode == HttpStatusCode.OK)
            {
                if (await ReadAsync(answer, deadline.Token) is { } bytes)
                {
                    kept = new(time.GetUtcNow(), bytes);
                    key = source.Read(bytes, kept.FetchedAt);
                }

                result = key is null ? KeyFetch.NoSuchKey : KeyFetch.Found;
            }
            else
            {
                // 401 and 403 speak of our credentials, 429 of our pace; any other 4xx of the key.
                result = (int)answer.StatusCode is >= 400 and < 500 and not (401 or 403 or 408 or 429) ? KeyFetch.NoSuchKey : KeyFetch.Unavailable;
            }

            // A name that does not exist is a stranger's, as a rule; the refusal tells of it.
            var level = result == KeyFetch.NoSuchKey ? LogLevel.Debug : LogLevel.Information;
            if (logger.IsEnabled(level))
            {
                logger.KeyFetched(level, message.RequestUri?.Host ?? "", (int)answer.StatusCode, result.ToString());
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            logger.KeyFetchFailed(e.GetType().Name);
        }

        return (result, key, kept);
    }

    public void Dispose() => http.Dispose();

    private static async Task<byte[]?> ReadAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        await using var stream = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[MaxBytes + 1];
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        return length > MaxBytes ? null : buffer[..length];
    }
}
