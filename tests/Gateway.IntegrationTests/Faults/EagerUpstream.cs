using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>What an upstream does with the rest of a request that it has answered already.</summary>
internal enum Rest
{
    Reads,
    Ignores,
    Closes,
}

/// <summary>Answers as soon as it has a request's head, before the body. A request with a header <c>X-Patient</c> is read whole first.</summary>
internal sealed class EagerUpstream : IAsyncDisposable
{
    private readonly ReservedPort _port = new();
    private readonly Socket _listener;
    private readonly ConcurrentQueue<string> _bodies = new();
    private readonly AwaitableCount _heads = new();
    private readonly CancellationTokenSource _stopped = new();
    private readonly byte[] _answer;
    private readonly Rest _rest;

    public EagerUpstream(int status, Rest rest)
    {
        _answer = Encoding.ASCII.GetBytes($"HTTP/1.1 {status} Early\r\nContent-Length: 5\r\n\r\nearly");
        _rest = rest;
        _listener = _port.Listen();
        _ = AcceptAsync();
    }

    public string Address => $"http://{_port.EndPoint}";

    /// <summary>SHA-256 of each body that came whole, in hex.</summary>
    public IReadOnlyCollection<string> Bodies => [.. _bodies];

    public int Heads => _heads.Count;

    public async ValueTask DisposeAsync()
    {
        await _stopped.CancelAsync();
        _listener.Dispose();
        _port.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptAsync());
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            var reader = new WireReader(async buffer => await socket.ReceiveAsync(buffer, SocketFlags.None, _stopped.Token));
            while (await reader.ReadThroughAsync("\r\n\r\n"u8.ToArray()) is { } head)
            {
                _heads.Increment();
                var (_, headers) = WireReader.ParseHead(head);
                var length = int.Parse(headers["Content-Length"]!);
                var patient = headers.Contains("X-Patient");
                if (!patient)
                {
                    await socket.SendAllAsync(_answer);
                    if (_rest == Rest.Ignores)
                    {
                        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _stopped.Token);
                    }

                    if (_rest == Rest.Closes)
                    {
                        return;
                    }
                }

                _bodies.Enqueue(Convert.ToHexString(SHA256.HashData(await reader.ReadExactlyAsync(length))));
                if (patient)
                {
                    await socket.SendAllAsync("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\npatient"u8.ToArray());
                }
            }
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The gateway hung up.
        }
        finally
        {
            socket.Dispose();
        }
    }
}
