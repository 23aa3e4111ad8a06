using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.Fuzz;

/// <summary>A request on its way to a scheme: header lines in order, the body, and when it arrives.</summary>
internal sealed record WireRequest(IReadOnlyList<KeyValuePair<string, string>> Headers, byte[] Body, string Method, string Target, long Now)
{
    public IReadOnlyList<string> Lines(string name) =>
        [.. Headers.Where(header => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(header => header.Value)];
}

/// <summary>
/// The rules of the signature schemes, written down a second time in the plainest way: strings, regular expressions, one big concatenation. Slow, and without a
/// line of the gateway's own parsing, so that the two can be held against each other.
/// </summary>
internal sealed class NaiveOracle(SchemeSpec scheme, string secret, string url)
{
    private const RegexOptions Plainly = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;
    private const string Plain = @"!#$%&'()*+,\-./0-9:;=?@A-Z_a-z|~";

    public bool Accepts(WireRequest request)
    {
        if ((scheme.Require ?? []).Any(required => request.Lines(required.Key) is not [var value] || value != required.Value))
        {
            return false;
        }

        return scheme.Kind switch
        {
            "token" or "basic" or "bearer" => AcceptsCredential(request),
            _ => AcceptsSignature(request),
        };
    }

    /// <summary>The texts of the signatures in the request, well formed or not; null when a list of entries is broken.</summary>
    public List<string>? Signatures(WireRequest request, out List<string> times)
    {
        times = [];
        var names = scheme.Header!.Values;
        var several = names.Count > 1 || names[0].EndsWith("{n}", StringComparison.Ordinal);
        if (names[0].EndsWith("{n}", StringComparison.Ordinal))
        {
            names = [.. Enumerable.Range(1, 32).Select(n => scheme.Header.Values[0][..^3] + n.ToString(CultureInfo.InvariantCulture))];
        }

        var found = new List<string>();
        var entries = 0;
        foreach (var name in names)
        {
            var lines = request.Lines(name);
            if (several && lines is [] or [""])
            {
                if (scheme.Header.Values.Count == 1)
                {
                    break;
                }

                continue;
            }

            if (lines is not [{ Length: > 0 and <= 8192 } line])
            {
                return null;
            }

            var text = line.Trim(' ', '\t');
            if (scheme.Entries is not { } list)
            {
                if (!text.StartsWith(scheme.Prefix ?? "", StringComparison.Ordinal))
                {
                    return null;
                }

                found.Add(text[(scheme.Prefix ?? "").Length..]);
                continue;
            }

            var separator = list.Separator!;
            foreach (var entry in (list.Group is null ? [text] : text.Split(list.Group)).SelectMany(group => group.Split(separator))
                .Select(part => part.Trim(' ', '\t')))
            {
                var split = list.Key is null ? 0 : entry.IndexOf(list.KeySeparator ?? "=", StringComparison.Ordinal);
                if (++entries > 32 || entry.Length == 0 || (list.Key is not null && split <= 0))
                {
                    return null;
                }

                if (list.Key is null)
                {
                    found.Add(entry);
                }
                else if (entry[..split] == list.Key)
                {
                    found.Add(entry[(split + (list.KeySeparator ?? "=").Length)..]);
                }
                else if (scheme.Timestamp?.From == "entry:" + entry[..split])
                {
                    times.Add(entry[(split + (list.KeySeparator ?? "=").Length)..]);
                }
            }
        }

        return found;
    }

    /// <summary>The right signature of the request, as its header would spell it; null when a signed text is not there once.</summary>
    public string? Sign(WireRequest request)
    {
        Signatures(request, out var times);
        var parts = new List<byte>();
        foreach (Match part in Regex.Matches(scheme.Signed ?? "{body}", @"\{(?<name>[^}]+)\}|[^{]+", Plainly))
        {
            var name = part.Groups["name"].Value;
            var header = name switch
            {
                "timestamp" when scheme.Timestamp!.From!.StartsWith("header:", StringComparison.Ordinal) => scheme.Timestamp.From[7..],
                "id" => scheme.Id![7..],
                _ when name.StartsWith("header:", StringComparison.Ordinal) => name[7..],
                _ => null,
            };
            if (header is not null)
            {
                if (request.Lines(header) is not [var value])
                {
                    return null;
                }

                parts.AddRange(Encoding.UTF8.GetBytes(value));
                continue;
            }

            if (name == "timestamp" && times.Count == 0)
            {
                return null;
            }

            parts.AddRange(name switch
            {
                "" => Encoding.UTF8.GetBytes(part.Value),
                "body" => request.Body,
                "timestamp" => Encoding.UTF8.GetBytes(times[0]),
                "method" => Encoding.UTF8.GetBytes(request.Method),
                "url" => Encoding.UTF8.GetBytes(url
                    + (request.Target.Contains('?', StringComparison.Ordinal) ? request.Target[request.Target.IndexOf('?', StringComparison.Ordinal)..] : "")),
                "secret" => Key(),
                _ => throw new InvalidOperationException($"a placeholder {name}"),
            });
        }

        var mac = Mac([.. parts]);
        return scheme.Encoding switch
        {
            MacEncoding.Base64 => Convert.ToBase64String(mac),
            MacEncoding.Base64Url => Convert.ToBase64String(mac).TrimEnd('=').Replace('+', '-').Replace('/', '_'),
            _ => Convert.ToHexStringLower(mac),
        };
    }

