using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;
using WebhookEdge.Observability;

namespace WebhookEdge.Replay;

/// <summary>
/// The replay memory that instances share. The only file that knows StackExchange.Redis; it keeps to API that 1.2 and 2.x have in common.
/// <code>
/// key      wh:1:&lt;64 hex&gt;          what stands in X-Webhook-Event-Key, so that an operator finds it with redis-cli
/// pending  P:&lt;16 hex owner&gt;       PX lease
/// done     D:&lt;status&gt;:&lt;unix time&gt;[:&lt;trace&gt;-&lt;span&gt;]  PX ttl
/// </code>
/// One key per command, so it runs on Redis Cluster. No clock is compared: expiry is relative and the server's.
/// </summary>
internal sealed class RedisReplayStore : IReplayStore, IAsyncDisposable
{
    public const string KeyPrefix = "wh:1:";

    /// <summary>What a delivery waits for one answer. The library's own time-outs are looked at once a second only.</summary>
    public static readonly TimeSpan DefaultDeadline = TimeSpan.FromMilliseconds(300);

    private const string ClaimScript = "local v=redis.call('GET',KEYS[1]) if v then return v end redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2]) return false";
    private const string ReleaseScript = "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) end return 0";
    private static readonly string s_claimSha = Sha(ClaimScript);
    private static readonly string s_releaseSha = Sha(ReleaseScript);

    private readonly ConfigurationOptions _options;
    private readonly string _endPoint;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _deadline;
    private readonly Lock _gate = new();
    private Task<ConnectionMultiplexer>? _connecting;
    private volatile bool _claimByScript;
    private bool _disposed;

    private RedisReplayStore(ConfigurationOptions options, TimeProvider time, ILogger logger, TimeSpan deadline, bool claimByScript)
    {
        _deadline = deadline;
        _options = options;
        _time = time;
        _logger = logger;
        _claimByScript = claimByScript;

        // The first endpoint only: a password with an unescaped comma ends up as a further "endpoint".
        _endPoint = options.EndPoints[0].ToString() ?? "";
    }

    /// <summary>A store that connects in the background, and keeps reconnecting while Redis is away.</summary>
    /// <param name="deadline">What one command may take; <see cref="DefaultDeadline"/> when null.</param>
    /// <param name="claimByScript">Claim as with a server before 7.0; found out by itself otherwise.</param>
    /// <exception cref="FormatException">Not a connection string. The message does not repeat it, for it may hold a password.</exception>
    public static RedisReplayStore Open(string connectionString, TimeProvider time, ILogger logger, TimeSpan? deadline = null, bool claimByScript = false)
    {
        // What the library says about a string it cannot read quotes the string, so its exception goes no further.
        if (ParseOrNull(connectionString) is not { EndPoints.Count: > 0 } options)
        {
            throw new FormatException("not a StackExchange.Redis connection string; write HOST:PORT[,password=…][,ssl=true]");
        }

        options.AbortOnConnectFail = false;
        options.ConnectTimeout = Math.Min(options.ConnectTimeout, 1_000);
        options.ReconnectRetryPolicy = new LinearRetry(500);
        options.KeepAlive = 5;
        options.ClientName ??= "webhookedge";
        var store = new RedisReplayStore(options, time, logger, deadline ?? DefaultDeadline, claimByScript);
        _ = store.StartConnecting();
        return store;
    }

