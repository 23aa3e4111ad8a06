using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Forwarding;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes.Rules;

/// <summary>Schemes of the file's own, and what a route means by a scheme. What a scheme's fields mean together is checked where it is compiled.</summary>
internal sealed class SchemeRules(RuleReport report, RoutesFile file)
{
    private readonly Dictionary<string, SchemeSpec> _schemes = file.Schemes ?? [];
    private readonly HashSet<string> _used = [];

    public void OwnSchemes()
    {
        foreach (var (name, scheme) in _schemes)
        {
            var path = JsonPath.Key("schemes", name);
            if (!RoutesSyntax.IsName(name))
            {
                report.Error(path, "not a name for a scheme", "letters, digits, - . _, at most 64");
            }
            else if (Presets.All.ContainsKey(name) || KnownNames.SchemeKinds.Contains(name) || CodeVerifiers.Facts.ContainsKey(name))
            {
                // Whoever reads "scheme": "verisync" on a route must not have to look up here what it means.
                report.Error(path, "the name is taken by a preset or a kind", "choose another");
            }

            Scheme(path, scheme);
        }
    }

    /// <summary>Words and shapes of single fields; what they mean together is checked where a scheme is compiled.</summary>
    private void Scheme(string path, SchemeSpec scheme)
    {
        string[] kinds = [.. KnownNames.SchemeKinds, .. CodeVerifiers.Facts.Keys];
        if (scheme.Kind is { } kind && !kinds.Contains(kind))
        {
            report.Error($"{path}.kind", $"unknown word {Quoted.Name(kind)}", NearestName.Hint(kind, kinds));
        }

        if (scheme.Header is { } header)
        {
            report.NotEmpty($"{path}.header", header.Values, "name the header that carries the signature or the token");
            for (var i = 0; i < header.Values.Count; i++)
            {
                // {n} stands for a number in schemes that spread signatures over numbered headers.
                if (!RoutesSyntax.IsToken(header.Values[i].Replace("{n}", "0", StringComparison.Ordinal)))
                {
                    report.Error($"{path}.header", "not a header name");
                }
                else if (scheme.Kind == "token"
                    && HeaderFamilies.Of(header.Values[i]) is HeaderFamily.HopByHop or HeaderFamily.WrittenAnew or HeaderFamily.Gateway)
                {
                    report.Warn($"{path}.header", $"clients and proxies set {header.Values[i]} for purposes of their own",
                        "have the sender put the token into another header");
                }
            }
        }
        else if ((scheme.Kind ?? "hmac") is "hmac" or "digest" or "token" || CodeVerifiers.Facts.GetValueOrDefault(scheme.Kind!) is { ReadsTemplate: true })
        {
            report.Error($"{path}.header", "no header", "name the header that carries the signature or the token");
        }

        if (scheme.Timestamp is { } timestamp && (timestamp.From is not null || SchemeFacts.Code(scheme) is not { ReadsTemplate: false })
            && !(timestamp.From is { } from
                && ((from.StartsWith("entry:", StringComparison.Ordinal) && from.Length > 6)
                    || RoutesSyntax.IsHeaderSource(from) || RoutesSyntax.IsJsonSource(from))))
        {
            report.Error($"{path}.timestamp.from", "no place to read the time from", "write entry:KEY, header:NAME or json:/pointer");
        }

        if (scheme.Id is { } id && !RoutesSyntax.IsHeaderSource(id) && !RoutesSyntax.IsJsonSource(id))
        {
            report.Error($"{path}.id", "no place to read an id from", "write header:NAME or json:/pointer");
        }

        foreach (var (name, _) in scheme.Require ?? [])
        {
            if (!RoutesSyntax.IsToken(name))
            {
                report.Error(JsonPath.Key($"{path}.require", name), "not a header name");
            }
        }
    }

    /// <summary>False, and reported, when there is no scheme behind the reference.</summary>
    public bool IsKnown(string path, ResolvedVerify check)
    {
        if (check.Reference!.Inline is { } inline)
        {
            Scheme(path, inline);
            return true;
        }

        var name = check.Reference.Name!;
        if (_schemes.ContainsKey(name))
        {
            _used.Add(name);
        }
        else if (KnownNames.SchemeKinds.Contains(name) && !SchemeNames.BareKinds.Contains(name))
        {
            report.Error(path, $"{Quoted.Name(name)} needs more than its name", "write the scheme out: { \"kind\": …, \"header\": … }");
        }
        else if (check.Scheme is null)
        {
            report.Error(path, $"unknown scheme {Quoted.Name(name)}",
                NearestName.Hint(name, [.. _schemes.Keys, .. Presets.All.Keys, .. SchemeNames.BareKinds, .. CodeVerifiers.Facts.Keys]));
        }

        return check.Scheme is not null;
    }

    public void Unused()
    {
        foreach (var name in _schemes.Keys.Except(_used))
        {
            report.Warn(JsonPath.Key("schemes", name), "no route uses this scheme");
        }
    }
}