    private bool AcceptsSignature(WireRequest request)
    {
        if (Signatures(request, out var times) is not { Count: > 0 } signatures || times.Distinct().Count() > 1 || !signatures.TrueForAll(IsWellFormed))
        {
            return false;
        }

        var signsBody = (scheme.Signed ?? "{body}").Contains("{body}", StringComparison.Ordinal);
        if (signsBody && request.Body.Length == 0 && scheme.EmptyBody != true)
        {
            return false;
        }

        foreach (Match part in Regex.Matches(scheme.Signed ?? "{body}", @"\{header:(?<name>[^}]+)\}", Plainly))
        {
            if (request.Lines(part.Groups["name"].Value) is not [{ Length: <= 8192 } value] || !Regex.IsMatch(value, $@"\A[\t {Plain}]+\z", Plainly))
            {
                return false;
            }
        }

        if (scheme.Signed?.Contains("{id}", StringComparison.Ordinal) == true
            && (request.Lines(scheme.Id![7..]) is not [{ Length: <= 256 } id] || !Regex.IsMatch(id, $@"\A[{Plain}]+\z", Plainly)))
        {
            return false;
        }

        if (scheme.Signed?.Contains("{url}", StringComparison.Ordinal) == true && !Regex.IsMatch(request.Target, $@"\A/[{Plain}]*\z", Plainly))
        {
            return false;
        }

        if (scheme.Timestamp?.From is { } from && !from.StartsWith("json:", StringComparison.Ordinal))
        {
            var time = from.StartsWith("header:", StringComparison.Ordinal) ? (request.Lines(from[7..]) is [var line] ? line : "") : times.FirstOrDefault()
                ?? "";
            if (!IsNear(time, request.Now))
            {
                return false;
            }
        }

        return Sign(request) is { } right && signatures.Exists(signature => Normal(signature) == Normal(right)) && AcceptsBodyTime(request);
    }

