using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Replay;

/// <summary>Redis as it is run: with Sentinels, as a cluster, behind TLS, on a socket. Each against real servers.</summary>
public sealed class RedisDeploymentTests : IDisposable
{
    // A Sentinel looks after a master that gave way every ten seconds.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(10);
    private readonly LogCapture _log = new();
    private readonly TempDirectory _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("unix://{socket}")]
    [InlineData("unix://default:s3cret@{socket}?db=3")]
    [InlineData("!{socket},password=s3cret")]
    public async Task A_unix_socket(string address)
    {
        await using var redis = await RedisServer.StartAsync("--unixsocket", "{dir}/redis.sock");
        if (address.Contains("s3cret", StringComparison.Ordinal))
        {
            await redis.CommandAsync("CONFIG", "SET", "requirepass", "s3cret");
        }

        await using var store = Open(address.Replace("{socket}", redis.PathOf("redis.sock"), StringComparison.Ordinal));

        await LiveThroughAsync(store);
        Assert.Contains(redis.PathOf("redis.sock"), (await _log.WaitForEventAsync(3005)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sentinels_name_the_master_before_and_after_a_failover()
    {
        await using var master = await RedisServer.StartAsync("--repl-diskless-sync-delay", "0");
        await using var replica = await RedisServer.StartAsync("--replicaof", "127.0.0.1 " + Text(master.Port));
        await UntilAsync(async () => (await master.CommandAsync("ROLE"))!.Contains(Text(replica.Port), StringComparison.Ordinal), "the replica to follow");
        await using var sentinel = await RedisServer.StartSentinelAsync(master);
        await UntilAsync(async () => (await sentinel.CommandAsync("SENTINEL", "REPLICAS", "mymaster"))!.Contains(Text(replica.Port), StringComparison.Ordinal),
            "the Sentinel to know the replica");
        await using var store = Open($"redis://127.0.0.1:{Text(sentinel.Port)}?serviceName=mymaster");
        await store.CommitAsync(Key(1), 200, TimeSpan.FromHours(1));
        Assert.NotNull(await master.CommandAsync("GET", RedisReplayStore.KeyPrefix + Key(1)));

        // A master answers before its replicas have heard of it; what a replica has not when it takes over is lost.
        await UntilAsync(async () => await replica.CommandAsync("GET", RedisReplayStore.KeyPrefix + Key(1)) is not null, "the event to be replicated");

        await UntilAsync(async () => await sentinel.CommandAsync("SENTINEL", "FAILOVER", "mymaster") == "OK", "the Sentinel to think the replica good enough");
        await UntilAsync(async () => (await replica.CommandAsync("ROLE"))!.StartsWith("master", StringComparison.Ordinal), "the replica to be master");
        await UntilAsync(
            async () =>
            {
                try
                {
                    await store.CommitAsync(Key(2), 200, TimeSpan.FromHours(1));
                    return await replica.CommandAsync("GET", RedisReplayStore.KeyPrefix + Key(2)) is not null;
                }
                catch (ReplayStoreException)
                {
                    return false;
                }
            },
            "the store to follow");

        Assert.Equal(ClaimState.Done, (await store.ClaimAsync(Key(1), 1, s_lease)).State);
    }

    [Fact]
    public async Task A_cluster_holds_each_event_on_the_node_of_its_slot()
    {
        var nodes = await RedisServer.StartClusterAsync();
        try
        {
            await using var store = Open(nodes[0].ConnectionString);
            var keys = Enumerable.Range(0, 60).Select(Key).ToArray();
            foreach (var node in nodes)
            {
                // Each learns of the others by itself.
                await UntilAsync(async () => (await node.CommandAsync("CLUSTER", "INFO"))!.Contains("cluster_state:ok", StringComparison.Ordinal),
                    "the cluster to be up");
            }

            await LiveThroughAsync(store);
            foreach (var key in keys)
            {
                Assert.Equal(ClaimState.Claimed, (await store.ClaimAsync(key, 1, s_lease)).State);
                Assert.True(await store.ReleaseAsync(key, 1));
                Assert.Equal(ClaimState.Claimed, (await store.ClaimAsync(key, 2, s_lease)).State);
                await store.CommitAsync(key, 200, TimeSpan.FromHours(1));
            }

            // Ours alone: a server may hold keys of somebody else.
            var held = new List<string[]>();
            foreach (var node in nodes)
            {
                held.Add([.. (await node.CommandAsync("KEYS", RedisReplayStore.KeyPrefix + "*"))!.Split((char[])[' ', '\n', '\r'],
                    StringSplitOptions.RemoveEmptyEntries)]);
            }

            Assert.Equal(keys.Select(static key => RedisReplayStore.KeyPrefix + key).Order(StringComparer.Ordinal),
                held.SelectMany(static of => of).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
            Assert.All(held, static of => Assert.NotEmpty(of));
        }
        finally
        {
            foreach (var node in nodes)
            {
                await node.DisposeAsync();
            }
        }
    }

    [Theory]
    [InlineData("rediss://127.0.0.1:{port}?cacert={dir}/ca.pem&cert={dir}/client.pem&key={dir}/client.key", null)]
    [InlineData("127.0.0.1:{port},ssl=true,cacert={dir}/ca.pem,cert={dir}/client.pem,key={dir}/client.key", null)]
    [InlineData("rediss://127.0.0.1:{port}?cacert={dir}/ca.pem&cert={dir}/client.pem&key={dir}/client.key&sslHost=redis.example.com", null)]
    [InlineData("rediss://127.0.0.1:{port}?cert={dir}/client.pem&key={dir}/client.key", "RemoteCertificateChainErrors")]
    [InlineData("rediss://127.0.0.1:{port}?cacert={dir}/other.pem&cert={dir}/client.pem&key={dir}/client.key", "RemoteCertificateChainErrors")]
    [InlineData("rediss://127.0.0.1:{port}?cacert={dir}/ca.pem&cert={dir}/client.pem&key={dir}/client.key&sslHost=elsewhere.example.com",
        "RemoteCertificateNameMismatch")]
    public async Task Tls_with_a_private_authority_and_certificates_on_both_sides(string address, string? fault)
    {
        MakeCertificates();
        var tls = RedisServer.FreePort();
        await using var redis = await RedisServer.StartAsync(
            "--tls-port", Text(tls), "--tls-cert-file", _folder.PathOf("server.pem"), "--tls-key-file", _folder.PathOf("server.key"), "--tls-ca-cert-file",
            _folder.PathOf("ca.pem"), "--tls-auth-clients", "yes");
        await using var store = Open(address.Replace("{port}", Text(tls), StringComparison.Ordinal).Replace("{dir}", _folder.Path, StringComparison.Ordinal));

        if (fault is null)
        {
            await LiveThroughAsync(store);
        }
        else
        {
            Assert.Contains(fault, (await _log.WaitForEventAsync(3006)).Text, StringComparison.Ordinal);
            Assert.Contains("certificate is refused",
                (await Assert.ThrowsAsync<ReplayStoreException>(async () => await store.ClaimAsync(Key(1), 1, s_lease))).Message, StringComparison.Ordinal);
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static EventKey Key(int n) => new(SHA256.HashData(BitConverter.GetBytes(n)));

    /// <summary>Every command once.</summary>
    private static async Task LiveThroughAsync(RedisReplayStore store)
    {
        Assert.Equal(ClaimState.Claimed, (await store.ClaimAsync(Key(-1), 1, s_lease)).State);
        Assert.Equal(ClaimState.InFlight, (await store.ClaimAsync(Key(-1), 2, s_lease)).State);
        Assert.False(await store.ReleaseAsync(Key(-1), 2));
        Assert.True(await store.ReleaseAsync(Key(-1), 1));
        await store.CommitAsync(Key(-1), 200, TimeSpan.FromHours(1));
        Assert.Equal(ClaimState.Done, (await store.ClaimAsync(Key(-1), 3, s_lease)).State);
        Assert.True(await store.ForgetAsync(Key(-1)));
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var begin = TimeProvider.System.GetTimestamp();
        while (!await MetAsync(condition))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(begin) < s_patience, $"waited {s_patience} for {what}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    /// <summary>
    /// A server that changes its role breaks off every connection, also that of who asks what it is. A Sentinel promotes only a replica that it has heard of
    /// lately and whose link to the master it has seen to be up, which it asks after every second or ten.
    /// </summary>
    private static async Task<bool> MetAsync(Func<Task<bool>> condition)
    {
        try
        {
            return await condition();
        }
        catch (Exception e) when (e is IOException or SocketException || e.Message.StartsWith("NOGOODSLAVE", StringComparison.Ordinal))
        {
            return false;
        }
    }

    private RedisReplayStore Open(string address) => RedisReplayStore.Open(address, TimeProvider.System, _log.CreateLogger("redis"), s_patience);

    /// <summary>An authority and another one; from the first a certificate for the server (127.0.0.1, redis.example.com) and one for the client.</summary>
    private void MakeCertificates()
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var authority = Authority("CN=Test authority", authorityKey, now);
        _folder.Write("ca.pem", authority.ExportCertificatePem());
        using var otherKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = Authority("CN=Other authority", otherKey, now);
        _folder.Write("other.pem", other.ExportCertificatePem());
        foreach (var name in (string[])["server", "client"])
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddIpAddress(IPAddress.Loopback);
            names.AddDnsName("redis.example.com");
            request.CertificateExtensions.Add(names.Build());
            using var certificate = request.Create(authority, now.AddHours(-1), now.AddDays(1), RandomNumberGenerator.GetBytes(8));
            _folder.Write(name + ".pem", certificate.ExportCertificatePem());
            _folder.Write(name + ".key", key.ExportPkcs8PrivateKeyPem());
        }
    }

    private static X509Certificate2 Authority(string name, ECDsa key, DateTimeOffset now)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false,
            pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        return request.CreateSelfSigned(now.AddHours(-2), now.AddDays(2));
    }
}
