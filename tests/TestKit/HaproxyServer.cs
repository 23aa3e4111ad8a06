using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace WebhookEdge.TestKit;

/// <summary>
/// A real HAProxy on a loopback port, as the load balancer in front of gateways. It reaches them from <see cref="Source"/>, so that a gateway can trust it
/// and not the test's other clients.
/// </summary>
internal sealed class HaproxyServer : IAsyncDisposable
{
    private readonly ReservedPort _port = new();
    private readonly TempDirectory _directory = new();
    private readonly StringBuilder _output = new();
    private Process? _process;

    private HaproxyServer()
    {
    }

    /// <summary>The address HAProxy's connections to the gateways come from.</summary>
    public static IPAddress Source { get; } = IPAddress.Parse("127.0.0.9");

    public IPEndPoint EndPoint => _port.EndPoint;

    /// <summary>Returns once it accepts connections.</summary>
    /// <param name="server">Further words of each <c>server</c> line, e.g. <c>send-proxy-v2</c>.</param>
    /// <param name="mode"><c>tcp</c> passes bytes through, <c>http</c> reads them.</param>
    /// <param name="to">The gateways, taken in turn.</param>
    /// <exception cref="InvalidOperationException">haproxy is not installed, refused the configuration, or did not come up.</exception>
    public static async Task<HaproxyServer> StartAsync(string server, string mode, params IPEndPoint[] to)
    {
        var haproxy = new HaproxyServer();
        try
        {
            await haproxy.SpawnAsync(Configuration(haproxy.EndPoint, server, mode, to));
            return haproxy;
        }
        catch
        {
            await haproxy.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process?.Dispose();
        _port.Dispose();
        _directory.Dispose();
    }

    private static string Configuration(IPEndPoint listen, string server, string mode, IPEndPoint[] to)
    {
        var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"""
            global
              maxconn 256
            defaults
              mode {mode}
              timeout connect 5s
              timeout client 30s
              timeout server 30s
              balance roundrobin
            frontend in
              bind {listen}
              {(mode == "http" ? "option forwardfor" : "")}
              unique-id-format %ci:%cp-%rt
              default_backend out
            backend out
              option redispatch

            """));
        for (var i = 0; i < to.Length; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"  server gateway{i} {to[i]} source {Source} {server}\n");
        }

        return text.ToString();
    }

    private async Task SpawnAsync(string configuration)
    {
        var start = new ProcessStartInfo("haproxy")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { "-db", "-f", _directory.Write("haproxy.cfg", configuration) },
        };
        try
        {
            _process = Process.Start(start) ?? throw new InvalidOperationException("haproxy did not start");
        }
        catch (Win32Exception exception)
        {
            throw new InvalidOperationException("haproxy is not installed; these tests run behind a real one (Debian: apt-get install haproxy)", exception);
        }

        _process.OutputDataReceived += (_, e) => Note(e.Data);
        _process.ErrorDataReceived += (_, e) => Note(e.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        var begin = TimeProvider.System.GetTimestamp();
        while (!await AcceptsAsync())
        {
            if (_process.HasExited || TimeProvider.System.GetElapsedTime(begin) > TimeSpan.FromSeconds(10))
            {
                throw new InvalidOperationException($"haproxy did not accept connections on {EndPoint}:\n{_output}\n{configuration}");
            }

            // Polling a process of somebody else's for readiness: there is nothing to be told by.
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
    }

    private async Task<bool> AcceptsAsync()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await probe.ConnectAsync(EndPoint);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private void Note(string? line)
    {
        lock (_output)
        {
            _output.Append(line).Append('\n');
        }
    }
}
