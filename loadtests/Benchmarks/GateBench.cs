using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using WebhookEdge.Cli;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Routes;
using WebhookEdge.Verdicts;

namespace WebhookEdge.LoadTests;

/// <summary>
/// A route compiled as serving compiles it, and the gate's work on one request without server and network: open, decide, settle, return the body, reset.
/// Bodies come through a real pipe and stay in its buffers, as they do in Kestrel. Headers are ASP.NET Core's plain dictionary; Kestrel's own differs in
/// how it looks up a name, not in what our code asks of it.
/// </summary>
internal sealed class GateBench : IDisposable
{
    private static readonly ForwardOutcome Accepted = new(200);

    // Longer than any event is remembered.
    private static readonly TimeSpan Later = TimeSpan.FromDays(31);

    private readonly OfflineGateway _gateway;
    private readonly DirectoryInfo _folder;
    private readonly Delivery _delivery = new();
    private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0, useSynchronizationContext: false));

    private GateBench(OfflineGateway gateway, DirectoryInfo folder, JumpingTime time, RoutePolicy policy)
    {
        _gateway = gateway;
        _folder = folder;
        Time = time;
        Policy = policy;
    }

    public static byte[] Secret { get; } = Encoding.UTF8.GetBytes("a-secret-for-benchmarks-of-40-characters");

    public static ClientAddress Here { get; } = ClientAddress.From(IPAddress.Loopback);

    public JumpingTime Time { get; }

    public RoutePolicy Policy { get; }

    /// <summary>The GitHub preset on <c>/hooks/github</c>, replay in memory.</summary>
    /// <param name="allow">The route's addresses; null = this machine's.</param>
    /// <param name="secrets">How many secrets are active. Requests are signed with the first.</param>
    public static GateBench Create(IReadOnlyList<string>? allow = null, int secrets = 1)
    {
        var folder = Directory.CreateTempSubdirectory("webhookedge-bench-");
        var names = new List<string>();
        for (var i = 0; i < secrets; i++)
        {
            var path = Path.Combine(folder.FullName, string.Create(CultureInfo.InvariantCulture, $"secret-{i}"));
            File.WriteAllBytes(path, i == 0 ? Secret : [.. Secret, .. Encoding.ASCII.GetBytes(CompareSite.Text(i))]);
            names.Add($"\"file:{path}\"");
        }

        var routes = $$"""
            { "routes": { "github": {
                "path": "/hooks/github", "provider": "github", "upstream": "http://127.0.0.1:9",
                "secrets": [{{string.Join(", ", names)}}],
                "allow": [{{string.Join(", ", (allow ?? ["127.0.0.1"]).Select(static entry => $"\"{entry}\""))}}] } } }
            """;
        var time = new JumpingTime();
        var gateway = new OfflineGateway(time);
        var loaded = gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(routes), CompileMode.WithSecrets, CancellationToken.None).GetAwaiter().GetResult();
        return loaded.Compiled is { } compiled
            ? new(gateway, folder, time, gateway.Pools.Acquire(compiled).Policies["github"])
            : throw new InvalidOperationException(string.Join('\n', loaded.Problems.Select(static problem => problem.ToString())));
    }

    /// <summary>Requests as the gate gets them: the body, and the headers the sender would put beside it.</summary>
    public static GateRequest[] Requests(int count, int size, bool forged = false, int seed = 1)
    {
        var requests = new SignedRequests(EventBody.Filled("bench", SigningStyle.GitHub, size), Secret, "/hooks/github", seed);
        return
        [
            .. Enumerable.Range(0, count).Select(number =>
            {
                var request = forged ? requests.Make(number).Forge() : requests.Make(number);
                return new GateRequest(
                    new HeaderDictionary
                    {
                        ["Host"] = "hooks.example.com", ["Content-Type"] = "application/json", ["User-Agent"] = "GitHub-Hookshot/0000000", ["Accept"] = "*/*",
                        ["X-GitHub-Event"] = "push", ["X-GitHub-Delivery"] = "00000000-0000-4000-8000-000000000000", [request.SignatureHeader] = request.Signature,
                    },
                    request.Body);
            }),
        ];
    }

    /// <summary>The gate on one request; what passes is settled as delivered.</summary>
    public Verdict Decide(GateRequest request, ClientAddress client)
    {
        _pipe.Writer.Write(request.Body);
        _pipe.Writer.Complete();
        _delivery.Open(Policy, "POST", "/hooks/github", client, request.Headers, request.Body.Length, _pipe.Reader);
        var deciding = Policy.DecideAsync(_delivery, CancellationToken.None);
        var verdict = deciding.IsCompletedSuccessfully ? deciding.Result : throw new InvalidOperationException("the gate waited");
        if (_delivery.Claim is { } claim)
        {
            _delivery.Claim = null;
            var settling = claim.SettleAsync(Accepted);
            if (!settling.IsCompletedSuccessfully)
            {
                throw new InvalidOperationException("settling waited");
            }
        }

        _delivery.ReturnBody();
        if (_pipe.Reader.TryRead(out var unread))
        {
            // Of a request that was refused before its body was read: the server drains it.
            _pipe.Reader.AdvanceTo(unread.Buffer.End);
        }

        _gateway.Capacity.Release(_delivery);
        _delivery.Reset();
        _pipe.Reader.Complete();
        _pipe.Reset();
        return verdict;
    }

    /// <summary>A delivery whose body is there, for one check alone.</summary>
    public Delivery Hold(GateRequest request, ClientAddress client)
    {
        var delivery = new Delivery();
        delivery.Open(Policy, "POST", "/hooks/github", client, request.Headers, request.Body.Length, PipeReader.Create(Stream.Null));
        delivery.HoldBody(new(request.Body));
        return delivery;
    }

    public IGateCheck CheckOf(Stage stage) => Policy.Checks.First(check => check.Stage == stage);

    /// <summary>Forgets every event.</summary>
    public void Forget() => Time.Jump(Later);

    public void Dispose()
    {
        _gateway.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _folder.Delete(recursive: true);
    }
}

/// <summary>One request as the gate gets it.</summary>
internal sealed record GateRequest(IHeaderDictionary Headers, byte[] Body);
