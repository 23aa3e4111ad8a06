using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>
/// The replay memory that instances share, over StackExchange.Redis, which only the files Redis*.cs of this folder know.
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

    private readonly RedisConnection _connection;
    private readonly string _endPoint;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private volatile bool _claimByScript;

    private RedisReplayStore(ConfigurationOptions options, TimeProvider time, ILogger logger, TimeSpan deadline, bool claimByScript)
    {
        _time = time;
        _logger = logger;
        _claimByScript = claimByScript;

        // The first endpoint only: a password with an unescaped comma ends up as a further "endpoint".
        _endPoint = RedisAddress.Show(options.EndPoints[0]);

        // A claim nobody makes: finds out here, not in a delivery, whether the server knows SET with NX and GET.
        _connection = new(options, time, logger, deadline,
            async () => await ClaimAsync(new(RandomNumberGenerator.GetBytes(EventKey.Size)), 0, TimeSpan.FromMilliseconds(1)));
    }

    /// <summary>A store that connects in the background, and keeps reconnecting while Redis is away.</summary>
    /// <param name="deadline">What one command may take; <see cref="DefaultDeadline"/> when null.</param>
    /// <param name="claimByScript">Claim as with a server before 7.0; found out by itself otherwise.</param>
    /// <exception cref="FormatException">Neither a connection string nor a URL. The message does not repeat it, for it may hold a password.</exception>
    public static RedisReplayStore Open(string connectionString, TimeProvider time, ILogger logger, TimeSpan? deadline = null, bool claimByScript = false)
    {
        if (!RedisAddress.TryParse(connectionString, out var address, out var fault))
        {
            throw new FormatException(fault);
        }

        var options = address.Options;
        options.AbortOnConnectFail = false;
        options.ConnectTimeout = Math.Min(options.ConnectTimeout, 1_000);
        options.ReconnectRetryPolicy = new LinearRetry(500);
        options.KeepAlive = 5;
        options.ClientName ??= "webhookedge";

        // The library would keep commands for a connection that is down and send them when it is back. A claim whose delivery was told "no answer" long ago
        // would then block its event for a
        // lease; what has to be made up for is in our own queue.
        options.BacklogPolicy = BacklogPolicy.FailFast;

        // What a server is asked once when it is found (INFO) the library calls administration, and refuses without this: the warning that Redis may evict
        // our keys would vanish in silence.
        options.AllowAdmin = true;

        // For one server it would only ask for a key that nobody sets, and which a user limited to our keys may not read.
        options.TieBreaker = options.EndPoints.Count == 1 ? "" : options.TieBreaker;
        var store = new RedisReplayStore(options, time, logger, deadline ?? DefaultDeadline, claimByScript);
        store._connection.Open();
        return store;
    }

    public async ValueTask<ClaimAnswer> ClaimAsync(EventKey key, ulong owner, TimeSpan lease)
    {
        var name = NameOf(key);
        var value = "P:" + OwnerTokens.Format(owner);
        if (!_claimByScript)
        {
            try
            {
                var held = await RunAsync(
                    static (database, command) => database.StringSetAndGetAsync(command.Key, command.Value, command.Expiry, keepTtl: false, When.NotExists),
                    new(name, value, AtLeastOne(lease)));
                return held.IsNull ? new(ClaimState.Claimed) : Parse((string?)held);
            }
            catch (ReplayStoreException exception) when (exception.InnerException is RedisServerException { Message: var message }
                && message.StartsWith("ERR", StringComparison.Ordinal) && message.Contains("syntax", StringComparison.OrdinalIgnoreCase))
            {
                _claimByScript = true;
                _logger.RedisClaimsByScript(_endPoint);
            }
        }

        var answer = await EvalAsync(ClaimScript, s_claimSha, name, value, (long)AtLeastOne(lease).TotalMilliseconds);
        return answer.IsNull ? new(ClaimState.Claimed) : Parse((string?)answer);
    }

    public async ValueTask CommitAsync(EventKey key, int status, TimeSpan ttl, TraceRef trace = default)
    {
        var value = string.Create(CultureInfo.InvariantCulture, $"D:{status}:{_time.GetUtcNow().ToUnixTimeSeconds()}");
        value = trace.IsKnown ? $"{value}:{trace}" : value;
        await RunAsync(
            static (database, command) => database.StringSetAsync(command.Key, command.Value, command.Expiry),
            new(NameOf(key), value, AtLeastOne(ttl)));
    }

    public async ValueTask<bool> ReleaseAsync(EventKey key, ulong owner) =>
        (long)await EvalAsync(ReleaseScript, s_releaseSha, NameOf(key), "P:" + OwnerTokens.Format(owner)) == 1;

    public async ValueTask<bool> ForgetAsync(EventKey key) =>
        await RunAsync(static (database, command) => database.KeyDeleteAsync(command.Key), new(NameOf(key), default, default));

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static string NameOf(in EventKey key) => string.Create(KeyPrefix.Length + (EventKey.Size * 2), key, static (name, key) =>
    {
        KeyPrefix.CopyTo(name);
        key.Format(name[KeyPrefix.Length..]);
    });

    /// <summary>Redis counts milliseconds, and takes none for an error.</summary>
    private static TimeSpan AtLeastOne(TimeSpan span) => TimeSpan.FromMilliseconds(Math.Max(1, (long)span.TotalMilliseconds));

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

        throw new ReplayStoreException("a replay key holds a value that is not ours") { IsAway = false };
    }

    private async ValueTask<RedisResult> EvalAsync(string script, string sha, string key, params object[] values)
    {
        try
        {
            return await _connection.RunAsync(static (database, words) => database.ExecuteAsync("EVALSHA", words),
                (object[])[sha, 1, (RedisKey)key, .. values]);
        }
        catch (ReplayStoreException exception) when (exception.Message == "NOSCRIPT")
        {
            // The first time, and after a restart or failover of the server.
            return await _connection.RunAsync(static (database, words) => database.ExecuteAsync("EVAL", words),
                (object[])[script, 1, (RedisKey)key, .. values]);
        }
    }

    private ValueTask<T> RunAsync<T>(Func<IDatabase, Command, Task<T>> send, in Command command) => _connection.RunAsync(send, command);

    /// <summary>What a command needs, so that none captures anything.</summary>
    private readonly record struct Command(RedisKey Key, RedisValue Value, TimeSpan Expiry);
}
