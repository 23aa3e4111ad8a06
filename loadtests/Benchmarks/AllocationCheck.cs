using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using WebhookEdge.Authentication;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.Verdicts;

namespace WebhookEdge.LoadTests;

/// <summary>What a path allocated for each request, and what it may.</summary>
internal sealed record AllocationRow(string Path, double Bytes, int Bound)
{
    public bool Holds => Bytes <= Bound;
}

/// <summary>
/// Counts bytes allocated by our code for one request, path by path. Bytes and not seconds, so that the answer is the same on a busy machine:
/// this is the guard that runs with the tests.
/// </summary>
internal static class AllocationCheck
{
    /// <summary>
    /// The enumerator of the header walk in <c>Delivery.HeaderLines</c>, boxed because the walk goes through <c>IHeaderDictionary</c>. Of the plain dictionary
    /// used here; Kestrel's own is as large or larger.
    /// </summary>
    public const int HeaderWalk = 56;

    private const int Requests = 512;
    private const int Rounds = 4;

    /// <summary>Every path with its bound, measured now.</summary>
    public static IReadOnlyList<AllocationRow> Run() => [.. Gate(600), .. Gate(12 * 1024), .. Parts()];

    private static IEnumerable<AllocationRow> Gate(int size)
    {
        using var bench = GateBench.Create();
        var valid = GateBench.Requests(Requests, size);
        var forged = GateBench.Requests(Requests, size, forged: true);
        var elsewhere = ClientAddress.From(IPAddress.Parse("192.0.2.1"));
        var missing = valid.Select(static request => request with { Headers = new Microsoft.AspNetCore.Http.HeaderDictionary { ["Host"] = "hooks.example.com" } }).ToArray();

        yield return Measure(FormattableString.Invariant($"gate, forwarded, {size} B"), HeaderWalk, valid, bench.Forget, request => bench.Decide(request, GateBench.Here), null);
        yield return Measure(FormattableString.Invariant($"gate, duplicate, {size} B"), HeaderWalk, valid, Nothing, request => bench.Decide(request, GateBench.Here), RejectReason.Duplicate);
        yield return Measure(FormattableString.Invariant($"gate, forged, {size} B"), HeaderWalk, forged, Nothing, request => bench.Decide(request, GateBench.Here), RejectReason.SignatureMismatch);
        yield return Measure(FormattableString.Invariant($"gate, no signature, {size} B"), HeaderWalk, missing, Nothing, request => bench.Decide(request, GateBench.Here), RejectReason.SignatureMissing);
        yield return Measure(FormattableString.Invariant($"gate, wrong address, {size} B"), HeaderWalk, valid, Nothing, request => bench.Decide(request, elsewhere), RejectReason.AddressNotAllowed);
    }

    private static IEnumerable<AllocationRow> Parts()
    {
        var set = CidrSet.Create(SyntheticNetworks.All);
        var addresses = SyntheticNetworks.Addresses(Requests);
        yield return Measure("address lookup", 0, addresses, Nothing, address => { set.Contains(address); return Verdict.Pass; }, null);

        var header = new SignatureHeader(MacEncoding.Hex, 32, "sha256=", null);
        var lines = GateBench.Requests(Requests, 64).Select(static request => request.Headers["X-Hub-Signature-256"].ToString()).ToArray();
        var parsed = new ParsedSignature();
        yield return Measure("signature header", 0, lines, Nothing, line => { parsed.Clear(1); return header.Parse(line, parsed); }, null);

        var store = new MemoryReplayStore(TimeProvider.System, 4096);
        var owner = 0UL;
        var keys = lines.Select(static line => new EventKey(Convert.FromHexString(line.AsSpan(7)))).ToArray();
        yield return Measure("replay claim and commit in memory", 0, keys, () => Array.ForEach(keys, key => store.Forget(key)), key =>
        {
            store.TryClaim(key, ++owner, TimeSpan.FromSeconds(10), out var answer);
            store.TryCommit(key, 200, TimeSpan.FromHours(72));
            return answer.State == ClaimState.Claimed ? Verdict.Pass : Verdict.Reject(RejectReason.Duplicate);
        }, null);
    }

    /// <summary>Runs the path over every item, some rounds to settle pools, blocks and the JIT, and one that counts.</summary>
    private static AllocationRow Measure<T>(string path, int bound, T[] items, Action beforeRound, Func<T, Verdict> act, RejectReason? expected)
    {
        var least = long.MaxValue;
        for (var round = 0; round < Rounds; round++)
        {
            beforeRound();
            var right = 0;
            var before = GC.GetAllocatedBytesForCurrentThread();
            foreach (var item in items)
            {
                var verdict = act(item);
                right += (verdict.Passed ? null : (RejectReason?)verdict.Reason) == expected ? 1 : 0;
            }

            // The runtime itself may allocate on a thread once, for a method compiled anew, say; our code does so with every request.
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            if (right != items.Length)
            {
                throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"{path}: {right} of {items.Length} requests were decided as they should be"));
            }
        }

        return new(path, (double)least / items.Length, bound);
    }

    private static void Nothing()
    {
    }
}
