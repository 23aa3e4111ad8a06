using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using WebhookEdge.Authentication;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Routes;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Cli;

/// <summary>
/// Why a signature does not match: tries the mistakes people make, one at a time and then two together, by compiling the scheme with the mistake in it and
/// running the gateway's own checks. What it names fits; what does not fit it does not name. Secrets appear by their reference only.
/// </summary>
internal sealed class MistakeFinder
{
    private const int MostPairs = 5;

    private readonly RecordedRequest _request;
    private readonly RoutesFile _file;
    private readonly string _path;
    private readonly DateTimeOffset _now;
    private readonly List<(SchemeSpec Scheme, List<(string Id, byte[] Value)> Secrets)> _checks = [];
    private readonly List<(string Description, byte[] Value)> _others = [];

    public MistakeFinder(RoutesFile file, string routeId, RecordedRequest request, DateTimeOffset now, IReadOnlyList<string> further)
    {
        _file = file;
        _request = request;
        _now = now;
        var route = file.Routes![routeId];
        _path = route.Path!.EndsWith("/{**rest}", StringComparison.Ordinal) ? route.Path[..^"{**rest}".Length] : route.Path;
        var own = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (scheme, references) in ChecksOf(route))
        {
            if (SchemeNames.Resolve(file, scheme) is not { } spec)
            {
                continue;
            }

            own.UnionWith(references);
            _checks.Add((spec,
                [.. references.Select(static reference => (reference, Value: Resolve(reference))).Where(static s => s.Value is { Length: > 0 })
                .Select(static s => (s.reference, s.Value!))]));
        }

