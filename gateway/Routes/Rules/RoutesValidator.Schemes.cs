using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Routes.Rules;

internal sealed partial class RoutesValidator
{
    /// <summary>Longest tolerance for a signed time: a day. Beyond it the time proves nothing that the replay memory does not.</summary>
    private const int LongestTolerance = 86_400;

    /// <summary>Kinds that need no field, so that their name alone is a scheme.</summary>
    private static readonly Dictionary<string, SchemeSpec> BareKinds = new() { ["basic"] = new() { Kind = "basic" }, ["bearer"] = new() { Kind = "bearer" } };

    private void OwnSchemes()
    {
        foreach (var (name, scheme) in _schemes)
        {
            var path = JsonPath.Key("schemes", name);
            if (!Grammar.IsName(name))
            {
                Error(path, "not a name for a scheme", "letters, digits, - . _, at most 64");
            }
            else if (_catalogue.Presets.ContainsKey(name) || KnownNames.SchemeKinds.Contains(name) || _catalogue.CodeVerifiers.ContainsKey(name))
            {
                // Whoever reads "scheme": "verisync" on a route must not have to look up here what it means.
                Error(path, "the name is taken by a preset or a kind", "choose another");
            }

            Scheme(path, scheme);
        }
    }

    /// <summary>Words and shapes of single fields; what they mean together is checked where a scheme is compiled.</summary>
    private void Scheme(string path, SchemeSpec scheme)
    {
        string[] kinds = [.. KnownNames.SchemeKinds, .. _catalogue.CodeVerifiers.Keys];
        if (scheme.Kind is { } kind && !kinds.Contains(kind))
        {
            Error($"{path}.kind", $"unknown word {Quoted.Name(kind)}", NearestName.Hint(kind, kinds));
        }


        if (scheme.Header is { } header)
        {
            NotEmpty($"{path}.header", header.Values, "name the header that carries the signature or the token");
            for (var i = 0; i < header.Values.Count; i++)
            {
                // {n} stands for a number in schemes that spread signatures over numbered headers.
                if (!Grammar.IsToken(header.Values[i].Replace("{n}", "0", StringComparison.Ordinal)))
                {
                    Error($"{path}.header", "not a header name");
                }
            }
        }
        else if ((scheme.Kind ?? "hmac") is "hmac" or "digest" or "token" || _catalogue.CodeVerifiers.GetValueOrDefault(scheme.Kind!) is { ReadsTemplate: true })
        {
            Error($"{path}.header", "no header", "name the header that carries the signature or the token");
        }

        if (scheme.Timestamp is { } timestamp && (timestamp.From is not null || Code(scheme) is not { ReadsTemplate: false })
            && !(timestamp.From is { } from && (from.StartsWith("entry:", StringComparison.Ordinal) && from.Length > 6 || Grammar.IsHeaderSource(from) || Grammar.IsJsonSource(from))))
        {
            Error($"{path}.timestamp.from", "no place to read the time from", "write entry:KEY, header:NAME or json:/pointer");
        }

        if (scheme.Id is { } id && !Grammar.IsHeaderSource(id) && !Grammar.IsJsonSource(id))
        {
            Error($"{path}.id", "no place to read an id from", "write header:NAME or json:/pointer");
        }

        foreach (var (name, _) in scheme.Require ?? [])
        {
            if (!Grammar.IsToken(name))
            {
                Error(JsonPath.Key($"{path}.require", name), "not a header name");
            }
        }
    }

    /// <summary>The scheme behind a reference; null, and reported, when there is none.</summary>
    private SchemeSpec? Resolve(string path, SchemeRef reference)
    {
        if (reference.Inline is { } inline)
        {
            Scheme(path, inline);
            return inline;
        }

        var name = reference.Name!;
        if (_schemes.TryGetValue(name, out var own))
        {
            _usedSchemes.Add(name);
            return own;
        }

        if (_catalogue.Presets.TryGetValue(name, out var preset))
        {
            return preset.Scheme;
        }

        if (BareKinds.TryGetValue(name, out var bare))
        {
            return bare;
        }

        if (_catalogue.CodeVerifiers.ContainsKey(name))
        {
            return new() { Kind = name };
        }

        Error(
            path,
            KnownNames.SchemeKinds.Contains(name) ? $"{Quoted.Name(name)} needs more than its name" : $"unknown scheme {Quoted.Name(name)}",
            KnownNames.SchemeKinds.Contains(name)
                ? "write the scheme out: { \"kind\": …, \"header\": … }"
                : NearestName.Hint(name, [.. _schemes.Keys, .. _catalogue.Presets.Keys, .. BareKinds.Keys, .. _catalogue.CodeVerifiers.Keys]));
        return null;
    }

    private void PublicUrl(string path, List<SchemeSpec>? schemes)
    {
        if (_file.Edge?.PublicUrl is null && schemes is not null && schemes.Exists(s => Signs(s, "{url}") || s.Claims?.Url is not null || Code(s) is { SignsUrl: true }))
        {
            Error(path, "a scheme of this route signs the URL, which only edge.publicUrl tells: a request's Host header is the sender's word", "write edge.publicUrl, e.g. \"https://hooks.example.com\"");
        }
    }

    private CodeKind? Code(SchemeSpec scheme) => _catalogue.CodeVerifiers.GetValueOrDefault(scheme.Kind ?? "hmac");

    private bool NeedsSecrets(SchemeSpec scheme) => Code(scheme) is not { NeedsSecrets: false };

    private bool SignsBody(SchemeSpec scheme) => Code(scheme) switch
    {
        { ReadsTemplate: false } code => code.SignsBody,
        null when scheme.Kind is not (null or "hmac" or "digest") => false,
        _ => scheme.Signed?.Contains("{body}", StringComparison.Ordinal) ?? true,
    };

    private bool SignsId(SchemeSpec scheme) =>
        Code(scheme) is { ReadsTemplate: false } code
            ? code.SignsId || scheme.Claims?.Id is not null
            : scheme.Id is { } id && (Signs(scheme, "{id}") || (id.StartsWith("json:", StringComparison.Ordinal) && SignsBody(scheme)));

    private bool SignsTime(SchemeSpec scheme) =>
        Code(scheme) is { ReadsTemplate: false } code
        ? code.SignsTime || scheme.Claims?.MaxAgeSeconds is not null
        : scheme.Timestamp is { From: { } from, ToleranceSeconds: null or > 0 }
        && (Signs(scheme, "{timestamp}") || (from.StartsWith("json:", StringComparison.Ordinal) && SignsBody(scheme)));

    private static bool SignsHeader(SchemeSpec scheme, string name) =>
        Signs(scheme, $"{{header:{name}}}")
        || (Signs(scheme, "{id}") && string.Equals(scheme.Id, $"header:{name}", StringComparison.OrdinalIgnoreCase))
        || (Signs(scheme, "{timestamp}") && string.Equals(scheme.Timestamp?.From, $"header:{name}", StringComparison.OrdinalIgnoreCase));

    private static bool Signs(SchemeSpec scheme, string part) => scheme.Signed?.Contains(part, StringComparison.OrdinalIgnoreCase) ?? false;
}
