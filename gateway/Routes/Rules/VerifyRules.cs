using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes.Rules;

/// <summary>How a route's sender proves itself: the provider, checks and secrets.</summary>
internal sealed class VerifyRules(RuleReport report, RoutesFile file, RoutesCatalogue catalogue, SchemeRules schemeRules, SchemeFacts facts)
{
    public PresetSpec? Provider(string path, RouteSpec route)
    {
        if (route.Provider is not { } name)
        {
            return null;
        }

        if (!catalogue.Presets.TryGetValue(name, out var preset))
        {
            report.Error($"{path}.provider", $"unknown provider {Quoted.Name(name)}",
                NearestName.Hint(name, [.. catalogue.Presets.Keys]) ?? "`webhookedge presets` lists them");
        }

        return preset;
    }

    /// <summary>The route's schemes, as far as they are known; null when a fault already reported hides them.</summary>
    public List<SchemeSpec>? Verify(string path, RouteSpec route, PresetSpec? preset)
    {
        Secrets($"{path}.secrets", route.Secrets);
        if (route.Secrets is not null && route.Verify is not null)
        {
            report.Error($"{path}.secrets", "secrets and verify both; secrets is shorthand for a verify with the provider's scheme alone",
                "drop secrets and move them into the verify entry they belong to");
        }
        else if (route.Secrets is not null && route.Provider is null)
        {
            report.Error($"{path}.secrets", "secrets without a provider whose scheme they are for", "name a provider, or write verify with a scheme");
            return null;
        }

        if (route.Verify is { } entries)
        {
            return report.NotEmpty($"{path}.verify", entries, "leave the key out; an empty list would check nothing") ? VerifyEntries(path, entries, preset)
                : null;
        }

        if (route.Provider is null)
        {
            return [];
        }

        if (preset is null)
        {
            return null;
        }

        if (route.Secrets is null && facts.NeedsSecrets(preset.Scheme))
        {
            report.Error(path, $"provider {Quoted.Name(preset.Name)} without its secret", "write \"secrets\": [\"env:NAME\"]");
        }

        return [preset.Scheme];
    }

    private List<SchemeSpec>? VerifyEntries(string path, IReadOnlyList<VerifySpec> entries, PresetSpec? preset)
    {
        var schemes = new List<SchemeSpec>();
        var complete = true;
        for (var i = 0; i < entries.Count; i++)
        {
            var place = JsonPath.Item($"{path}.verify", i);
            var entry = entries[i];
            Secrets($"{place}.secrets", entry.Secrets);
            if (entry.Scheme is null)
            {
                report.Error($"{place}.scheme", "no scheme", preset is null ? "name one, or write it out" : $"write for example \"{preset.Name}\"");
                complete = false;
                continue;
            }

            var scheme = schemeRules.Resolve($"{place}.scheme", entry.Scheme);
            complete &= scheme is not null;
            if (scheme is not null)
            {
                schemes.Add(scheme);
                if (entry.Secrets is null && facts.NeedsSecrets(scheme))
                {
                    report.Error($"{place}.secrets", "no secrets", "write for example [\"env:NAME\"]");
                }
            }
        }

        if (preset is not null && complete && !schemes.Contains(preset.Scheme))
        {
            report.Warn($"{path}.verify", $"no entry checks {Quoted.Name(preset.Name)}'s own scheme",
                $"add {{ \"scheme\": \"{preset.Name}\", \"secrets\": [ … ] }}, or drop provider");
        }

        return complete ? schemes : null;
    }

    private void Secrets(string path, IReadOnlyList<string>? secrets)
    {
        if (!report.NotEmpty(path, secrets, "write for example [\"env:NAME\"]"))
        {
            return;
        }

        for (var i = 0; i < secrets?.Count; i++)
        {
            if (Grammar.SecretFault(secrets[i]) is { } fault)
            {
                report.Error(JsonPath.Item(path, i), fault);
            }
        }

        report.Repeats(path, secrets);
    }

    public void PublicUrl(string path, List<SchemeSpec>? schemes)
    {
        if (file.Edge?.PublicUrl is null && schemes is not null
            && schemes.Exists(s => SchemeFacts.Signs(s, "{url}") || s.Claims?.Url is not null || facts.Code(s) is { SignsUrl: true }))
        {
            report.Error(path, "a scheme of this route signs the URL, which only edge.publicUrl tells: a request's Host header is the sender's word",
                "write edge.publicUrl, e.g. \"https://hooks.example.com\"");
        }
    }
}
