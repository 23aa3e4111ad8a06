using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Authentication;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Authentication;

/// <summary>Compiles a scheme and runs its checks over hand-made requests, at a time that stands still.</summary>
internal sealed class SchemeHarness
{
    public const string Path = "/hooks/acme";

    public static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    private readonly FixedTime _time;

    private SchemeHarness(CompiledScheme scheme, SchemeSpec spec, byte[][] secrets, FixedTime time)
    {
        Scheme = scheme;
        Spec = spec;
        Secrets = secrets;
        _time = time;
    }

    public CompiledScheme Scheme { get; }

    public SchemeSpec Spec { get; }

    public byte[][] Secrets { get; }

    public static string PublicUrl => "https://hooks.example.com";

    public DateTimeOffset Clock
    {
        get => _time.Value;
        set => _time.Value = value;
    }

    public static SchemeHarness Create(SchemeSpec spec, params string[] secrets) => CreateAt(PublicUrl, Path, spec, secrets);

    public static SchemeHarness CreateAt(string publicUrl, string path, SchemeSpec spec, params string[] secrets) =>
        CreateWith(null, publicUrl, path, spec, secrets);

    public static SchemeHarness CreateWith(WebhookEdge.Authentication.Verifiers.RemoteKeys? keys, string publicUrl, string path, SchemeSpec spec,
        params string[] secrets)
    {
        var harness = Compile(keys, publicUrl, path, spec, secrets, out var problems);
        Assert.True(harness is not null, string.Join('\n', problems));
        return harness;
    }

    /// <summary>Null when scheme and secrets do not load.</summary>
    public static SchemeHarness? TryCreateAt(string publicUrl, string path, SchemeSpec spec, params string[] secrets) =>
        Compile(null, publicUrl, path, spec, secrets, out _);

    private static SchemeHarness? Compile(WebhookEdge.Authentication.Verifiers.RemoteKeys? keys, string publicUrl, string path, SchemeSpec spec,
        string[] secrets, out List<ConfigProblem> problems)
    {
        secrets = secrets.Length == 0 ? ["a-secret-of-thirty-two-characters"] : secrets;
        var time = new FixedTime { Value = Now };
        problems = [];
        var bytes = secrets.Select(Encoding.UTF8.GetBytes).ToArray();
        var compiled = SchemeCompiler.Compile(spec, [.. bytes.Select((value, i) => new Secret($"env:SECRET_{i}", value))], new(publicUrl, path, time, keys),
            problems, "schemes.acme");
        return compiled is null ? null : new(compiled, spec, bytes, time);
    }

    public static List<ConfigProblem> Problems(SchemeSpec spec, string? publicUrl = "https://hooks.example.com") =>
        [.. SchemeCompiler.Validate(spec, new(publicUrl, Path, TimeProvider.System), "s")];

    public static Delivery Deliver(IEnumerable<KeyValuePair<string, StringValues>> headers, ReadOnlySequence<byte> body, string method = "POST",
        string target = Path)
    {
        var dictionary = new HeaderDictionary();
        foreach (var (name, value) in headers)
        {
            dictionary[name] = value;
        }

        var delivery = new Delivery();
        delivery.Open(RoutePolicy.None, method, target, default, dictionary, body.Length, PipeReader.Create(Stream.Null));
        delivery.HoldBody(body);
        return delivery;
    }

    public static Delivery Deliver(IEnumerable<KeyValuePair<string, string>> headers, string body = "{}", string method = "POST", string target = Path) =>
        Deliver(headers.Select(header => KeyValuePair.Create(header.Key, new StringValues(header.Value))), new(Encoding.UTF8.GetBytes(body)), method, target);

    /// <summary>What a sender with the first secret (or another) would send.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Sign(string body = "{}", int secret = 0, DateTimeOffset? at = null, string? id = null,
        string target = Path, string method = "POST", Dictionary<string, string>? signedHeaders = null) =>
        RequestSigner.Sign(Spec, Secrets[secret], method, PublicUrl + target, Encoding.UTF8.GetBytes(body), at ?? Clock, id, signedHeaders);

    /// <summary>Checks of signatures wait for nothing, so that a test may ask them synchronously and count what they allocate.</summary>
    public static Verdict Run(IGateCheck check, Delivery delivery)
    {
        var pending = check.CheckAsync(delivery, CancellationToken.None);
        return pending.IsCompletedSuccessfully ? pending.Result : throw new InvalidOperationException("the check waited");
    }

    /// <summary>Runs the checks in order, as a route does.</summary>
    public Verdict Decide(Delivery delivery)
    {
        var verdict = default(Verdict);
        foreach (var check in Scheme.Checks)
        {
            verdict = Run(check, delivery);
            if (!verdict.Passed)
            {
                return verdict;
            }
        }

        return verdict;
    }

    public Verdict Decide(IEnumerable<KeyValuePair<string, string>> headers, string body = "{}", string method = "POST", string target = Path) =>
        Decide(Deliver(headers, body, method, target));

    private sealed class FixedTime : TimeProvider
    {
        public DateTimeOffset Value { get; set; }

        public override DateTimeOffset GetUtcNow() => Value;
    }
}

internal static class VerdictAssert
{
    public static void Refused(RejectReason reason, Verdict verdict)
    {
        Assert.False(verdict.Passed);
        Assert.Equal(reason, verdict.Reason);
        Assert.NotNull(verdict.Detail);
    }

    public static void Refused(string slug, Verdict verdict)
    {
        Assert.True(RejectReasons.TryParse(slug, out var reason));
        Refused(reason, verdict);
    }
}
