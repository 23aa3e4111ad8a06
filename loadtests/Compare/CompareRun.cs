using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace WebhookEdge.LoadTests;

/// <summary>How a comparison is to be made.</summary>
internal sealed record ComparePlan
{
    public required IReadOnlyList<Contender> Contenders { get; init; }

    public required IReadOnlyList<int> Sizes { get; init; }

    public required int Rounds { get; init; }

    public required TimeSpan Round { get; init; }

    /// <summary>Of contenders that compile while they run; the others get a second.</summary>
    public required TimeSpan WarmUp { get; init; }

    public required bool Latency { get; init; }
}

/// <summary>
/// Starts the contenders on core 0 and the app, Redis and wrk on core 1, drives one contender after the other, round after round, and holds every answer
/// against what reached the app. Throws <see cref="CompareFault"/> instead of measuring something that is not so.
/// </summary>
internal sealed class CompareRun(ComparePlan plan, CompareSite site, TextWriter progress) : IDisposable
{
    private const int ContenderCore = 0;
    private const int DriverCore = 1;
    private const int ProbesAfterwards = 20;

    // Events are remembered for a second. So long must pass before wrk comes round to the same request, or starts over with the first.
    private static readonly TimeSpan Forgotten = TimeSpan.FromSeconds(1.5);

    private readonly string _script = Path.Combine(AppContext.BaseDirectory, "presigned.lua");
    private readonly byte[] _secret = Encoding.UTF8.GetBytes(site.Secret);
    private readonly List<PinnedProcess> _servers = [];
    private readonly Dictionary<string, (PinnedProcess Process, int Port)> _running = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _lastDriven = new(StringComparer.Ordinal);
    private readonly UpstreamCounter _upstream = new(site.UpstreamPort);
    private readonly Measurements _measured = new();
    private int _probes;

    public async Task<Measurements> RunAsync(CancellationToken cancellationToken)
    {
        await StartAsync(cancellationToken);
        foreach (var contender in plan.Contenders)
        {
            await VerifyAsync(contender, times: 1, cancellationToken);
        }

        foreach (var size in plan.Sizes)
        {
            await progress.WriteLineAsync($"signing requests of {size} bytes");
            foreach (var contender in plan.Contenders)
            {
                await progress.WriteLineAsync($"warming up {contender.Id}, {size} B");
                foreach (var kind in KindsOf(contender))
                {
                    var warmUp = contender.IsDotNet ? plan.WarmUp : TimeSpan.FromSeconds(1);
                    await DriveAsync(contender, size, kind, kind == RequestKind.Valid ? warmUp : warmUp / 4, cancellationToken);
                }
            }

            for (var round = 1; round <= plan.Rounds; round++)
            {
                foreach (var contender in plan.Contenders)
                {
                    foreach (var kind in KindsOf(contender))
                    {
                        var measured = await DriveAsync(contender, size, kind, plan.Round, cancellationToken);
                        _measured.Add(new(contender.Id, size, kind), measured);
                        await progress.WriteLineAsync(FormattableString.Invariant($"{size,6} B  round {round}  {contender.Id,-16} {kind,-13} {measured.Cpu.TotalMicroseconds,6:F1} us/request {measured.Rate,8:F0} requests/s"));
                    }
                }
            }

            if (plan.Latency)
            {
                await MeasureLatencyAsync(size, cancellationToken);
            }

            // wrk tells passes from refusals and not one refusal from another.
            foreach (var contender in plan.Contenders)
            {
                await VerifyAsync(contender, ProbesAfterwards, cancellationToken);
            }
        }

        foreach (var contender in plan.Contenders)
        {
            _measured.Memory[contender.Id] = ProcessTree.Memory(_running[contender.Id].Process.Id);
        }

        return _measured;
    }

    public void Dispose()
    {
        _upstream.Dispose();
        foreach (var server in _servers.AsEnumerable().Reverse())
        {
            server.Dispose();
        }
    }

