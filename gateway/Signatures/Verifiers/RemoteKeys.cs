using System.Net;
using WebhookEdge.Observability;

namespace WebhookEdge.Signatures.Verifiers;

/// <summary>How asking for a key ended.</summary>
internal enum KeyFetch
{
    /// <summary>The key is there.</summary>
    Found,

    /// <summary>Its publisher says there is no such key, or what it sent is none.</summary>
    NoSuchKey,

    /// <summary>The publisher did not answer, or too many unknown keys were asked for lately. Worth trying again.</summary>
    Unavailable,
}

/// <summary>A fetched key and until when it may be used.</summary>
internal sealed record RemoteKey(IPublicKey Key, DateTimeOffset UsableUntil);

/// <summary>
/// Keys and certificates that senders publish. Who wants which key is told by requests that have proved nothing yet, so: only addresses that the verifier
/// has matched against a fixed pattern come here; one fetch for an address however many wait; few fetches in all, so that made-up addresses of a known
/// host cannot make the gateway a load on it; bounded in size and time; no redirects; found keys are kept, and a stranger cannot push them out.
/// </summary>
internal sealed class RemoteKeys(HttpMessageInvoker http, TimeProvider time, ILogger<RemoteKeys> logger)
{
    /// <summary>Largest answer in bytes; a certificate with its chain is below 10 kB.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>Fetches that may happen at once after a quiet time.</summary>
    public const int Burst = 8;

    /// <summary>Then one in each of these.</summary>
    public static readonly TimeSpan Pace = TimeSpan.FromSeconds(5);

    /// <summary>From the first byte of the request to the last of the answer; well inside a route's default timeout.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(4);

    private static readonly TimeSpan RememberMissing = TimeSpan.FromMinutes(5);

    private const int MaxMissing = 256;
    private const int MaxFound = 64;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, RemoteKey> _found = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> _missing = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Task<(KeyFetch, RemoteKey?)>> _pending = new(StringComparer.Ordinal);
    private double _tokens = Burst;
    private long _filledAt = time.GetTimestamp();

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

    /// <summary>
    /// The key under <paramref name="name"/>, fetched with <paramref name="request"/> when it is not known. <paramref name="read"/> makes a key of the answer's
    /// bytes or says null; it runs once for a fetch. Waits without a thread; <paramref name="cancellationToken"/> ends the waiting, not the fetch.
    /// </summary>
    public ValueTask<(KeyFetch Result, RemoteKey? Key)> GetAsync(string name, Func<HttpRequestMessage> request, Func<byte[], DateTimeOffset, RemoteKey?> read, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        Task<(KeyFetch, RemoteKey?)>? pending;
        lock (_lock)
        {
            if (_found.TryGetValue(name, out var found) && found.UsableUntil > now)
            {
                return new((KeyFetch.Found, found));
            }

            if (_missing.TryGetValue(name, out var until) && until > now)
            {
                return new((KeyFetch.NoSuchKey, null));
            }

            if (!_pending.TryGetValue(name, out pending))
            {
                if (!TryTakeToken())
                {
                    logger.KeyFetchHeldBack();
                    return new((KeyFetch.Unavailable, null));
                }

                pending = _pending[name] = Task.Run(() => FetchAsync(name, request, read), CancellationToken.None);
            }
        }

        return new(pending.WaitAsync(cancellationToken));
    }

    private bool TryTakeToken()
    {
        var at = time.GetTimestamp();
        _tokens = Math.Min(Burst, _tokens + (time.GetElapsedTime(_filledAt, at) / Pace));
        _filledAt = at;
        if (_tokens < 1)
        {
            return false;
        }

        _tokens--;
        return true;
    }

    private async Task<(KeyFetch, RemoteKey?)> FetchAsync(string name, Func<HttpRequestMessage> request, Func<byte[], DateTimeOffset, RemoteKey?> read)
    {
        var (result, key) = (KeyFetch.Unavailable, (RemoteKey?)null);
        try
        {
            using var deadline = new CancellationTokenSource(Timeout, time);
            using var message = request();
            using var answer = await http.SendAsync(message, deadline.Token);
            if (answer.StatusCode == HttpStatusCode.OK)
            {
                key = await ReadAsync(answer, deadline.Token) is { } bytes ? read(bytes, time.GetUtcNow()) : null;
                result = key is null ? KeyFetch.NoSuchKey : KeyFetch.Found;
            }
            else
            {
                // 401 and 403 speak of our credentials, 429 of our pace; any other 4xx of the key.
                result = (int)answer.StatusCode is >= 400 and < 500 and not (401 or 403 or 408 or 429) ? KeyFetch.NoSuchKey : KeyFetch.Unavailable;
            }

            logger.KeyFetched(HostOf(message), (int)answer.StatusCode, result.ToString());
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            logger.KeyFetchFailed(e.GetType().Name);
        }
        finally
        {
            lock (_lock)
            {
                _pending.Remove(name);
                Remember(name, result, key);
            }
        }

        return (result, key);
    }

    private void Remember(string name, KeyFetch result, RemoteKey? key)
    {
        if (key is not null)
        {
            if (_found.Count >= MaxFound && !_found.ContainsKey(name))
            {
                _found.Remove(_found.MinBy(static f => f.Value.UsableUntil).Key);
            }

            _found[name] = key;
        }
        else if (result == KeyFetch.NoSuchKey)
        {
            if (_missing.Count >= MaxMissing)
            {
                _missing.Clear();
            }

            _missing[name] = time.GetUtcNow() + RememberMissing;
        }
    }

    private static string HostOf(HttpRequestMessage message) => message.RequestUri?.Host ?? "";

    private static async Task<byte[]?> ReadAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        await using var stream = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[MaxBytes + 1];
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        return length > MaxBytes ? null : buffer[..length];
    }
}
