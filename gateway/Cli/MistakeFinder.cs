using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
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
            _checks.Add((spec, [.. references.Select(static reference => (reference, Value: Resolve(reference))).Where(static s => s.Value is { Length: > 0 }).Select(static s => (s.reference, s.Value!))]));
        }

        CollectOthers(routeId, own, further);
    }

    /// <summary>Sentences, most likely first; empty when nothing fits.</summary>
    public async Task<IReadOnlyList<string>> FindAsync(CancellationToken cancellationToken)
    {
        var found = new List<string>();
        foreach (var (scheme, secrets) in _checks)
        {
            var asWritten = new Attempt(scheme, default!, _request.Body, _file.Edge?.PublicUrl);
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

    private async Task<List<string>> FindAsync(Attempt asWritten, List<(string Id, byte[] Value)> secrets, CancellationToken cancellationToken)
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

        var singles = own.SelectMany(Bodies).Concat(own.SelectMany(Secrets)).Concat(Others(asWritten)).Concat(own.SelectMany(Schemes)).Concat(own.SelectMany(Urls))
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
        var pairs = singles.SelectMany(Bodies).Concat(own.SelectMany(Schemes).SelectMany(Schemes)).Concat(own.SelectMany(Urls).SelectMany(Schemes)).Concat(Others(asWritten).SelectMany(Schemes));
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

        if (scheme.Timestamp?.Unit is null or TimeUnit.Seconds && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds < 253_402_300_800)
        {
            var age = _now - DateTimeOffset.FromUnixTimeSeconds(seconds);
            return $"signature and secret are right, the time is not: signed {Math.Abs(age.TotalSeconds):N0} s {(age > TimeSpan.Zero ? "before" : "after")} the moment it is judged at. For a recorded request say when it came: --at {seconds}. Otherwise look at the clocks of sender and gateway, and at what held the request up";
        }

        return "signature and secret are right, the signed time is too far from the moment it is judged at. For a recorded request say when it came with --at; otherwise look at the clocks of sender and gateway";
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
        return line.Split(scheme.Entries?.Separator ?? ",").Select(static e => e.Trim()).FirstOrDefault(e => e.StartsWith(start, StringComparison.Ordinal))?[start.Length..];
    }

    private string? Header(string name) => _request.Headers.FirstOrDefault(h => h.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;

    private static IEnumerable<Attempt> Bodies(Attempt from)
    {
        foreach (var (body, mistake) in BodiesOf(from.Body))
        {
            if (!body.AsSpan().SequenceEqual(from.Body))
            {
                yield return from.With(mistake) with { Body = body };
            }
        }
    }

    private static IEnumerable<(byte[] Body, string Mistake)> BodiesOf(byte[] body)
    {
        var text = Encoding.Latin1.GetString(body);
        yield return (Encoding.Latin1.GetBytes(text.TrimEnd('\r', '\n')), "the body was signed without the newline at its end: an editor, a shell or a proxy added it");
        yield return ([.. body, (byte)'\n'], "the body was signed with a newline at its end, which was removed on the way or when it was saved");
        yield return ([.. body, (byte)'\r', (byte)'\n'], "the body was signed with CRLF at its end, which was removed on the way or when it was saved");
        yield return (Encoding.Latin1.GetBytes(text.Replace("\r\n", "\n", StringComparison.Ordinal)), "the body was signed with LF line ends and holds CRLF: something converted it");
        yield return (Encoding.Latin1.GetBytes(text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal)), "the body was signed with CRLF line ends and holds LF: something converted it");
        yield return (body.AsSpan().StartsWith("\uFEFF"u8) ? body[3..] : body, "the body was signed without the byte order mark it begins with");
        foreach (var (style, name) in new[] { (JsonStyle.Compact, "compact, as JSON.stringify writes it"), (JsonStyle.Spaced, "with a space after each comma and colon, as Python writes it"), (JsonStyle.Indented, "indented") })
        {
            if (Rewrite(body, style) is { } rewritten)
            {
                yield return (rewritten, $"the body was re-serialised: it was signed {name}; forward and record the raw bytes");
            }
        }

        if (Unescape(body, escape: false) is { } plain)
        {
            yield return (plain, "the body was re-serialised: it was signed with its characters as they are, and holds \\u escapes");
        }

        if (Unescape(body, escape: true) is { } escaped)
        {
            yield return (escaped, "the body was re-serialised: it was signed with \\u escapes, and holds the characters themselves");
        }
    }

    private static IEnumerable<Attempt> Secrets(Attempt from)
    {
        foreach (var (value, mistake) in SecretsOf(from.Secret, from.SecretId))
        {
            if (value.Length > 0 && !value.AsSpan().SequenceEqual(from.Secret))
            {
                yield return from.With(mistake) with { Secret = value };
            }
        }
    }

    private static IEnumerable<(byte[] Value, string Mistake)> SecretsOf(byte[] secret, string id)
    {
        var text = Encoding.Latin1.GetString(secret);
        yield return (Encoding.Latin1.GetBytes(text.TrimEnd('\r', '\n')), $"{id} ends in a stray line break; write it with printf instead of echo");
        yield return (Encoding.Latin1.GetBytes(text.Trim()), $"{id} has stray white space around it");
        yield return (Encoding.Latin1.GetBytes(text.Trim().Trim('"', '\'')), $"{id} stands in quotes that are not part of it");
        yield return ([.. secret, (byte)'\n'], $"the sender signs with a line break at the end of the secret, which {id} lacks");
    }

    /// <summary>Secrets of other routes, earlier ones, and those named on the command line.</summary>
    private IEnumerable<Attempt> Others(Attempt from) => _others.Select(other => from.With(other.Description) with { Secret = other.Value, SecretId = "other" });

    private static IEnumerable<Attempt> Schemes(Attempt from)
    {
        var scheme = from.Scheme;
        if ((scheme.Kind ?? "hmac") is not ("hmac" or "digest"))
        {
            yield break;
        }

        foreach (var encoding in Enum.GetValues<MacEncoding>().Where(e => e != (scheme.Encoding ?? MacEncoding.Hex)))
        {
            yield return from.With($"the signature is {WrittenWord.Of(encoding)}, the scheme says {WrittenWord.Of(scheme.Encoding ?? MacEncoding.Hex)}") with { Scheme = scheme with { Encoding = encoding } };
        }

        foreach (var algorithm in Enum.GetValues<MacAlgorithm>().Where(a => a != (scheme.Algorithm ?? MacAlgorithm.Sha256)))
        {
            yield return from.With($"it is signed with {WrittenWord.Of(algorithm)}, the scheme says {WrittenWord.Of(scheme.Algorithm ?? MacAlgorithm.Sha256)}") with { Scheme = scheme with { Algorithm = algorithm } };
        }

        var key = scheme.Key ?? new();
        foreach (var encoding in Enum.GetValues<KeyEncoding>().Where(e => e != (key.Encoding ?? KeyEncoding.Utf8)))
        {
            var word = WrittenWord.Of(encoding);
            yield return from.With($"the secret's text stands for its {word} value: \"key\": {{ \"encoding\": \"{word}\" }}") with { Scheme = scheme with { Key = key with { Encoding = encoding } } };
        }

        if (key.Strip is null && from.Secret.AsSpan().StartsWith("whsec_"u8))
        {
            yield return from.With("what stands after whsec_ is the key, in base64: \"key\": { \"strip\": \"whsec_\", \"encoding\": \"base64\" }") with { Scheme = scheme with { Key = new() { Strip = "whsec_", Encoding = KeyEncoding.Base64 } } };
        }

        if (key.Strip is not null)
        {
            yield return from.With($"the whole secret is the key, {key.Strip} included, as text: remove the scheme's key") with { Scheme = scheme with { Key = null } };
        }

        if (scheme.Prefix is { } prefix)
        {
            yield return from.With($"the signature comes without the prefix {prefix}") with { Scheme = scheme with { Prefix = null } };
        }
        else if (scheme.Entries is null)
        {
            foreach (var known in new[] { "sha256=", "sha1=", "sha512=", "v0=", "v1=", "v1," })
            {
                yield return from.With($"the signature comes with the prefix {known}") with { Scheme = scheme with { Prefix = known } };
            }
        }

        if (scheme.Timestamp is { Unit: var unit })
        {
            foreach (var other in Enum.GetValues<TimeUnit>().Where(u => u != (unit ?? TimeUnit.Seconds)))
            {
                yield return from.With($"the time is written in {WrittenWord.Of(other)}, the scheme says {WrittenWord.Of(unit ?? TimeUnit.Seconds)}") with { Scheme = scheme with { Timestamp = scheme.Timestamp with { Unit = other } } };
            }
        }
    }

    private IEnumerable<Attempt> Urls(Attempt from)
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
    private async Task<bool> HoldsAsync(Attempt attempt, bool anyTime, CancellationToken cancellationToken)
    {
        var scheme = attempt.Scheme;
        if (anyTime && scheme.Timestamp is { } time)
        {
            scheme = scheme with { Timestamp = time with { ToleranceSeconds = 0 } };
        }

        var compiled = SchemeCompiler.Compile(scheme, [new(attempt.SecretId, attempt.Secret)], new(attempt.PublicUrl, _path, new StoppedTime(_now)), new List<ConfigProblem>(), "");
        if (compiled is null)
        {
            return false;
        }

        var delivery = new Delivery();
        delivery.Open(RoutePolicy.None, _request.Method, _request.Target, default, ExplainCommand.HeadersOf(_request), attempt.Body.Length, PipeReader.Create(ReadOnlySequence<byte>.Empty));
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

    /// <summary>The same JSON with other white space; strings and numbers as they stand. Null when it is no JSON.</summary>
    private static byte[]? Rewrite(byte[] json, JsonStyle style)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (style == JsonStyle.Indented)
            {
                var indented = new ArrayBufferWriter<byte>();
                using (var writer = new Utf8JsonWriter(indented, new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
                {
                    document.WriteTo(writer);
                }

                return indented.WrittenSpan.ToArray();
            }
        }
        catch (JsonException)
        {
            return null;
        }

        var text = new ArrayBufferWriter<byte>(json.Length * 2);
        var inString = false;
        for (var i = 0; i < json.Length; i++)
        {
            var c = json[i];
            if (!inString && c is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' && !inString)
            {
                continue;
            }

            text.Write([c]);
            if (inString && c == '\\')
            {
                text.Write([json[++i]]);
            }
            else if (c == '"')
            {
                inString = !inString;
            }
            else if (!inString && style == JsonStyle.Spaced && c is (byte)',' or (byte)':' && !inString && style == JsonStyle.Spaced)
            {
                text.Write(" "u8);
            }
        }

        return text.WrittenSpan.ToArray();
    }

    /// <summary>\u escapes for characters beyond ASCII, or those characters for their escapes. Null when nothing changes or it is not UTF-8.</summary>
    private static byte[]? Unescape(byte[] json, bool escape)
    {
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(json);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }

        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (escape && text[i] > 0x7F)
            {
                result.Append("\\u").Append(((int)text[i]).ToString("x4", CultureInfo.InvariantCulture));
            }
            else if (!escape && text[i] == '\\' && i + 5 < text.Length && text[i + 1] == 'u' && ushort.TryParse(text.AsSpan(i + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code) && code > 0x7F)
            {
                result.Append((char)code);
                i += 5;
            }
            else
            {
                result.Append(text[i]);
            }
        }

        var changed = result.ToString();
        return changed == text ? null : Encoding.UTF8.GetBytes(changed);
    }

    private enum JsonStyle
    {
        Compact,
        Spaced,
        Indented,
    }

    /// <summary>One set of circumstances under which the signature might hold.</summary>
    private sealed record Attempt(SchemeSpec Scheme, byte[] Secret, byte[] Body, string? PublicUrl)
    {
        public string SecretId { get; init; } = "";

        public string Mistake { get; private init; } = "";

        /// <summary>Equal for two mistakes that come to the same: the first one is named.</summary>
        public (SchemeSpec, string, string, string?) Circumstances => (Scheme, Convert.ToHexString(SHA256.HashData(Secret)), Convert.ToHexString(SHA256.HashData(Body)), PublicUrl);

        public Attempt With(string mistake) => this with { Mistake = Mistake.Length == 0 ? mistake : $"{Mistake}; and {mistake}" };
    }
}
