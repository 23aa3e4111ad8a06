using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using Spectre.Console;
using WebhookEdge.AllowLists;
using WebhookEdge.Hosting;
using WebhookEdge.Observability;
using WebhookEdge.Routes;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Cli;

/// <summary>
/// <c>demo</c>: the main job with nothing else installed. Starts an internal app and the gateway, sends each founding provider's webhook validly, forged,
/// replayed and from elsewhere (or with a wrong credential), and prints what the gateway answered and what the app received. Exit code 1 with
/// <c>--once</c> when a line is not as it should be.
/// </summary>
internal static class DemoCommand
{
    private const string FolderInFile = "/tmp/webhookedge-demo";
    private const int WidthWithoutTerminal = 132;
    private const string PortInFile = "127.0.0.1:9902";

    /// <summary>Real prefixes of AWS' list: one of us-east-1, one of eu-west-2 (where Verisync's address lies).</summary>
    private const string IpRanges = """
        {
          "syncToken": "1787356800", "createDate": "2026-08-22-00-00-00",
          "prefixes": [
            { "ip_prefix": "3.80.0.0/12", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1" },
            { "ip_prefix": "3.80.0.0/12", "region": "us-east-1", "service": "EC2", "network_border_group": "us-east-1" },
            { "ip_prefix": "13.40.0.0/14", "region": "eu-west-2", "service": "AMAZON", "network_border_group": "eu-west-2" }
          ],
          "ipv6_prefixes": [
            { "ipv6_prefix": "2600:1f18::/33", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1" }
          ]
        }
        """;

    private static readonly Scene[] Scenes =
    [
        new("real-id", "Real ID", "3.80.1.2", "13.42.70.11"),
        new("verisync", "Verisync", "13.42.70.11", "3.80.1.2"),
        new("cr3dentials", "Cr3dentials", "203.0.113.20", null),
        new("idwise", "IDWise", "198.51.100.7", "198.51.100.8"),
    ];

    public static Command Create()
    {
        var once = new Option<bool>("--once") { Description = "Exit after the table: 0 when every line is as it should be, 1 otherwise." };
        var command = new Command("demo", "Show the main job with nothing else installed: an app, the gateway, and four providers' webhooks, good and bad.")
            { once };
        command.SetAction((parsed, cancellationToken) => ServeCommand.SayWhyNotAsync("the demo", RunAsync(parsed.GetValue(once), cancellationToken)));
        return command;
    }

    private static async Task<int> RunAsync(bool once, CancellationToken cancellationToken)
    {
        var folder = DemoFolder.Create();
        try
        {
            await using var app = await DemoApp.StartAsync(cancellationToken);
            var config = await PrepareAsync(folder.FullName, app.Address, cancellationToken);
            await using var host = await GatewayHost.StartAsync(
                new()
                {
                    RoutesPath = config,
                    Arguments = ["--urls", "http://127.0.0.1:0", "--Admin:Url", "http://127.0.0.1:0"],
                    Logging = static logging => logging.ClearProviders(),
                },
                cancellationToken);
            await WaitForListsAsync(host, cancellationToken);
            var rows = await PlayAsync(host, app, config, cancellationToken);
            Print(rows, app);
            var good = rows.TrueForAll(static r => r.AsExpected);
            if (!once)
            {
                await KeepServingAsync(host, app, config, cancellationToken);
            }

            return good ? 0 : 1;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> PrepareAsync(string folder, Uri app, CancellationToken cancellationToken)
    {
        foreach (var name in (string[])["real-id.secret", "verisync.secret", "cr3dentials.secret", "cr3dentials.token"])
        {
            await File.WriteAllTextAsync(Path.Combine(folder, name), RandomNumberGenerator.GetHexString(48, lowercase: true), cancellationToken);
        }

        await File.WriteAllTextAsync(Path.Combine(folder, "idwise.basic"), "idwise:" + RandomNumberGenerator.GetHexString(32, lowercase: true),
            cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(folder, "ip-ranges.json"), IpRanges, cancellationToken);
        var text = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "config", "demo.json"), cancellationToken);
        var config = Path.Combine(folder, "routes.json");
        await File.WriteAllTextAsync(config,
            text.Replace(FolderInFile, folder, StringComparison.Ordinal).Replace(PortInFile, app.Authority, StringComparison.Ordinal), cancellationToken);
        return config;
    }

