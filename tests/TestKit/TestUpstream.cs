using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace WebhookEdge.TestKit;

/// <summary>One request as it arrived, complete.</summary>
/// <param name="Number">1 for the first request the upstream completed, over all connections.</param>
/// <param name="Connection">1 for the first connection the upstream accepted.</param>
/// <param name="Head">Request line and header lines with the empty line at the end, byte for byte.</param>
/// <param name="Body">The body without chunk framing.</param>
/// <param name="IsChunked">It came with <c>Transfer-Encoding: chunked</c>.</param>
internal sealed record RecordedRequest(int Number, int Connection, byte[] Head, string Method, string Target, HeaderList Headers, byte[] Body, bool IsChunked)
{
    public string HeadText => Encoding.Latin1.GetString(Head);

    public string BodyText => Encoding.UTF8.GetString(Body);
}

/// <summary>What came on a connection that ended, or broke the grammar, before its request was complete.</summary>
internal sealed record BrokenRequest(int Connection, string Fault);

/// <summary>
/// The internal app, on raw sockets: it parses requests itself, records every byte that reaches it and answers as scripted. Because no HTTP server
/// stands between, "nothing reached the upstream" can be asserted of the socket: <see cref="ConnectionCount"/> and <see cref="BytesReceived"/>.
/// It never sends <c>100 Continue</c>.
/// </summary>
internal sealed class TestUpstream : IAsyncDisposable
{
    private readonly ReservedPort _port = new();
    private readonly CancellationTokenSource _stopped = new();
    private readonly ConcurrentDictionary<Socket, int> _open = new();
    private readonly ConcurrentQueue<RecordedRequest> _requests = new();
    private readonly ConcurrentQueue<BrokenRequest> _broken = new();
    private readonly ConcurrentQueue<UpstreamAnswer> _next = new();
    private readonly AwaitableCount _completed = new();
    private readonly AwaitableCount _accepted = new();
    private readonly Lock _listening = new();
    private readonly Lock _recording = new();
    private Func<RecordedRequest, UpstreamAnswer> _respond = static _ => UpstreamAnswer.Ok;
    private volatile Socket? _listener;
    private volatile bool _resetWhileStopped;
    private long _bytesReceived;

    private TestUpstream()
    {
    }

    public IPEndPoint EndPoint => _port.EndPoint;

    /// <summary>As a route's <c>upstream</c> is written: <c>http://127.0.0.1:PORT</c>.</summary>
    public string Address => $"http://{EndPoint}";

    /// <summary>Complete requests, in the order of completion.</summary>
    public IReadOnlyList<RecordedRequest> Requests => [.. _requests];

    /// <summary>Requests that never became complete. A truncated body must not get as far as here either.</summary>
    public IReadOnlyList<BrokenRequest> BrokenRequests => [.. _broken];

    /// <summary>Connections ever accepted.</summary>
    public int ConnectionCount => _accepted.Count;

    public int OpenConnections => _open.Count;

    /// <summary>Bytes ever received, of complete requests and of anything else.</summary>
    public long BytesReceived => Interlocked.Read(ref _bytesReceived);

    public static TestUpstream Start()
    {
        var upstream = new TestUpstream();
        upstream.StartListening();
        return upstream;
    }

    /// <summary>How every request is answered from now on. A throwing function resets the connection.</summary>
    public void Respond(Func<RecordedRequest, UpstreamAnswer> respond) => _respond = respond;

    public void Respond(UpstreamAnswer answer) => _respond = _ => answer;

    /// <summary>How the next requests are answered, one answer each, before <see cref="Respond(UpstreamAnswer)"/> applies again.</summary>
    public void RespondNext(params ReadOnlySpan<UpstreamAnswer> answers)
    {
        foreach (var answer in answers)
        {
            _next.Enqueue(answer);
        }
    }

    /// <summary>The <paramref name="number"/>th request (1 = first), as soon as it is complete; it may be unanswered still.</summary>
    public async Task<RecordedRequest> WaitForRequestAsync(int number = 1, TimeSpan? within = null)
    {
        try
        {
            await Deadline.WaitAsync(_completed.WhenAsync(number), $"request {number} at the upstream", within);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}; {_completed.Count} came, {_broken.Count} broken, on {ConnectionCount} connections", e);
        }