        CollectOthers(routeId, own, further);
    }

    /// <summary>Sentences, most likely first; empty when nothing fits.</summary>
    public async Task<IReadOnlyList<string>> FindAsync(CancellationToken cancellationToken)
    {
        var found = new List<string>();
        foreach (var (scheme, secrets) in _checks)
        {
            var asWritten = new SigningAttempt(scheme, default!, _request.Body, _file.Edge?.PublicUrl);
            var holds = false;
            foreach (var (id, value) in secrets)
            {
                holds |= await HoldsAsync(asWritten with { Secret = value, SecretId = id }, anyTime: false, cancellationToken);
            }

            if (!holds)
            {
                found.AddRange(await FindAsync(asWritten, secrets, cancellationToken));
            }
        }

        return [.. found.Distinct(StringComparer.Ordinal)];
    }

    private async Task<List<string>> FindAsync(SigningAttempt asWritten, List<(string Id, byte[] Value)> secrets, CancellationToken cancellationToken)
    {
        var found = new List<string>();
        var own = secrets.Select(s => asWritten with { Secret = s.Value, SecretId = s.Id }).ToList();
        foreach (var attempt in own)
        {
            if (await HoldsAsync(attempt, anyTime: true, cancellationToken))
            {
                found.Add(ExplainTime(attempt.Scheme));
                return found;
            }
        }

        var singles = own.SelectMany(SigningMistakes.Bodies).Concat(own.SelectMany(SigningMistakes.Secrets)).Concat(Others(asWritten))
            .Concat(own.SelectMany(SigningMistakes.Schemes)).Concat(own.SelectMany(Urls))
            .DistinctBy(static a => a.Circumstances).ToList();
        foreach (var attempt in singles)
        {
            if (await HoldsAsync(attempt, anyTime: true, cancellationToken))
            {
                found.Add(attempt.Mistake);
            }
        }

        if (found.Count > 0)
        {
            return found;
        }

        // Two at once: a body changed on the way and a secret wrong as well, or two fields of a scheme.
        var pairs = singles.SelectMany(SigningMistakes.Bodies).Concat(own.SelectMany(SigningMistakes.Schemes).SelectMany(SigningMistakes.Schemes))
            .Concat(own.SelectMany(Urls).SelectMany(SigningMistakes.Schemes)).Concat(Others(asWritten).SelectMany(SigningMistakes.Schemes));
        foreach (var attempt in pairs.DistinctBy(static a => a.Circumstances))
        {
            if (found.Count == MostPairs)
            {
                break;
            }

            if (await HoldsAsync(attempt, anyTime: true, cancellationToken))
            {
                found.Add(attempt.Mistake);
            }
        }

        return found;
    }

    private string ExplainTime(SchemeSpec scheme)
    {
        var text = TimeText(scheme);
        if (scheme.Timestamp is { Unit: null or TimeUnit.Seconds } && text is { Length: >= 12 and <= 14 })
        {
            return "the time is in milliseconds and the scheme says seconds: \"timestamp\": { \"unit\": \"ms\" }; signature and secret are right";
        }

        if (scheme.Timestamp is { Unit: TimeUnit.Milliseconds } && text is { Length: 9 or 10 })
        {
            return "the time is in seconds and the scheme says milliseconds: \"timestamp\": { \"unit\": \"s\" }; signature and secret are right";
        }

        if (scheme.Timestamp?.Unit is null or TimeUnit.Seconds && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            && seconds < 253_402_300_800)
        {
            var age = _now - DateTimeOffset.FromUnixTimeSeconds(seconds);
            return $"signature and secret are right, the time is not: signed {Math.Abs(age.TotalSeconds):N0} s {(age > TimeSpan.Zero ? "before" : "after")} "
                + $"the moment it is judged at. For a recorded request say when it came: --at {seconds}. Otherwise look at the clocks of sender and "
                + "gateway, and at what held the request up";
        }

        return "signature and secret are right, the signed time is too far from the moment it is judged at. For a recorded request say when it came with "
            + "--at; otherwise look at the clocks of sender and gateway";
    }

    private string? TimeText(SchemeSpec scheme)
    {
        var from = scheme.Timestamp?.From ?? "";
        if (from.StartsWith("header:", StringComparison.Ordinal))
        {
            return Header(from[7..]);
        }

        if (!from.StartsWith("entry:", StringComparison.Ordinal) || scheme.Header is null || Header(scheme.Header.Values[0]) is not { } line)
        {
            return null;
        }

        var start = from[6..] + (scheme.Entries?.KeySeparator ?? "=");
        return line.Split(scheme.Entries?.Separator ?? ",").Select(static e => e.Trim())
            .FirstOrDefault(e => e.StartsWith(start, StringComparison.Ordinal))?[start.Length..];
    }

    private string? Header(string name) => _request.Headers.FirstOrDefault(h => h.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;

    /// <summary>Secrets of other routes, earlier ones, and those named on the command line.</summary>
    private IEnumerable<SigningAttempt> Others(SigningAttempt from) =>
        _others.Select(other => from.With(other.Description) with { Secret = other.Value, SecretId = "other" });

    private IEnumerable<SigningAttempt> Urls(SigningAttempt from)
    {
        if (from.PublicUrl is not { } written || !Uri.TryCreate(written, UriKind.Absolute, out var url))
        {
            yield break;
        }

        var hosts = new List<string> { url.Authority, url.Host, url.Host + ":443", url.Host + ":80" };
        if (Header("Host") is { Length: > 0 } host)
        {
            hosts.Add(host);
            hosts.Add(host.Split(':')[0]);
        }

        if (Header("X-Forwarded-Host") is { Length: > 0 } forwarded)
        {
            hosts.Add(forwarded);
        }

        foreach (var scheme in new[] { "https", "http" })
        {
            foreach (var authority in hosts.Distinct(StringComparer.OrdinalIgnoreCase))
            {
                var candidate = $"{scheme}://{authority}{(url.AbsolutePath == "/" ? "" : url.AbsolutePath)}";
                if (candidate.TrimEnd('/') != written.TrimEnd('/') && Uri.TryCreate(candidate, UriKind.Absolute, out _))
                {
                    yield return from.With($"the sender signs {candidate}{_path}; edge.publicUrl is {written}") with { PublicUrl = candidate };
                }
            }
        }
    }

    /// <summary>Runs the gateway's checks for one scheme with one secret.</summary>
    private async Task<bool> HoldsAsync(SigningAttempt attempt, bool anyTime, CancellationToken cancellationToken)
    {
        var scheme = attempt.Scheme;
        if (anyTime && scheme.Timestamp is { } time)
        {
            scheme = scheme with { Timestamp = time with { ToleranceSeconds = 0 } };
        }

        var compiled = SchemeCompiler.Compile(scheme, [new(attempt.SecretId, attempt.Secret)], new(attempt.PublicUrl, _path, new StoppedTime(_now)),
            new List<ConfigProblem>(), "");
        if (compiled is null)
        {
            return false;
        }

        var delivery = new Delivery();
        delivery.Open(RoutePolicy.None, _request.Method, _request.Target, default, ExplainCommand.HeadersOf(_request), attempt.Body.Length,
            PipeReader.Create(ReadOnlySequence<byte>.Empty));
        delivery.HoldBody(new(attempt.Body));
        var verdict = default(Verdict);
        foreach (var check in compiled.Checks)
        {
            verdict = await check.CheckAsync(delivery, cancellationToken);
            if (!verdict.Passed)
            {
                return false;
            }
        }

        return verdict.Passed;
    }

    private static IEnumerable<(SchemeRef? Scheme, IReadOnlyList<string> Secrets)> ChecksOf(RouteSpec route) =>
        route.Verify?.Select(static v => (v.Scheme, v.Secrets ?? [])) ?? (route.Secrets is null ? [] : [(new SchemeRef(route.Provider, null), route.Secrets)]);

    private void CollectOthers(string routeId, HashSet<string> own, IReadOnlyList<string> further)
    {
        var seen = new HashSet<string>(own, StringComparer.Ordinal);
        foreach (var reference in further)
        {
            Add(reference, $"it is signed with {reference}, which is not among the route's secrets");
        }

        foreach (var reference in own)
        {
            foreach (var suffix in new[] { "_OLD", "_PREVIOUS", "_PREV", "_NEW", "_NEXT", ".old", ".previous" })
            {
                Add(reference + suffix, $"it is signed with the previous or next secret, {reference}{suffix}: write both while rotating");
            }
        }

        foreach (var (id, route) in _file.Routes!)
        {
            foreach (var reference in id == routeId ? [] : ChecksOf(route).SelectMany(static c => c.Secrets))
            {
                Add(reference, $"it is signed with {reference}, the secret of route {id}");
            }
        }

        void Add(string reference, string description)
        {
            if (seen.Add(reference) && Resolve(reference) is { Length: > 0 } value)
            {
                _others.Add((description, value));
            }
        }
    }

    private static byte[]? Resolve(string text) => SecretReference.TryParse(text, out var reference) ? reference.Resolve(out _) : null;
}