    public async ValueTask<ClaimAnswer> ClaimAsync(ReplayKey key, ulong owner, TimeSpan lease)
    {
        var name = NameOf(key);
        var value = "P:" + OwnerTokens.Format(owner);
        RedisResult held;
        if (_claimByScript)
        {
            held = await EvalAsync(ClaimScript, s_claimSha, name, value, Milliseconds(lease));
        }
        else
        {
            try
            {
                held = await ExecuteAsync("SET", (RedisKey)name, value, "NX", "GET", "PX", Milliseconds(lease));
            }
            catch (ReplayStoreException exception) when (exception.Message == "ERR" && exception.InnerException is RedisServerException { Message: var message } && message.Contains("syntax", StringComparison.OrdinalIgnoreCase))
            {
                _claimByScript = true;
                _logger.RedisClaimsByScript(_endPoint);
                held = await EvalAsync(ClaimScript, s_claimSha, name, value, Milliseconds(lease));
            }
        }

        return held.IsNull ? new(ClaimState.Claimed) : Parse((string?)held);
    }

    public async ValueTask CommitAsync(ReplayKey key, int status, TimeSpan ttl, TraceRef trace = default)
    {
        var value = string.Create(CultureInfo.InvariantCulture, $"D:{status}:{_time.GetUtcNow().ToUnixTimeSeconds()}");
        value = trace.IsKnown ? $"{value}:{trace}" : value;
        await ExecuteAsync("SET", (RedisKey)NameOf(key), value, "PX", Milliseconds(ttl));
    }

    public async ValueTask<bool> ReleaseAsync(ReplayKey key, ulong owner) =>
        (long)await EvalAsync(ReleaseScript, s_releaseSha, NameOf(key), "P:" + OwnerTokens.Format(owner)) == 1;

    public async ValueTask<bool> ForgetAsync(ReplayKey key) => (long)await ExecuteAsync("DEL", (RedisKey)NameOf(key)) == 1;

    public async ValueTask DisposeAsync()
    {
        Task<ConnectionMultiplexer>? connecting;
        lock (_gate)
        {
            _disposed = true;
            connecting = _connecting;
        }

        if (connecting is not null)
        {
            try
            {
                var connection = await connecting.WaitAsync(TimeSpan.FromSeconds(2), _time);

                // Whatever mattered was awaited before; what is still pending had its deadline.
                await connection.CloseAsync(allowCommandsToComplete: false).WaitAsync(TimeSpan.FromSeconds(2), _time);
                connection.Dispose();
            }
            catch (Exception)
            {
                // It never connected, or does not close: nothing depends on it any more.
            }
        }
    }

    public static bool IsConnectionString(string text) => ParseOrNull(text) is { EndPoints.Count: > 0 };

    private static ConfigurationOptions? ParseOrNull(string connectionString)
    {
        try
        {
            return ConfigurationOptions.Parse(connectionString);
        }
        catch (Exception)
        {
            return null;
        }
    }

    private static string NameOf(in ReplayKey key) => KeyPrefix + key.ToString();

    private static long Milliseconds(TimeSpan span) => Math.Max(1, (long)span.TotalMilliseconds);

    private static string Sha(string script)
    {
#pragma warning disable CA5350 // EVALSHA names scripts by SHA-1; nothing is protected by it.
        return Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(script)));
