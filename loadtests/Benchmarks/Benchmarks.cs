using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using WebhookEdge.Authentication;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.Verdicts;

namespace WebhookEdge.LoadTests;

/// <summary>One address in a set: the cost must not grow with the set.</summary>
[MemoryDiagnoser]
public class AddressLookup
{
    private const int Count = 4096;

    private readonly ClientAddress[] _addresses = SyntheticNetworks.Addresses(Count);
    private CidrSet _set = CidrSet.Empty;

    [Params(1, 1363, 16_828)]
    public int Prefixes { get; set; }

    [GlobalSetup]
    public void Setup() => _set = CidrSet.Create(SyntheticNetworks.Make(Prefixes));

    [Benchmark(OperationsPerInvoke = Count)]
    public int Contains()
    {
        var inside = 0;
        foreach (var address in _addresses)
        {
            inside += _set.Contains(address) ? 1 : 0;
        }

        return inside;
    }
}

/// <summary>Reading a signature header.</summary>
[MemoryDiagnoser]
public class HeaderParsing
{
    private readonly ParsedSignature _parsed = new();
    private readonly SignatureHeader _gitHub = new(MacEncoding.Hex, 32, "sha256=", null);
    private readonly SignatureHeader _stripe = new(MacEncoding.Hex, 32, "", new(",", null, "=", "v1", "t"));
    private readonly string _gitHubLine = "sha256=" + new string('a', 64);
    private readonly string _stripeLine = "t=1700000000,v1=" + new string('a', 64) + ",v0=" + new string('b', 64);

    [Benchmark]
    public bool GitHub() => Parse(_gitHub, _gitHubLine);

    [Benchmark]
    public bool Stripe() => Parse(_stripe, _stripeLine);

    private bool Parse(SignatureHeader header, string line)
    {
        _parsed.Clear(1);
        return header.Parse(line, _parsed).Passed;
    }
}

/// <summary>The signature check, header included, against the bare hash over the same bytes; and how it grows with secrets of which the first matches.</summary>
[MemoryDiagnoser]
public class Hmac
{
    private readonly byte[] _mac = new byte[HMACSHA256.HashSizeInBytes];
    private GateBench? _one;
    private GateBench? _sixteen;
    private Delivery? _delivery;
    private IGateCheck? _checkOfOne;
    private IGateCheck? _checkOfSixteen;
    private byte[] _body = [];

    [Params(600, 12 * 1024)]
    public int Size { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _one = GateBench.Create();
        _sixteen = GateBench.Create(secrets: 16);
        var request = GateBench.Requests(1, Size)[0];
        _body = request.Body;
        _delivery = _one.Hold(request, GateBench.Here);
        _checkOfOne = _one.CheckOf(Stage.Signature);
        _checkOfSixteen = _sixteen.CheckOf(Stage.Signature);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _one?.Dispose();
        _sixteen?.Dispose();
    }

    [Benchmark(Baseline = true)]
    public int BareHash() => HMACSHA256.HashData(GateBench.Secret, _body, _mac);

    [Benchmark]
    public bool Verify() => Passes(_checkOfOne!);

    [Benchmark]
    public bool VerifyWithSixteenSecrets() => Passes(_checkOfSixteen!);

    private bool Passes(IGateCheck check)
    {
        var checking = check.CheckAsync(_delivery!, CancellationToken.None);
        return checking.IsCompletedSuccessfully && checking.Result.Passed;
    }
}

/// <summary>Claiming an event's key in memory and remembering its delivery.</summary>
[MemoryDiagnoser]
public class ReplayMemory
{
    private readonly MemoryReplayStore _store = new(TimeProvider.System, 100_000);
    private readonly byte[] _digest = RandomNumberGenerator.GetBytes(EventKey.Size);
    private readonly EventKey _known = new(RandomNumberGenerator.GetBytes(EventKey.Size));
    private ulong _owner;

    [GlobalSetup]
    public void Setup()
    {
        // Full from the start: a new key has to make room, as it does for ever after.
        for (var i = 0; i < 120_000; i++)
        {
            ClaimAndCommit();
        }

        _store.TryCommit(_known, 200, TimeSpan.FromHours(72));
    }

