using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes.Rules;

/// <summary>How a route's sender proves itself: the provider, checks and secrets.</summary>
internal sealed class VerifyRules(RuleReport report, RoutesFile file, SchemeRules schemes)
{
    public void Provider(ResolvedRoute route)
    {
        if (route is { Preset: null, Written.Provider: { } name })
        {
            report.Error($"{route.Place}.provider", $"unknown provider {Quoted.Name(name)}",
                NearestName.Hint(name, [.. Presets.All.Keys]) ?? "`webhookedge presets` lists them");
        }
    }

    public void Verify(ResolvedRoute route)
    {
        var written = route.Written;
        Secrets($"{route.Place}.secrets", written.Secrets);
        if (written.Secrets is not null && written.Verify is not null)
        {
            report.Error($"{route.Place}.secrets", "secrets and verify both; secrets is shorthand for a verify with the provider's scheme alone",
                "drop secrets and move them into the verify entry they belong to");
        }
        else if (written.Secrets is not null && written.Provider is null)
        {
            report.Error($"{route.Place}.secrets", "secrets without a provider whose scheme they are for", "name a provider, or write verify with a scheme");
        }
        else if (written is { Secrets: null, Verify: null } && route.Preset is { } preset)
        {
            report.Error(route.Place, $"provider {Quoted.Name(preset.Name)} without its secret", "write \"secrets\": [\"env:NAME\"]");
        }

        if (report.NotEmpty($"{route.Place}.verify", written.Verify, "leave the key out; an empty list would check nothing") && written.Verify is not null)
        {
            Entries(route);
        }
    }

    private void Entries(ResolvedRoute route)
    {
        foreach (var entry in route.Verify)
        {
            Secrets(entry.SecretsPlace, entry.Secrets);
            if (entry.Reference is null)
            {
                report.Error($"{entry.Place}.scheme", "no scheme",
                    route.Preset is null ? "name one, or write it out" : $"write for example \"{route.Preset.Name}\"");
            }
            else if (schemes.IsKnown($"{entry.Place}.scheme", entry) && entry.Secrets is null)
            {
                report.Error(entry.SecretsPlace, "no secrets", "write for example [\"env:NAME\"]");
            }
        }

        if (route is { Preset: { } preset, Schemes: { } known } && !known.Contains(preset.Scheme))
        {
            report.Warn($"{route.Place}.verify", $"no entry checks {Quoted.Name(preset.Name)}'s own scheme",
                $"add {{ \"scheme\": \"{preset.Name}\", \"secrets\": [ … ] }}, or drop provider");
        }
    }

    private void Secrets(string path, IReadOnlyList<string>? secrets)
    {
        if (!report.NotEmpty(path, secrets, "write for example [\"env:NAME\"]"))
        {
            return;
        }

        for (var i = 0; i < secrets?.Count; i++)
        {
            if (RoutesSyntax.SecretFault(secrets[i]) is { } fault)
            {
                report.Error(JsonPath.Item(path, i), fault);
            }
        }

        report.Repeats(path, secrets);
    }

    public void PublicUrl(ResolvedRoute route)
    {
        if (file.Edge?.PublicUrl is null
            && route.Schemes?.Any(static s => SchemeFacts.Signs(s, "{url}") || s.Claims?.Url is not null || SchemeFacts.Code(s) is { SignsUrl: true }) == true)
        {
            report.Error(route.Place, "a scheme of this route signs the URL, which only edge.publicUrl tells: a request's Host header is the sender's word",
                "write edge.publicUrl, e.g. \"https://hooks.example.com\"");
        }
    }
}