#pragma warning restore CA5350
    }

    private static ClaimAnswer Parse(string? value)
    {
        var text = value.AsSpan();
        if (text.StartsWith("P:") && ulong.TryParse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var owner))
        {
            return new(ClaimState.InFlight, Owner: owner);
        }

        if (text.StartsWith("D:") && text[2..].IndexOf(':') is > 0 and var length
            && int.TryParse(text.Slice(2, length), NumberStyles.None, CultureInfo.InvariantCulture, out var status))
        {
            // After the time, of a delivery that was traced; instances of an earlier version neither write nor read it.
            return new(ClaimState.Done, Status: status, Trace: TraceRef.TryParse(text[(text.LastIndexOf(':') + 1)..], out var trace) ? trace : default);
        }

        throw new ReplayStoreException("a replay key holds a value that is not ours");
    }

    private async ValueTask<RedisResult> EvalAsync(string script, string sha, string key, params object[] values)
    {
        try
        {
            return await ExecuteAsync("EVALSHA", [sha, 1, (RedisKey)key, .. values]);
        }
        catch (ReplayStoreException exception) when (exception.Message == "NOSCRIPT")
        {
            // The first time, and after a restart or failover of the server.
            return await ExecuteAsync("EVAL", [script, 1, (RedisKey)key, .. values]);
        }
    }

    /// <summary>One command, one deadline. Whatever goes wrong is a <see cref="ReplayStoreException"/>.</summary>
    private async ValueTask<RedisResult> ExecuteAsync(string command, params object[] arguments)
    {
        Task<RedisResult>? pending = null;
        try
        {
            var begin = _time.GetTimestamp();
            var connecting = StartConnecting();
            var connection = connecting.IsCompletedSuccessfully ? connecting.Result : await connecting.WaitAsync(_deadline, _time);
            var left = _deadline - _time.GetElapsedTime(begin);
            pending = connection.GetDatabase().ExecuteAsync(command, arguments);
            return await pending.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time);
        }
        catch (Exception exception)
        {
            // An answer after the deadline is nobody's, and its fault must not surface as unobserved.
            _ = pending?.ContinueWith(static late => _ = late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

            // A connection that breaks may fail its commands on the library's own threads: what a caller does next must not hold those up.
            await Task.Yield();
            throw new ReplayStoreException(Describe(exception), exception);
        }
    }

    private static string Describe(Exception exception) => exception switch
    {
        // READONLY, LOADING, OOM, MOVED, CLUSTERDOWN, NOAUTH, NOSCRIPT, …: the code alone, the rest may name keys or addresses.
        RedisServerException { Message: var message } => message.Split(' ', 2)[0],
        TimeoutException => "no answer in time",
        RedisConnectionException { FailureType: var type } => type.ToString(),
        _ => exception.GetType().Name,
    };

    private Task<ConnectionMultiplexer> StartConnecting()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);

            // Faulted: the host name did not resolve, say. The breaker spaces the attempts.
            if (_connecting is null || _connecting.IsFaulted || _connecting.IsCanceled)
            {
                _connecting = Task.Run(ConnectAsync);
            }

            return _connecting;
        }
    }

    private async Task<ConnectionMultiplexer> ConnectAsync()
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(_options);

        // Each answer continues its own delivery on the pool, instead of all of them in turn on one thread: one that takes its time holds up nobody, and
        // no answer changes threads twice. Nothing here depends on the order of answers.
        connection.PreserveAsyncOrder = false;
        connection.ConnectionFailed += (_, e) =>
        {
            if (e.ConnectionType == ConnectionType.Interactive)
            {
                _logger.RedisConnectionFailed(_endPoint, e.FailureType.ToString());
            }
        };
        connection.ConnectionRestored += (_, e) =>
        {
            if (e.ConnectionType == ConnectionType.Interactive)
            {
                _ = Task.Run(() => GreetAsync(connection));
            }
        };
        if (connection.IsConnected)
        {
            _ = Task.Run(() => GreetAsync(connection));
        }

        return connection;
    }

    /// <summary>Looks at how a server just connected to is set up; after a failover it may be another one. Advice only: no fault here is the store's.</summary>
    private async Task GreetAsync(ConnectionMultiplexer connection)
    {
        _logger.RedisConnected(_endPoint);
        try
        {
            // A claim nobody makes: finds out here, not in a delivery, whether the server knows SET with NX and GET.
            await ClaimAsync(new(RandomNumberGenerator.GetBytes(ReplayKey.Size)), 0, TimeSpan.FromMilliseconds(1));
            var answer = await connection.GetDatabase().ExecuteAsync("CONFIG", "GET", "maxmemory-policy");
            var policy = (string[]?)answer is [_, var value] ? value : "noeviction";
            if (policy is not ("noeviction" or "volatile-ttl"))
            {
                _logger.RedisMayEvict(_endPoint, policy);
            }
        }
        catch (Exception)
        {
            // Managed services forbid CONFIG.
        }
    }
}