    [Benchmark]
    public bool ClaimAndCommit()
    {
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(_digest, ++_owner * 0x9E3779B97F4A7C15);
        var key = new EventKey(_digest);
        _store.TryClaim(key, _owner, TimeSpan.FromSeconds(10), out var answer);
        _store.TryCommit(key, 200, TimeSpan.FromHours(72));
        return answer.State == ClaimState.Claimed;
    }

    [Benchmark]
    public bool FindDuplicate() => _store.TryClaim(_known, 1, TimeSpan.FromSeconds(10), out _);
}

/// <summary>Every check of a route on one request, the body in a pipe: what our code costs, without server and network.</summary>
[MemoryDiagnoser]
public class WholeGate
{
    private const int Count = 256;

    private readonly ClientAddress _elsewhere = ClientAddress.FromIPv4(0xC0000201);
    private GateBench? _bench;
    private GateRequest[] _valid = [];
    private GateRequest[] _forged = [];

    [Params(600, 12 * 1024)]
    public int Size { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _bench = GateBench.Create();
        _valid = GateBench.Requests(Count, Size);
        _forged = GateBench.Requests(Count, Size, forged: true);
    }

    [GlobalCleanup]
    public void Cleanup() => _bench?.Dispose();

    [Benchmark(Baseline = true, OperationsPerInvoke = Count)]
    public int Forwarded()
    {
        _bench!.Forget();
        return Run(_valid, GateBench.Here);
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public int Forged() => Run(_forged, GateBench.Here);

    [Benchmark(OperationsPerInvoke = Count)]
    public int WrongAddress() => Run(_valid, _elsewhere);

    private int Run(GateRequest[] requests, ClientAddress client)
    {
        var passed = 0;
        foreach (var request in requests)
        {
            passed += _bench!.Decide(request, client).Passed ? 1 : 0;
        }

        return passed;
    }
}

/// <summary>The whole gate on a route that names few addresses, and one that names ten thousand.</summary>
[MemoryDiagnoser]
public class AddressGrowth
{
    private const int Count = 256;

    private GateBench? _bench;
    private GateRequest[] _valid = [];

    [Params(1, 10_000)]
    public int Addresses { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _bench = GateBench.Create(allow: ["127.0.0.1", .. Enumerable.Range(0, Addresses - 1).Select(static i => $"10.{i >> 8 & 255}.{i & 255}.0/26")]);
        _valid = GateBench.Requests(Count, 600);
    }

    [GlobalCleanup]
    public void Cleanup() => _bench?.Dispose();

    [Benchmark(OperationsPerInvoke = Count)]
    public int Forwarded()
    {
        _bench!.Forget();
        var passed = 0;
        foreach (var request in _valid)
        {
            passed += _bench.Decide(request, GateBench.Here).Passed ? 1 : 0;
        }

        return passed;
    }
}

/// <summary>Finding a route's endpoint among few and many: ASP.NET Core's router, which the gateway uses as it is.</summary>
[MemoryDiagnoser]
public class RouteGrowth
{
    private WebApplication? _application;
    private RequestDelegate? _pipeline;
    private DefaultHttpContext? _context;

    [Params(1, 1000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _application = WebApplication.CreateSlimBuilder().Build();
        var pipeline = ((IApplicationBuilder)_application).New();
        pipeline.UseRouting();
        pipeline.UseEndpoints(endpoints =>
        {
            for (var i = 0; i < Routes; i++)
            {
                endpoints.Map($"/hooks/{(i == Routes / 2 ? "github" : $"route-{i}")}", static _ => Task.CompletedTask);
            }
        });
        _pipeline = pipeline.Build();
        _context = new() { RequestServices = _application.Services };
        _context.Request.Method = "POST";
        _context.Request.Path = "/hooks/github";
    }

    [GlobalCleanup]
    public Task CleanupAsync() => _application?.DisposeAsync().AsTask() ?? Task.CompletedTask;

    [Benchmark]
    public int Route()
    {
        var context = _context!;
        context.SetEndpoint(null);
        _pipeline!(context).GetAwaiter().GetResult();
        return context.GetEndpoint() is null ? throw new InvalidOperationException("no route matched") : context.Response.StatusCode;
    }
}