    private static async Task WaitForListsAsync(GatewayHost host, CancellationToken cancellationToken)
    {
        // The list is a local file and is there in a moment; a person should not see "not loaded yet" for it.
        var lists = host.Services.GetRequiredService<AddressListPool>();
        for (var i = 0; i < 100 && lists.All.Any(static l => l.Current is null); i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, cancellationToken);
        }
    }

    private static async Task<List<Row>> PlayAsync(GatewayHost host, DemoApp app, string config, CancellationToken cancellationToken)
    {
        var file = RoutesFileReader.ReadAndValidate(await File.ReadAllBytesAsync(config, cancellationToken), out _)
            ?? throw new InvalidOperationException("the demo's own file does not read");
        var journal = host.Services.GetRequiredService<RejectJournal>();
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = host.Addresses[0] };
        var rows = new List<Row>();
        foreach (var scene in Scenes)
        {
            var signer = RouteSigner.Create(file, scene.Route, out var problem) ?? throw new InvalidOperationException(problem!.ToString());
            var now = TimeProvider.System.GetUtcNow();
            var id = "demo_" + Guid.NewGuid().ToString("n", CultureInfo.InvariantCulture)[..12];
            var body = SampleEvents.Create(scene.Route, now, id);
            var headers = signer.Sign(body, now, id);

            rows.Add(await ShowAsync("valid", Proof(scene.Route), body, headers, scene.From, 200, reaches: true));
            rows.Add(await ShowAsync("forged", Forge(headers, out var forged), body, forged, scene.From, 401, reaches: false));
            rows.Add(await ShowAsync("replayed", "the valid one, byte for byte", body, headers, scene.From, 200, reaches: false));
            var fresh = SampleEvents.Create(scene.Route, now, id + "b");
            var freshHeaders = signer.Sign(fresh, now, id + "b");
            rows.Add(scene.Elsewhere is { } elsewhere
                ? await ShowAsync("wrong address", $"valid, but from {elsewhere}", fresh, freshHeaders, elsewhere, 403, reaches: false)
                : await ShowAsync("wrong credential", "signature right, fixed header wrong", fresh,
                    [.. freshHeaders.Where(static h => h.Key != "secret"), new("secret", "guessed")], scene.From, 401, reaches: false));

            async Task<Row> ShowAsync(string name, string what, byte[] content, IReadOnlyList<KeyValuePair<string, string>> with, string from, int expected,
                bool reaches)
            {
                var before = app.Received.Count;
                using var request = SendCommand.CreateRequest(signer, content, [.. with, new("X-Forwarded-For", from)]);
                using var answer = await client.SendAsync(request, cancellationToken);
                var requestId = answer.Headers.TryGetValues("X-Request-Id", out var ids) ? ids.First() : null;
                var refusal = journal.Newest().FirstOrDefault(e => e.RequestId == requestId);
                var reached = app.Received.Skip(before).Any(r => r.Route == scene.Route && r.Bytes == content.Length);
                return new(
                    scene.Title, name, what, (int)answer.StatusCode, requestId is null ? "delivered" : refusal.Reason.Describe().Slug,
                    reached ? app.Received.Last().Trust : null,
                    (int)answer.StatusCode == expected && reached == reaches && app.Received.Count == before + (reaches ? 1 : 0));
            }
        }

        return rows;
    }

    private static string Proof(string route) => route == "idwise" ? "with the right password" : "signed by the provider";

    /// <summary>The same request by somebody who does not know the secret: the last digit of the signature, or of the password, is another.</summary>
    private static string Forge(IReadOnlyList<KeyValuePair<string, string>> headers, out List<KeyValuePair<string, string>> forged)
    {
        forged = [.. headers];
        var index = forged.FindIndex(static h => !h.Key.Equals("secret", StringComparison.OrdinalIgnoreCase));
        var (name, value) = forged[index];
        if (name == "Authorization")
        {
            forged[index] = new(name, "Basic " + Convert.ToBase64String("idwise:guessed"u8));
            return "password guessed";
        }

        forged[index] = new(name, value[..^1] + (value[^1] == '0' ? '1' : '0'));
        return "signature off by one digit";
    }

    private static void Print(List<Row> rows, DemoApp app)
    {
        var console = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(Console.Out),
            Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = Console.IsOutputRedirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect });
        console.Profile.Width = Console.IsOutputRedirected ? WidthWithoutTerminal : Math.Max(console.Profile.Width, 80);
        var table = new Table().Border(TableBorder.Rounded).Title("[bold]What the internet sent, what the gateway answered, what the app received[/]");
        foreach (var (title, wraps) in new[] { ("Provider", false), ("Request", false), ("How", true), ("Answer", false), ("Reason in log", false),
            ("Reached the app", false), ("", false) })
        {
            table.AddColumn(title, column => column.NoWrap = !wraps);
        }

        var provider = "";
        foreach (var row in rows)
        {
            if (row.Provider != provider && provider.Length > 0)
            {
                table.AddEmptyRow();
            }

            table.AddRow(
                new Markup(row.Provider == provider ? "" : $"[bold]{Markup.Escape(row.Provider)}[/]"),
                new Text(row.Request),
                new Text(row.How),
                new Markup(row.Status is >= 200 and < 300 ? $"[green]{row.Status}[/]" : $"[yellow]{row.Status}[/]"),
                new Text(row.Reason),
                new Markup(row.Trust is null ? "[grey]no[/]" : $"[green]yes[/], as {Markup.Escape(row.Trust)}"),
                new Markup(row.AsExpected ? "[green]ok[/]" : "[red bold]WRONG[/]"));
            provider = row.Provider;
        }

        console.Write(table);
        var wrong = rows.Count(static r => !r.AsExpected);
        console.MarkupLine(wrong == 0
            ? $"[green]All {rows.Count} as they should be:[/] {rows.Count} requests came, {app.Received.Count} reached the app."
            : $"[red bold]{wrong} of {rows.Count} not as they should be.[/]");
    }

    private static async Task KeepServingAsync(GatewayHost host, DemoApp app, string config, CancellationToken cancellationToken)
    {
        Console.WriteLine();
        Console.WriteLine($"Still serving: gateway {host.Addresses[0]}  app {app.Address}  admin {host.Admin}");
        Console.WriteLine("From another terminal, in the repository:");
        foreach (var variant in (string[])["valid", "forged", "duplicate"])
        {
            // One line each, so that a terminal can copy it whole.
            Console.WriteLine($"  dotnet run --project gateway -- send --config {config} --route verisync --as {variant} --to {host.Addresses[0]} --header "
                + "\"X-Forwarded-For: 13.42.70.11\"");
        }

        Console.WriteLine("Ctrl+C ends it and removes its folder.");
        await host.WaitForShutdownAsync(cancellationToken);
    }

    private sealed record Scene(string Route, string Title, string From, string? Elsewhere);

    private sealed record Row(string Provider, string Request, string How, int Status, string Reason, string? Trust, bool AsExpected);
}