        return Requests[number - 1];
    }

    public Task WaitForConnectionAsync(int number = 1, TimeSpan? within = null) =>
        Deadline.WaitAsync(_accepted.WhenAsync(number), $"connection {number} at the upstream", within);

    /// <summary>
    /// Refuses new connections from now on. Open ones are reset, so that a pooled connection does not hide the refusal; pass false to keep them.
    /// </summary>
    public void StopListening(bool resetConnections = true)
    {
        lock (_listening)
        {
            _resetWhileStopped = resetConnections;
            _listener?.Dispose();
            _listener = null;
        }

        if (resetConnections)
        {
            ResetConnections();
        }
    }

    /// <summary>Accepts connections again, on the same port.</summary>
    public void StartListening()
    {
        lock (_listening)
        {
            ObjectDisposedException.ThrowIf(_stopped.IsCancellationRequested, this);
            if (_listener is null)
            {
                _listener = _port.Listen();
                _ = AcceptAsync(_listener);
            }
        }
    }

    /// <summary>Resets every open connection and goes on listening.</summary>
    public void ResetConnections()
    {
        foreach (var socket in _open.Keys)
        {
            socket.Reset();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopped.CancelAsync();
        StopListening();
        _port.Dispose();
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            socket.NoDelay = true;
            _open[socket] = 0;
            if (_listener is null && _resetWhileStopped)
            {
                // Accepted in the moment of StopListening, too late for its resets.
                socket.Reset();
            }

            _ = ServeAsync(socket, _accepted.Increment());
        }
    }

    private async Task ServeAsync(Socket socket, int connection)
    {
        var reader = new WireReader(async buffer =>
        {
            var read = await socket.ReceiveAsync(buffer, SocketFlags.None);
            Interlocked.Add(ref _bytesReceived, read);
            return read;
        });

        try
        {
            var after = AfterAnswer.KeepAlive;
            while (after == AfterAnswer.KeepAlive && await ReadRequestAsync(reader, connection) is { } request)
            {
                var answer = _next.TryDequeue(out var next) ? next : _respond(request);
                foreach (var (bytes, gate) in answer.Pieces)
                {
                    if (gate is not null)
                    {
                        await gate.WaitAsync(_stopped.Token);
                    }

                    await socket.SendAllAsync(bytes, _stopped.Token);
                }

                after = answer.After;
            }

            if (after == AfterAnswer.Silence)
            {
                // Whatever still comes is counted; the peer decides when it has waited enough.
                await reader.ReadToEndAsync();
            }

            if (after != AfterAnswer.Reset)
            {
                socket.Shutdown(SocketShutdown.Send);
                socket.Dispose();
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            _broken.Enqueue(new(connection, e.Message));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            if (!reader.Pending.IsEmpty)
            {
                _broken.Enqueue(new(connection, $"the connection broke after {reader.Pending.Length} bytes of a head: {e.Message}"));
            }
        }
        catch (Exception e)
        {
            _broken.Enqueue(new(connection, $"the scripted answer threw: {e}"));
        }
        finally
        {
            socket.Reset();
            _open.TryRemove(socket, out _);
        }
    }

    private async ValueTask<RecordedRequest?> ReadRequestAsync(WireReader reader, int connection)
    {
        var head = await reader.ReadThroughAsync("\r\n\r\n"u8.ToArray());
        if (head is null)
        {
            return null;
        }

        var (line, headers) = WireReader.ParseHead(head);
        if (line.Split(' ') is not [var method, var target, "HTTP/1.1"])
        {
            throw new InvalidDataException($"'{line}' is no request line");
        }

        var codings = headers.All("Transfer-Encoding");
        var lengths = headers.All("Content-Length");
        if (codings.Length + lengths.Length > 1)
        {
            throw new InvalidDataException($"more than one framing of the body:\n{headers}");
        }

        byte[] body = [];
        if (codings is [var coding])
        {
            body = coding == "chunked" ? await reader.ReadChunkedAsync() : throw new InvalidDataException($"transfer coding '{coding}'");
        }
        else if (lengths is [var length])
        {
            body = int.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                ? await reader.ReadExactlyAsync(count)
                : throw new InvalidDataException($"Content-Length '{length}'");
        }

        lock (_recording)
        {
            var request = new RecordedRequest(_requests.Count + 1, connection, head, method, target, headers, body, codings.Length == 1);
            _requests.Enqueue(request);
            _completed.Increment();
            return request;
        }
    }
}
