using System.Globalization;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Providers;

/// <summary>The catalogue for reading, docs/providers.md: made from the presets, so that it says what the gateway does.</summary>
internal static class ProvidersPage
{
    /// <summary>Words of <see cref="PresetSpec.Category"/> in the order of the page, with their headings.</summary>
    public static IReadOnlyList<(string Word, string Heading)> Categories { get; } =
    [
        ("identity", "Identity verification"),
        ("security", "Sign-on and security"),
        ("payments", "Payments and money"),
        ("commerce", "Commerce"),
        ("logistics", "Logistics"),
        ("messaging", "Messaging and social"),
        ("email", "Email and marketing"),
        ("support", "Support"),
        ("crm", "Customers and sales"),
        ("people", "People and work"),
        ("forms", "Forms"),
        ("productivity", "Productivity"),
        ("media", "Media and content"),
        ("analytics", "Analytics"),
        ("developer", "Developer platforms"),
        ("infrastructure", "Infrastructure"),
        ("generic", "Webhook services and standards"),
    ];

    /// <summary>Words of <see cref="PresetSpec.Evidence"/> and what they promise.</summary>
    public static IReadOnlyDictionary<string, string> Evidence { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["sdk"] = "the sender's own SDK was run and agrees",
        ["doc"] = "the sender's own page says so",
        ["code"] = "independent public code quotes the sender",
        ["registry"] = "another catalogue says so",
    };

    private static readonly (string Who, string Why)[] Absent =
    [
        ("Jumio", "sends no proof. Its documented check is the source address: a route with `allow` alone."),
        ("Incode, BigCommerce, Datadog, Brevo, New Relic, Zapier, Fillout, Gorgias, Kustomer",
            "send a header that you name when you register the URL: write `{ \"kind\": \"token\", \"header\": \"…\" }`, or the kind `basic` or `bearer`."),
        ("Recurly", "puts timestamp and signatures into one list without keys, which no field of a scheme describes yet."),
        ("Authenteq, Au10tix, Ramp, Pomelo, Crisp, Chatwoot, Klarna",
            "are not documented well enough: what is signed, in which order or in which encoding is not known."),
        ("Hygraph, PandaDoc, Dropbox Sign, Microsoft Graph", "carry the proof in the body or the query, or sign something else than the body."),
    ];

    /// <summary>The text of docs/providers.md.</summary>
    public static string Generate(IEnumerable<PresetSpec> presets)
    {
        var all = presets.OrderBy(static preset => preset.Name, StringComparer.Ordinal).ToList();
        var page = new StringBuilder();
        Line(page, "# Providers");
        Line(page);
        Line(page, $"{Count(all.Count)} senders by name: `\"provider\": \"stripe\"` on a route brings the scheme, the replay key and, where they are known, "
            + "addresses, handshake and statuses.");
        Line(page, "Each can be overridden on the route. `webhookedge presets NAME` prints a route ready to paste. This page is generated from "
            + "`gateway/Providers`; do not edit it.");
        Line(page);
        Line(page, $"{Count(all.Count(static preset => preset.Status == "confirmed"))} entries are confirmed: the sender's own page or SDK was seen. The "
            + "others are marked with \\*: try one with a real delivery before you rely on it");
        Line(page, "(a wrong entry refuses the sender; it lets no stranger in). Every entry has a request in `tests/corpus/vendor-vectors` that it accepts, "
            + "and changes to it that it refuses.");
        Line(page);
        foreach (var (word, meaning) in Evidence)
        {
            Line(page, $"- `{word}`: {meaning}");
        }

        Line(page);
        Line(page, "**Addresses**: those written out are insisted on unless the route has an `allow` of its own (`[\"any\"]` to let go of them). Those *on "
            + "request* are used when the route's");
        Line(page, "`allow` names the preset, as in `\"allow\": [\"github\"]`: they are fetched from the sender and kept current, or were written down by "
            + "someone else than the sender.");
        Line(page);
        Line(page, "**Watched**: the number of attempts has the source it links to, and failed attempts are counted against it: the log has an error before "
            + "the sender gives up.");
        foreach (var (word, heading) in Categories)
        {
            var members = all.FindAll(preset => preset.Category == word);
            if (members.Count > 0)
            {
                Category(page, heading, members);
            }
        }

        Line(page);
        Line(page, "## Senders without an entry");
        Line(page);
        foreach (var (who, why) in Absent)
        {
            Line(page, $"- **{who}**: {why}");
        }

        return page.ToString();
    }

