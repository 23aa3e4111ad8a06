using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace WebhookEdge.TestKit;

/// <summary>
/// A real redis-server of the test's own: nothing persisted, loopback, a free port. Can be killed, frozen, emptied and started again on the
/// same port, which is what the fault tests do to it. With options it is a replica, a node of a cluster, or listens with TLS or on a socket besides.
/// </summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("redis-").FullName;
    private readonly string[] _options;
    private readonly string? _sentinelOf;
    private Process? _process;

    private RedisServer(int port, string[] options, string? sentinelOf = null)
    {
        Port = port;
        _options = options;
        _sentinelOf = sentinelOf;
    }

    public int Port { get; }

    /// <summary>What <see cref="CommandAsync"/> signs in with; null = nothing. Set it after <c>CONFIG SET requirepass</c>.</summary>
    public string? Password { get; set; }

    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <summary>The path of a file in the server's own folder.</summary>
    public string PathOf(string name) => Path.Combine(_directory, name);

    /// <summary>Returns once the server answers PING.</summary>
    /// <param name="options">Further arguments of redis-server; <c>{dir}</c> is its own folder, <c>{free}</c> a free port.</param>
    /// <exception cref="InvalidOperationException">redis-server is not installed, or did not come up.</exception>
    public static Task<RedisServer> StartAsync(params string[] options) => StartAsync(port => new RedisServer(port, options));

    /// <summary>
    /// A Sentinel that watches <paramref name="master"/> under the name <c>mymaster</c>, alone, and takes nobody for dead because the machine is busy.
    /// </summary>
    public static Task<RedisServer> StartSentinelAsync(RedisServer master) => StartAsync(port => new RedisServer(
        port, [], string.Create(CultureInfo.InvariantCulture, $"sentinel monitor mymaster 127.0.0.1 {master.Port} 1\nsentinel down-after-milliseconds mymaster 15000\nsentinel failover-timeout mymaster 15000\n")));

    /// <summary>Three nodes that share the slots, by redis-cli.</summary>
    public static async Task<RedisServer[]> StartClusterAsync()
    {
        var nodes = new List<RedisServer>();
        for (var i = 0; i < 3; i++)
        {
            nodes.Add(await StartAsync("--cluster-enabled", "yes", "--cluster-port", "{free}", "--cluster-node-timeout", "2000"));
        }

        var start = new ProcessStartInfo("redis-cli") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var word in (string[])["--cluster", "create", .. nodes.Select(node => node.ConnectionString), "--cluster-yes"])
        {
            start.ArgumentList.Add(word);
        }

        using var create = Process.Start(start) ?? throw new InvalidOperationException("redis-cli did not start");
        var output = create.StandardOutput.ReadToEndAsync();
        await create.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
        return create.ExitCode == 0 ? [.. nodes] : throw new InvalidOperationException(await output);
    }

    private static async Task<RedisServer> StartAsync(Func<int, RedisServer> make)
    {
        // Another process may take the port between our letting it go and redis taking it; the next one is free then.
        for (var attempt = 1; ; attempt++)
        {
            var server = make(FreePort());
            try
            {
                await server.SpawnAsync();
                return server;
            }
            catch (InvalidOperationException) when (attempt < 3 && server._process is { HasExited: true })
            {
                await server.DisposeAsync();
            }
        }
    }

    /// <summary>SIGKILL: connections break at once, everything is lost.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>SIGSTOP: connections stay open and nothing answers.</summary>
    public Task FreezeAsync() => SignalAsync("-STOP");

    /// <summary>SIGCONT: what was sent meanwhile is executed now.</summary>
    public Task ThawAsync() => SignalAsync("-CONT");

    /// <summary>Starts it again after <see cref="KillAsync"/>, on the same port, empty.</summary>
    public Task RestartAsync() => SpawnAsync();

    public Task FlushAllAsync() => CommandAsync("FLUSHALL");

    /// <summary>Runs one command on a connection of its own; bulk strings and integers as text, nil as null, arrays joined by a blank.</summary>
    /// <exception cref="InvalidOperationException">The server answered with an error.</exception>
    public async Task<string?> CommandAsync(params string[] words)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(5), TimeProvider.System);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Port, deadline.Token);
        var stream = client.GetStream();
        using var reader = new StreamReader(stream, Encoding.UTF8);
        if (Password is { } password)
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes($"AUTH {password}\r\n"), deadline.Token);
            await ReadReplyAsync(reader, deadline.Token);
        }

        var request = new StringBuilder().Append('*').Append(words.Length).Append("\r\n");
        foreach (var word in words)
        {
            request.Append('$').Append(Encoding.UTF8.GetByteCount(word)).Append("\r\n").Append(word).Append("\r\n");
        }

        await stream.WriteAsync(Encoding.UTF8.GetBytes(request.ToString()), deadline.Token);
        return await ReadReplyAsync(reader, deadline.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }

        _process?.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>A port nobody listened on a moment ago.</summary>
    public static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private static async Task<string?> ReadReplyAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        var line = await reader.ReadLineAsync(cancellationToken) ?? throw new IOException("redis-server closed the connection");
        switch (line[0])
        {
            case '-':
                throw new InvalidOperationException(line[1..]);
            case '$' when line == "$-1":
                return null;
            case '$':
                // ASCII, so that bytes are characters.
                var text = new char[int.Parse(line.AsSpan(1), CultureInfo.InvariantCulture)];
                await reader.ReadBlockAsync(text, cancellationToken);
                await reader.ReadLineAsync(cancellationToken);
                return new(text);
            case '*':
                var items = new string?[int.Parse(line.AsSpan(1), CultureInfo.InvariantCulture)];
                for (var i = 0; i < items.Length; i++)
                {
                    items[i] = await ReadReplyAsync(reader, cancellationToken);
                }

                return string.Join(' ', items);
            default:
                return line[1..];
        }
    }

    private async Task SpawnAsync()
    {
        var start = new ProcessStartInfo("redis-server") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in Arguments())
        {
            start.ArgumentList.Add(argument.Replace("{dir}", _directory, StringComparison.Ordinal)
                .Replace("{free}", FreePort().ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        }

        try
        {
            _process = Process.Start(start) ?? throw new InvalidOperationException("redis-server did not start");
        }
        catch (Win32Exception exception)
        {
            throw new InvalidOperationException("redis-server is not installed; these tests run against a real one (Debian: apt-get install redis-server)",
                exception);
        }

        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        var begin = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await CommandAsync("PING");
                return;
            }
            catch (Exception exception) when (exception is SocketException or IOException or InvalidOperationException)
            {
                if (_process.HasExited || TimeProvider.System.GetElapsedTime(begin) > TimeSpan.FromSeconds(10))
                {
                    throw new InvalidOperationException($"redis-server did not answer on port {Port}", exception);
                }

                // Polling a process of somebody else's for readiness: there is nothing to be told by.
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
            }
        }
    }

    private string[] Arguments()
    {
        var port = Port.ToString(CultureInfo.InvariantCulture);
        if (_sentinelOf is null)
        {
            return ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", _directory, "--loglevel", "warning", .. _options];
        }

        // A Sentinel writes down what it finds out, so it wants a file.
        File.WriteAllText(PathOf("sentinel.conf"), $"port {port}\nbind 127.0.0.1\ndir {_directory}\nloglevel warning\n{_sentinelOf}");
        return [PathOf("sentinel.conf"), "--sentinel"];
    }

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [signal, _process!.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        if (kill.ExitCode != 0)
        {
            throw new InvalidOperationException($"kill {signal} failed");
        }
    }
}