    private bool AcceptsBodyTime(WireRequest request)
    {
        if (scheme.Timestamp?.From is not { } from || !from.StartsWith("json:/", StringComparison.Ordinal))
        {
            return true;
        }

        try
        {
            using var document = JsonDocument.Parse(request.Body);
            var values = document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.EnumerateObject().Where(property => property.NameEquals(from[6..])).ToList() : [];
            return values is [{ Value.ValueKind: JsonValueKind.Number or JsonValueKind.String } only]
                && IsNear(only.Value.ValueKind == JsonValueKind.String ? only.Value.GetString()! : only.Value.GetRawText(), request.Now);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private bool AcceptsCredential(WireRequest request)
    {
        var lines = (scheme.Header?.Values ?? ["Authorization"]).SelectMany(request.Lines).ToList();
        if (lines is not [{ Length: > 0 and <= 4096 } line])
        {
            return false;
        }

        if (scheme.Kind == "token")
        {
            return line == scheme.Prefix + secret;
        }

        var match = Regex.Match(line,
            scheme.Kind == "basic" ? @"\A[Bb][Aa][Ss][Ii][Cc] +(?<text>[^ \t,]+)\z" : @"\A[Bb][Ee][Aa][Rr][Ee][Rr] +(?<text>[^ \t,]+)\z", Plainly);
        return match.Success && match.Groups["text"].Value == (scheme.Kind == "basic" ? Convert.ToBase64String(Encoding.UTF8.GetBytes(secret)) : secret);
    }

    private bool IsWellFormed(string signature)
    {
        var bytes = scheme.Algorithm switch { MacAlgorithm.Sha1 => 20, MacAlgorithm.Sha512 => 64, _ => 32 };
        if (scheme.Encoding is MacEncoding.Base64 or MacEncoding.Base64Url)
        {
            // Canonical is what is written back the same; of base64url without or with its padding.
            var standard = scheme.Encoding == MacEncoding.Base64 ? signature : signature.Replace('-', '+').Replace('_', '/');
            if (!Regex.IsMatch(signature, scheme.Encoding == MacEncoding.Base64 ? @"\A[A-Za-z0-9+/]+={0,2}\z" : @"\A[A-Za-z0-9_\-]+={0,2}\z", Plainly))
            {
                return false;
            }

            var padded = scheme.Encoding == MacEncoding.Base64Url && !standard.EndsWith('=') ? standard.PadRight((standard.Length + 3) / 4 * 4, '=') : standard;
            var decoded = new byte[padded.Length];
            return Convert.TryFromBase64String(padded, decoded, out var length) && length == bytes && Convert.ToBase64String(decoded, 0, length) == padded;
        }

        // All small letters or all capitals.
        return Regex.IsMatch(signature, $@"\A([0-9a-f]{{{bytes * 2}}}|[0-9A-F]{{{bytes * 2}}})\z", Plainly);
    }

    private string Normal(string signature) =>
        scheme.Encoding is MacEncoding.Base64 or MacEncoding.Base64Url ? signature.TrimEnd('=') : signature.ToLowerInvariant();

    private bool IsNear(string text, long now)
    {
        decimal milliseconds;
        if (scheme.Timestamp!.Unit == TimeUnit.Iso)
        {
            var match = Regex.Match(text, @"\A(?<date>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?<fraction>\.[0-9]{1,9})?(Z|(?<sign>[+\-])(?<hours>[0-9]{2}):(?<minutes>[0-9]{2}))\z", Plainly);
            if (!match.Success || !DateTime.TryParseExact(match.Groups["date"].Value, "yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date))
            {
                return false;
            }

            int Number(string group) => match.Groups[group].Success ? int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture) : 0;
            if (Number("hours") > 14 || Number("minutes") > 59)
            {
                return false;
            }

            var offset = ((Number("hours") * 60) + Number("minutes")) * (match.Groups["sign"].Value == "-" ? -1 : 1);
            var fraction = match.Groups["fraction"].Success
                ? Math.Floor(decimal.Parse("0" + match.Groups["fraction"].Value, CultureInfo.InvariantCulture) * 1000) : 0;
            milliseconds = ((decimal)(date - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMillisecond) + fraction - (offset * 60_000m);
        }
        else if (!Regex.IsMatch(text, @"\A(0|[1-9][0-9]{0,14})\z", Plainly))
        {
            return false;
        }
        else
        {
            milliseconds = decimal.Parse(text, CultureInfo.InvariantCulture) * (scheme.Timestamp.Unit == TimeUnit.Milliseconds ? 1 : 1000);
        }

        var tolerance = scheme.Timestamp.ToleranceSeconds ?? 300;
        return tolerance == 0 || Math.Abs((now * 1000m) - milliseconds) <= tolerance * 1000m;
    }

    private byte[] Key()
    {
        var text = scheme.Key?.Strip is { Length: > 0 } strip && secret.StartsWith(strip, StringComparison.Ordinal) ? secret[strip.Length..] : secret;
        var key = scheme.Key?.Encoding switch
        {
            KeyEncoding.Hex => Convert.FromHexString(text),
            KeyEncoding.Base64 => Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '=')),
            _ => Encoding.UTF8.GetBytes(text),
        };
        return scheme.Key?.Derive switch
        {
#pragma warning disable CA5350 // What the scheme says.
            KeyDerivation.Sha1 => SHA1.HashData(key),
            KeyDerivation.Sha256Hex => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(key))),
            _ => key,
        };
    }

    private byte[] Mac(byte[] message) => (scheme.Kind, scheme.Algorithm) switch
    {
        ("digest", MacAlgorithm.Sha1) => SHA1.HashData(message),
        ("digest", MacAlgorithm.Sha512) => SHA512.HashData(message),
        ("digest", _) => SHA256.HashData(message),
        (_, MacAlgorithm.Sha1) => HMACSHA1.HashData(Key(), message),
        (_, MacAlgorithm.Sha512) => HMACSHA512.HashData(Key(), message),
        _ => HMACSHA256.HashData(Key(), message),
    };
#pragma warning restore CA5350
}