    /// <summary>A port that nothing listens on now.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static IReadOnlyList<RequestKind> KindsOf(Contender contender) =>
        contender.Checks ? [RequestKind.Valid, RequestKind.Forged, RequestKind.WrongAddress] : [RequestKind.Valid];

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        await StartServerAsync("upstream", Contender.NginxAt(site, site.Write("upstream.conf", "upstream", site.UpstreamPort), "upstream"), DriverCore, site.UpstreamPort, cancellationToken);
        if (plan.Contenders.Any(static contender => contender.NeedsRedis))
        {
            var redis = new PinnedCommand("redis-server", ["--port", CompareSite.Text(site.RedisPort), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--dir", site.Folder]);
            await StartServerAsync("redis", redis, DriverCore, site.RedisPort, cancellationToken);
        }

        foreach (var contender in plan.Contenders)
        {
            var port = FreePort();
            _running[contender.Id] = (await StartServerAsync(contender.Id, contender.Command(site, port), ContenderCore, port, cancellationToken), port);
        }
    }

    private async Task<PinnedProcess> StartServerAsync(string name, PinnedCommand command, int core, int port, CancellationToken cancellationToken)
    {
        var server = await PinnedProcess.StartAsync(name, command, core, port, site.Folder, cancellationToken);
        _servers.Add(server);
        return server;
    }

    /// <summary>
    /// Valid and forged requests, some from a wrong address, and the valid one again where events are remembered: is each answered, and forwarded or not, as
    /// the contender claims to?
    /// </summary>
    private async Task VerifyAsync(Contender contender, int times, CancellationToken cancellationToken)
    {
        for (var time = 0; time < times; time++)
        {
            foreach (var kind in KindsOf(contender))
            {
                var request = Requests(contender, kind, EventBody.GitHubSmall, seed: int.MaxValue).Make(_probes++);
                await ProbeAsync(contender, kind, kind == RequestKind.Forged ? request.Forge() : request, kind == RequestKind.Valid && contender.Forwards ? 1 : 0, cancellationToken);
                if (kind == RequestKind.Valid && contender.Remembers)
                {
                    await ProbeAsync(contender, RequestKind.Replayed, request, forwards: 0, cancellationToken);
                }
            }
        }
    }

    private async Task ProbeAsync(Contender contender, RequestKind kind, SignedRequest request, int forwards, CancellationToken cancellationToken)
    {
        var target = new IPEndPoint(IPAddress.Loopback, _running[contender.Id].Port);
        var before = await _upstream.ReadAsync(cancellationToken);
        Answer answer;
        using (var connection = new HttpConnection(target))
        {
            try
            {
                answer = connection.Exchange(request.ToWire(target.ToString()));
            }
            catch (Exception e) when (e is SocketException or InvalidDataException)
            {
                throw new CompareFault($"{contender.Id} does not answer a {kind} request: {e.Message}", e);
            }
        }

        var forwarded = await _upstream.ReadAsync(cancellationToken) - before;
        var expected = ExpectedAnswer.To(kind).Status;
        if (answer.Status != expected || forwarded != forwards)
        {
            throw new CompareFault($"{contender.Id} answers a {kind} request with {answer.Status} and forwards {forwarded}; {expected} and {forwards} would be right");
        }
    }

    private async Task<Measured> DriveAsync(Contender contender, int size, RequestKind kind, TimeSpan duration, CancellationToken cancellationToken)
    {
        var file = RequestsFile(contender, size, kind);
        var (process, port) = _running[contender.Id];
        if (_lastDriven.TryGetValue(contender.Id, out var last) && Forgotten - TimeProvider.System.GetElapsedTime(last) is { Ticks: > 0 } wait)
        {
            await Task.Delay(wait, TimeProvider.System, cancellationToken);
        }

        var forwardedBefore = await _upstream.ReadAsync(cancellationToken);
        var cpuBefore = ProcessTree.CpuTime(process.Id);
        var wrk = await Wrk.RunAsync(_script, file, port, DriverCore, duration, cancellationToken);
        var cpu = ProcessTree.CpuTime(process.Id) - cpuBefore;
        var forwarded = await _upstream.ReadAsync(cancellationToken) - forwardedBefore;
        _lastDriven[contender.Id] = TimeProvider.System.GetTimestamp();
        Judge(contender, kind, wrk, forwarded);
        return new(cpu / wrk.Requests, wrk.Rate);
    }

    /// <summary>Throws unless every answer was the right one, and what was answered is what reached the app.</summary>
    internal static void Judge(Contender contender, RequestKind kind, WrkResult wrk, long forwarded)
    {
        var what = $"{contender.Id}, {kind}";
        if (wrk.Requests == 0 || wrk.SocketErrors > 0)
        {
            throw new CompareFault($"{what}: {wrk.Requests} requests, {wrk.SocketErrors} socket errors");
        }

        var refused = kind == RequestKind.Valid ? 0 : wrk.Requests;
        if (wrk.NotOk != refused)
        {
            throw new CompareFault($"{what}: {wrk.NotOk} of {wrk.Requests} answers were refusals, {refused} would be right");
        }

        // What is still under way when wrk stops was forwarded and is not counted by it. Fewer than counted means that some were
        // answered without being forwarded: taken for duplicates.
        var least = kind == RequestKind.Valid && contender.Forwards ? wrk.Requests : 0;
        var most = least == 0 ? 0 : least + (2 * Wrk.Connections);
        if (forwarded < least || forwarded > most)
        {
            throw new CompareFault($"{what}: {wrk.Requests} requests answered and {forwarded} forwarded, {least} would be right{(contender.Remembers && forwarded < least ? "; wrk came round to the same request too soon" : "")}");
        }
    }

    private async Task MeasureLatencyAsync(int size, CancellationToken cancellationToken)
    {
        // Half of what bare YARP can do, for all alike; without it in the field, half of what each one can do.
        var yardstick = _measured.Rate(new(Contender.BareYarpId, size, RequestKind.Valid)).Median / 2;
        var body = EventBody.All.FirstOrDefault(known => known.Style == SigningStyle.GitHub && known.Size == size);
        if (body is null)
        {
            await progress.WriteLineAsync($"no scenario has bodies of {size} bytes: latency not measured");
            return;
        }

        for (var round = 1; round <= plan.Rounds; round++)
        {
            foreach (var contender in plan.Contenders)
            {
                var own = _measured.Rate(new(contender.Id, size, RequestKind.Valid)).Median;
                var rate = double.IsNaN(yardstick) ? own / 2 : yardstick;
                if (rate > own * 0.9)
                {
                    await progress.WriteLineAsync(FormattableString.Invariant($"{size,6} B  round {round}  {contender.Id,-16} cannot do {rate:F0}/s: no latency"));
                    continue;
                }

                var figures = await RunScenarioAsync(contender, $"valid/{body.Name}", (int)rate, size, cancellationToken);
                if (figures.Errors > 0)
                {
                    throw new CompareFault($"{contender.Id} at half load: {figures.Errors} wrong or missing answers");
                }

                _measured.Add(contender.Id, size, new(figures.Rate, figures.P50, figures.P99));
                await progress.WriteLineAsync(FormattableString.Invariant($"{size,6} B  round {round}  {contender.Id,-16} at {figures.Rate:F0}/s: p50 {figures.P50:F3} ms, p99 {figures.P99:F3} ms"));
            }
        }
    }

    private async Task<RunFigures> RunScenarioAsync(Contender contender, string scenario, int rate, int size, CancellationToken cancellationToken)
    {
        // As long as a round, as far as the different bodies fit into half a gigabyte.
        var seconds = Math.Clamp((int)((512L << 20) / ((long)size * rate)), 1, Math.Max(1, (int)plan.Round.TotalSeconds));
        var figures = Path.Combine(site.Folder, "figures.json");
        var start = new ProcessStartInfo("taskset") { UseShellExecute = false, RedirectStandardOutput = true };
        start.Environment[LoadRoutes.SecretVariable] = site.Secret;

        // The load generator's own compiling in the background would show in the percentiles.
        start.Environment["DOTNET_TieredCompilation"] = "0";
        foreach (var argument in (IEnumerable<string>)
        [
            "-c", CompareSite.Text(DriverCore), Environment.ProcessPath!, .. Contender.SelfPrefix, "run", "--target", $"127.0.0.1:{_running[contender.Id].Port}", "--scenario", scenario,
            "--rate", CompareSite.Text(rate), "--seconds", CompareSite.Text(seconds), "--warmup", "2", "--json", figures,
        ])
        {
            start.ArgumentList.Add(argument);
        }

        File.Delete(figures);
        using var run = Process.Start(start) ?? throw new CompareFault("the load generator did not start");
        var output = await run.StandardOutput.ReadToEndAsync(cancellationToken);
        await run.WaitForExitAsync(cancellationToken);
        _lastDriven[contender.Id] = TimeProvider.System.GetTimestamp();

        // Its thresholds are not ours: only what it measured counts.
        return File.Exists(figures) && JsonSerializer.Deserialize<RunFigures[]>(await File.ReadAllBytesAsync(figures, cancellationToken)) is [var only]
            ? only
            : throw new CompareFault($"{contender.Id} at half load: {output}");
    }

    private SignedRequests Requests(Contender contender, RequestKind kind, EventBody body, int seed) =>
        new(body, _secret, kind == RequestKind.WrongAddress ? contender.Elsewhere : LoadRoutes.PathOf(SigningStyle.GitHub, kind), seed);

    /// <summary>The same file for all contenders that take the same requests. Large enough that it takes wrk more than a second to come round.</summary>
    private string RequestsFile(Contender contender, int size, RequestKind kind)
    {
        var path = kind == RequestKind.WrongAddress ? contender.Elsewhere.Replace('/', '-') : "";
        var file = Path.Combine(site.Folder, $"{kind}-{size}{path}.requests");
        if (!File.Exists(file))
        {
            var count = kind != RequestKind.Valid ? 1000 : size <= 2000 ? 100_000 : 40_000;
            var requests = Requests(contender, kind, EventBody.Filled("compared", SigningStyle.GitHub, size), RandomNumberGenerator.GetInt32(1 << 30));
            using var stream = new BufferedStream(File.Create(file), 1 << 20);
            RequestFile.Write(
                stream,
                Enumerable.Range(0, count).Select(number => kind == RequestKind.Forged ? requests.Make(number).Forge() : requests.Make(number)).Select(static request => request.ToWire("hooks.example.com")),
                withLengths: true);
        }

        return file;
    }
}
