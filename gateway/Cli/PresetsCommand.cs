using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using WebhookEdge.Configuration;
using WebhookEdge.Handshakes;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.Routes;

namespace WebhookEdge.Cli;

/// <summary>
/// <c>presets</c>: the providers that are known by name; <c>presets NAME</c>: one of them, with a route ready to paste. Exit code 1 for a name that is not
/// there.
/// </summary>
internal static class PresetsCommand
{
    private static readonly JsonSerializerOptions Written = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull,
    };

    public static Command Create()
    {
        var name = new Argument<string?>("name") { Description = "A provider; without it all are listed.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("presets", "List the providers known by name, or explain one and print a route for it.") { name };
        command.SetAction(parsed => parsed.GetValue(name) is { } one ? Explain(one) : List());
        return command;
    }

    /// <summary>A routes.json with one route for <paramref name="preset"/>, which <c>validate --no-secrets</c> accepts.</summary>
    public static string SampleRoutes(PresetSpec preset)
    {
        var secret = "env:" + preset.Name.ToUpperInvariant().Replace('-', '_') + "_SECRET";
        var route = new JsonObject { ["path"] = "/hooks/" + preset.Name, ["provider"] = preset.Name, ["secrets"] = new JsonArray(secret) };
        if (HandshakeOf(preset) is { ComesWithProvider: false } handshake)
        {
            route["handshake"] = handshake.NeedsToken
                ? new JsonObject { ["name"] = handshake.Name, ["verifyToken"] = secret.Replace("_SECRET", "_VERIFY_TOKEN", StringComparison.Ordinal) }
                : handshake.Name;
        }

        if (preset.Refuse is { } refuse)
        {
            route["refuse"] = JsonSerializer.SerializeToNode(refuse);
        }

        route["upstream"] = "http://127.0.0.1:8081/";
        var file = new JsonObject();
        if (SignsUrl(preset))
        {
            file["edge"] = new JsonObject { ["publicUrl"] = "https://hooks.example.com" };
        }

        file["routes"] = new JsonObject { [preset.Name] = route };
        return file.ToJsonString(Written);
    }

    private static int List()
    {
        var console = Terminal.Create();
        var table = new Table().Border(TableBorder.Rounded);
        foreach (var title in new[] { "Name", "Provider", "Proof", "Time", "Replay key", "Addresses", "Handshake", "Status" })
        {
            table.AddColumn(title);
        }

        foreach (var preset in Presets.All.Values.OrderBy(static p => p.Name, StringComparer.Ordinal))
        {
            table.AddRow(
                preset.Name, preset.Title, Proof(preset.Scheme),
                preset.Scheme.Timestamp is null && preset.Scheme.Claims?.MaxAgeSeconds is null ? "" : "signed or checked", ReplayKeyOf(preset),
                preset.Allow is { } allow ? Sources(allow) : "", preset.Handshake ?? "", preset.Status);
        }

        console.Write(table);
        console.WriteLine($"{Presets.All.Count} providers. `webhookedge presets NAME` explains one.");
        return 0;
    }

    private static int Explain(string name)
    {
        if (Presets.Find(name) is not { } preset)
        {
            Console.Error.WriteLine($"webhookedge: no provider is called "
                + $"{name}{(Presets.Nearest(name) is { } nearest ? $"; did you mean {nearest}?" : "; `webhookedge presets` lists them")}");
            return 1;
        }

        var console = Terminal.Create();
        var table = new Table().Border(TableBorder.Rounded).HideHeaders().Title(Markup.Escape($"{preset.Title} ({preset.Name})"));
        table.AddColumn("");
        table.AddColumn("");
        Row("Documentation", preset.Docs);
        Row("Status", preset.Evidence is { } evidence ? $"{preset.Status}, from {evidence}" : preset.Status);
        Row("Proof", Proof(preset.Scheme));
        Row("Signed", preset.Scheme.Signed ?? (preset.Scheme.Kind is null or "hmac" or "digest" ? "{body}" : null));
        Row("Header", preset.Scheme.Header is { } header ? string.Join(", ", header.Values) : null);
        Row("Time", preset.Scheme.Timestamp is { } time ? $"{time.From} within {time.ToleranceSeconds ?? 300} s of now, both ways" : null);
        Row("Replay key", ReplayKeyOf(preset));
        Row("Addresses", preset switch
        {
            { Allow: { } allow } => string.Join(", ", allow),
            { Sources: not null } => $"published by the provider; checked when the route says \"allow\": [\"{preset.Name}\"]",
            _ => "none documented",
        });
        Row("Handshake", preset.Handshake is { } handshake ? DescribeHandshake(preset, handshake) : null);
        Row("Retries", preset.Retries is { } retries ? Sentence(retries) : null);
        Row("Notes", preset.Notes);
        console.Write(table);
        console.WriteLine();
        Console.WriteLine(SampleRoutes(preset));
        return 0;

        void Row(string title, string? text)
        {
            if (text is not null)
            {
                table.AddRow(new Text(title), new Text(text));
            }
        }
    }

    private static string DescribeHandshake(PresetSpec preset, string name) => HandshakeOf(preset) switch
    {
        null => $"{name}, not answered by the gateway",
        { ComesWithProvider: true } => $"{name}, answered by the gateway",
        _ => $"{name}, answered where the route names it",
    };

    private static string ReplayKeyOf(PresetSpec preset) =>
        ResolvedReplay.Of(null, preset) is { IsOff: false } replay ? string.Join(" + ", replay.KeyOf(signsId: false)) : "off";

    private static HandshakeKind? HandshakeOf(PresetSpec preset) => HandshakeKinds.All.GetValueOrDefault(preset.Handshake ?? "");

    private static bool SignsUrl(PresetSpec preset) =>
        preset.Scheme.Signed?.Contains("{url}", StringComparison.Ordinal) == true
        || preset.Scheme.Claims?.Url is not null
        || Authentication.Verifiers.CodeVerifiers.Facts.GetValueOrDefault(preset.Scheme.Kind ?? "") is { SignsUrl: true }
        || HandshakeOf(preset) is { NeedsUrl: true };

    private static string Proof(SchemeSpec scheme) => (scheme.Kind ?? "hmac") switch
    {
        "hmac" => $"HMAC-{WrittenWord.Of(scheme.Algorithm ?? MacAlgorithm.Sha256).ToUpperInvariant()} {WrittenWord.Of(scheme.Encoding ?? MacEncoding.Hex)}",
        "digest" => $"{WrittenWord.Of(scheme.Algorithm ?? MacAlgorithm.Sha256).ToUpperInvariant()} with secret, "
        + $"{WrittenWord.Of(scheme.Encoding ?? MacEncoding.Hex)}",
        var kind => kind,
    };

    private static string Sources(IReadOnlyList<string> allow) => allow.Count > 2 ? $"{allow.Count} entries" : string.Join(", ", allow);

    private static string Sentence(RetrySpec retries) => string.Join("; ", new[]
    {
        retries.Timeout is { } timeout ? $"waits {timeout}" : null,
        retries.Attempts is { } attempts ? $"{attempts} attempts" : null,
        retries.After,
        retries.SwitchesOffAfter is { } limit ? $"switched off after {limit} failures in a row" : null,
        retries.ClientErrors is { } errors ? $"an event answered 4xx is {errors}" : null,
    }.OfType<string>());
}