    private static void Category(StringBuilder page, string heading, List<PresetSpec> members)
    {
        Line(page);
        Line(page, $"## {heading}");
        Line(page);
        Line(page, "| name | sender | proof | signed | time | replay key | addresses | handshake | after a failure | evidence |");
        Line(page, "|---|---|---|---|---|---|---|---|---|---|");
        foreach (var preset in members)
        {
            string[] cells =
            [
                $"`{preset.Name}`{(preset.Status == "confirmed" ? "" : "\\*")}", $"[{preset.Title}]({preset.Docs})", Proof(preset.Scheme),
                Signed(preset.Scheme), Time(preset.Scheme),
                Replay(preset.Replay), Addresses(preset), preset.Handshake ?? "", Retries(preset.Retries), $"`{preset.Evidence}`",
            ];
            Line(page, "| " + string.Join(" | ", cells.Select(static cell => cell.Replace("|", "\\|", StringComparison.Ordinal))) + " |");
        }

        Line(page);
        foreach (var preset in members.Where(static preset => preset.Notes is not null))
        {
            Line(page, $"- `{preset.Name}`: {preset.Notes}");
        }
    }

    private static string Proof(SchemeSpec scheme)
    {
        var kind = scheme.Kind ?? "hmac";
        var headers = string.Join(" or ",
            scheme.Header?.Values.Select(static header => $"`{header}`") ?? (kind is "basic" or "bearer" ? ["`Authorization`"] : []));
        if (kind is "basic" or "bearer" or "token")
        {
            return $"{headers} {(kind == "token" ? "token" : $"{char.ToUpperInvariant(kind[0])}{kind[1..]}")}";
        }

        if (kind is not ("hmac" or "digest"))
        {
            return $"{headers} {kind}".Trim();
        }

        var algorithm = WrittenWord.Of(scheme.Algorithm ?? MacAlgorithm.Sha256).ToUpperInvariant().Replace("SHA", "SHA-", StringComparison.Ordinal);
        var before = scheme.Prefix is { } prefix ? $" `{prefix}`" : scheme.Entries?.Key is { } key ? $" `{key}{scheme.Entries.KeySeparator ?? "="}`" : "";
        return $"{headers}{before} {(kind == "hmac" ? "HMAC-" : "")}{algorithm} {WrittenWord.Of(scheme.Encoding ?? MacEncoding.Hex)}";
    }

    private static string Signed(SchemeSpec scheme) => (scheme.Kind ?? "hmac") switch
    {
        "hmac" or "digest" => $"`{scheme.Signed ?? "{body}"}`",
        "basic" or "bearer" or "token" => "nothing",
        _ => scheme.Signed is null ? "" : $"`{scheme.Signed}`",
    };

    private static string Time(SchemeSpec scheme) => scheme.Timestamp is { } time
        ? $"`{time.From}` {WrittenWord.Of(time.Unit ?? TimeUnit.Seconds)}, "
        + $"{((time.ToleranceSeconds ?? 300) == 0 ? "age not checked" : string.Create(CultureInfo.InvariantCulture, $"± {time.ToleranceSeconds ?? 300} s"))}"
        : "";

    private static string Replay(ReplaySpec? replay) => replay switch
    {
        { Word: { } word } => word,
        { Options.Key: { } key } => string.Join(" + ", key.Select(static part => $"`{part}`")),
        _ => "",
    };

    private static string Addresses(PresetSpec preset) => (preset.Allow, preset.Sources) switch
    {
        ({ Count: <= 2 } allow, _) => string.Join(", ", allow.Select(static address => $"`{address}`")),
        ({ } allow, _) => $"{Count(allow.Count)} addresses",
        (_, { Json.Url: { } url }) => $"on request: <{url}>",
        (_, { Cidrs: { } cidrs }) => $"on request: {string.Join(", ", cidrs.Select(static address => $"`{address}`"))}",
        _ => "",
    };

    private static string Retries(RetrySpec? retries)
    {
        if (retries is null)
        {
            return "";
        }

        var parts = new List<string>();
        if (retries.Timeout is { } timeout)
        {
            parts.Add($"waits {timeout}");
        }

        if (retries.Attempts is { } attempts)
        {
            parts.Add(attempts == 1 ? "one attempt" : $"{Count(attempts)} attempts");
        }

        if (retries.After is { } after)
        {
            parts.Add(after);
        }

        if (retries.ClientErrors is { } clientErrors)
        {
            parts.Add($"4xx: {clientErrors}");
        }

        if (retries.SwitchesOffAfter is { } limit)
        {
            parts.Add($"switched off after {Count(limit)} failures in a row");
        }

        if (retries.Source is { } source && retries.Attempts is not null)
        {
            parts.Add($"[watched]({source})");
        }

        return string.Join("; ", parts);
    }

    private static string Count(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static void Line(StringBuilder page, string text = "") => page.Append(text).Append('\n');
}
