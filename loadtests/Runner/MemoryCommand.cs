using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace WebhookEdge.LoadTests;

/// <summary>
/// <c>memory</c>: many large bodies in flight at once. Each connection sends all of its body but the last byte; when all have, the last bytes follow. All the
/// while the gateway's memory is read. It must not grow by more than twice the bound on buffered bodies (blocks are not full, what is refused is read and thrown away, the collector is late), what does not fit must be refused with 503,
/// and everything else answered with 200.
/// </summary>
internal static class MemoryCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static Command Create()
    {
        var connections = new Option<int>("--connections", "-c") { Description = "Bodies in flight.", DefaultValueFactory = _ => 1000 };
        var size = new Option<int>("--size") { Description = "Bytes of each body.", DefaultValueFactory = _ => 1_000_000 };
        var bound = new Option<int>("--bound") { Description = "The gateway's bufferedBodies in MiB, for the judgement; the routes of `target` leave it at its default.", DefaultValueFactory = _ => 256 };
        var command = new Command("memory", "Hold large bodies in flight in a gateway of its own and read its memory. Fails when it grows by more than twice the bound, or a body gets neither 200 nor 503.") { connections, size, bound };
        Arguments.Within(connections, 1, 20_000);
        Arguments.Within(size, 64, 64 << 20);
        Arguments.Within(bound, 1, 1 << 20);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(connections), parsed.GetValue(size), (long)parsed.GetValue(bound) << 20, parsed.InvocationConfiguration.Output, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int connections, int size, long bound, TextWriter output, CancellationToken cancellationToken)
    {
        var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        await using var app = await TargetCommand.StartAppAsync(cancellationToken);
        using var target = await LocalTarget.StartAsync(secret, cancellationToken, app.Urls.First());
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        var before = ProcessTree.Memory(target.ProcessId!.Value);
        var senders = Enumerable.Range(0, connections).Select(number => new Sender(target, Encoding.UTF8.GetBytes(secret), number, size)).ToList();
        try
        {
            using var done = new CancellationTokenSource();
            var watching = Task.Run(() => Peak(target.ProcessId.Value, done.Token), CancellationToken.None);
            await Task.WhenAll(senders.Select(sender => sender.BeginAsync(patience.Token)));
            await Task.WhenAll(senders.Select(sender => sender.EndAsync(patience.Token)));
            await done.CancelAsync();
            var peak = await watching;

            var accepted = senders.Count(static sender => sender.Status == 200);
            var refused = senders.Count(static sender => sender.Status == 503);
            var lost = connections - accepted - refused;
            await output.WriteLineAsync(FormattableString.Invariant($"{connections} bodies of {size} bytes: {accepted} taken, {refused} refused with 503, {lost} without either answer"));
            await output.WriteLineAsync(FormattableString.Invariant($"memory: {before >> 20} MiB before, {peak >> 20} MiB at its highest; bound on bodies {bound >> 20} MiB"));
            return lost == 0 && peak - before <= 2 * bound ? 0 : 1;
        }
        finally
        {
            senders.ForEach(static sender => sender.Dispose());
        }
    }

    private static long Peak(int process, CancellationToken done)
    {
        var peak = 0L;
        while (!done.IsCancellationRequested)
        {
            peak = Math.Max(peak, ProcessTree.Memory(process));
            done.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(20));
        }

        return peak;
    }

    private sealed class Sender : IDisposable
    {
        private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        private readonly LocalTarget _target;
        private readonly byte[] _wire;
        private readonly byte[] _answer = new byte[1024];
        private Task<int>? _reading;

        public Sender(LocalTarget target, byte[] secret, int number, int size)
        {
            _target = target;
            var body = new byte[size];
            Array.Fill(body, (byte)' ');
            Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)).CopyTo(body, 0);
            _wire = new SignedRequest(LoadRoutes.PathOf(SigningStyle.GitHub), SigningStyle.GitHub.Header, SigningStyle.GitHub.Prefix + Convert.ToHexStringLower(HMACSHA256.HashData(secret, body)), body).ToWire(target.Address.ToString());
        }

        /// <summary>What the gateway answered, 0 for nothing.</summary>
        public int Status { get; private set; }

        /// <summary>Sends everything but the last byte, or as much as the gateway takes before it refuses.</summary>
        public async Task BeginAsync(CancellationToken cancellationToken)
        {
            await _socket.ConnectAsync(_target.Address, cancellationToken);
            _reading = _socket.ReceiveAsync(_answer, cancellationToken).AsTask();
            var sending = SendAsync(_wire.AsMemory(..^1), cancellationToken);
            await Task.WhenAny(sending, _reading);
        }

        public async Task EndAsync(CancellationToken cancellationToken)
        {
            try
            {
                if (!_reading!.IsCompleted)
                {
                    await SendAsync(_wire.AsMemory(^1..), cancellationToken);
                }

                var line = Encoding.ASCII.GetString(_answer, 0, await _reading);
                Status = line.StartsWith("HTTP/1.1 ", StringComparison.Ordinal) ? int.Parse(line.AsSpan(9, 3), CultureInfo.InvariantCulture) : 0;
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                Status = 0;
            }
        }

        public void Dispose() => _socket.Dispose();

        private async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            try
            {
                while (!bytes.IsEmpty)
                {
                    bytes = bytes[await _socket.SendAsync(bytes, cancellationToken)..];
                }
            }
            catch (SocketException)
            {
                // Refused, and the connection closed: the answer says so.
            }
        }
    }
}
