using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using WebhookEdge.IntegrationTests.Cli;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Startup;

/// <summary><c>serve</c>, <c>serve --dry-run</c> and <c>validate</c> as processes: what they print, and to whom.</summary>
public sealed class StartupCliTests : IDisposable
{
    private const string Bad =
        """
        { "routes": {
            "a": { "path": "/a", "provider": "verysink", "secrets": ["env:NOT_SET_ANYWHERE"], "upstream": "http://127.0.0.1:9" },
            "b": { "path": "/b", "allow": ["203.0.113.1"], "upstream": "http://127.0.0.1:9", "timeout": "45s", "maxbody": "1KiB" } } }
        """;

    private static readonly string[] Anywhere = ["--urls", "http://127.0.0.1:0", "--Admin:Url", "http://127.0.0.1:0"];
    private static readonly Dictionary<string, string> Container = new() { ["DOTNET_RUNNING_IN_CONTAINER"] = "true" };

    private readonly TempDirectory _folder = new();

    [Fact]
    public async Task Validate_serve_and_dry_run_print_the_same_problems_in_the_same_words()
    {
        _folder.Write("routes.json", Bad);

        var said = await CliProcess.RunAsync(_folder.Path, null, "validate", "routes.json");

        Assert.Equal(1, said.Code);
        Assert.Contains("error: routes.b.maxbody (line 3, ", said.Output, StringComparison.Ordinal);
        Assert.Contains("warning: routes.b.timeout", said.Output, StringComparison.Ordinal);
        Assert.Equal(said, await CliProcess.RunAsync(_folder.Path, null, ["serve", "--config", "routes.json", .. Anywhere]));
        Assert.Equal(said, await CliProcess.RunAsync(_folder.Path, null, ["serve", "--dry-run", "--config", "routes.json", .. Anywhere]));

        // For machines the same words in fields.
        var (code, output) = await CliProcess.RunAsync(_folder.Path, Container, ["serve", "--config", "routes.json", .. Anywhere]);
        Assert.Equal(1, code);
        var problems = Lines(output).Where(static line => line.GetProperty("EventId").GetInt32() is 5103 or 5107)
            .Select(static line =>
                $"{(line.GetProperty("EventId").GetInt32() == 5103 ? "warning" : "error")}: {line.GetProperty("State").GetProperty("Problem").GetString()}");
        Assert.Equal(said.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[..^1], problems);
    }

    [Fact]
    public async Task A_warning_of_a_good_file_is_the_same_in_validate_and_in_the_log()
    {
        WriteHook(""" "timeout": "45s", "replay": { "key": ["body"] } """);
        var (_, said) = await CliProcess.RunAsync(_folder.Path, null, "validate", "routes.json");
        var warning = Assert.Single(said.Split('\n'), static line => line.StartsWith("warning: ", StringComparison.Ordinal))["warning: ".Length..];

        await using var gateway = CliProcess.Start(_folder.Path, null, ["serve", "--config", "routes.json", .. Anywhere]);
        await gateway.ListeningAsync();

        Assert.Contains($"Configuration: {warning}", gateway.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_a_container_every_line_is_a_json_object_with_the_summary_in_fields()
    {
        WriteHook();
        await using var gateway = CliProcess.Start(_folder.Path, Container, ["serve", "--config", "routes.json", .. Anywhere]);
        await Deadline.UntilAsync(() => gateway.Output.Contains("\"EventId\":5106", StringComparison.Ordinal), "the summary is printed",
            TimeSpan.FromSeconds(30));
        await gateway.SignalAsync("TERM");
        Assert.Equal(0, await gateway.ExitAsync());

        var lines = Lines(gateway.Output);
        var route = Assert.Single(lines, static line => line.GetProperty("EventId").GetInt32() == 5106).GetProperty("State");
        Assert.Equal(("hook", "POST /hook"), (route.GetProperty("Route").GetString(), route.GetProperty("Match").GetString()));
        Assert.All(lines, static line => Assert.EndsWith("Z", line.GetProperty("Timestamp").GetString(), StringComparison.Ordinal));
        Assert.Contains(lines, static line => line.GetProperty("EventId").GetInt32() == 1001);
        Assert.DoesNotContain(Hook.Secret, gateway.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_a_container_a_port_in_use_is_a_json_object_too()
    {
        WriteHook();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();

        var (code, output) = await CliProcess.RunAsync(_folder.Path, Container,
            ["serve", "--config", "routes.json", "--urls", $"http://{taken.LocalEndpoint}", "--Admin:Url", "http://127.0.0.1:0"]);

        Assert.Equal(1, code);
        Assert.Contains(Lines(output),
            static line => line.GetProperty("EventId").GetInt32() == 5108
            && line.GetProperty("State").GetProperty("Fault").GetString()!.Contains("in use", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_dry_run_does_everything_but_listen()
    {
        _folder.Write("office.json", """{ "ips": ["203.0.113.7"] }""");
        WriteHook(""" "allow": ["office"] """, """ "addressSets": { "office": { "json": { "url": "file:{dir}/office.json", "pointer": "/ips" } } } """);
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();

        var (code, output) = await CliProcess.RunAsync(_folder.Path, null,
            ["serve", "--dry-run", "--config", "routes.json", "--urls", $"http://{taken.LocalEndpoint}"]);

        Assert.True(code == 0, output);
        Assert.Contains("Route hook: POST /hook", output, StringComparison.Ordinal);
        Assert.Contains("routes.json: good", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Listening", output, StringComparison.Ordinal);
        Assert.DoesNotContain(Hook.Secret, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("redis://:hush-hush@host:99999", "port")]
    [InlineData("redis://hush-hush@host", "USER:PASSWORD@")]
    [InlineData("bob:hush-hush@host:6379", "percent-encoded")]
    public async Task Validate_finds_an_address_of_Redis_that_cannot_be_read_and_quotes_nothing_of_it(string address, string advice)
    {
        _folder.Write("redis", address);
        WriteHook("", """ "edge": { "redis": "file:{dir}/redis" } """);

        var (code, output) = await CliProcess.RunAsync(_folder.Path, null, "validate", "routes.json");

        Assert.Equal(1, code);
        Assert.Contains("edge.redis", output, StringComparison.Ordinal);
        Assert.Contains(advice, output, StringComparison.Ordinal);
        Assert.DoesNotContain("hush-hush", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_run_finds_what_validate_cannot_know()
    {
        _folder.Write("redis", "127.0.0.1:9,password=hush-hush");
        WriteHook(""" "allow": ["office"] """,
            """ "edge": { "redis": "file:{dir}/redis" }, "addressSets": { "office": { "json": { "url": "file:{dir}/nowhere.json", "pointer": "/ips" } } } """);
        Assert.Equal(0, (await CliProcess.RunAsync(_folder.Path, null, "validate", "routes.json")).Code);

        var (code, output) = await CliProcess.RunAsync(
            _folder.Path, new Dictionary<string, string> { ["Kestrel__Endpoints__Https__Url"] = "https://127.0.0.1:0",
                ["Kestrel__Endpoints__Https__Certificate__Path"] = "/nowhere/tls.pem" }, "serve", "--dry-run", "--config", "routes.json");

        Assert.Equal(1, code);
        Assert.Contains("error: edge.redis: Redis does not answer: connection refused", output, StringComparison.Ordinal);
        Assert.Contains("error: address list json:file:", output, StringComparison.Ordinal);
        Assert.Matches("error: Kestrel:Endpoints:Https:Certificate: .*/nowhere/tls.pem.*; name the files with Kestrel__Endpoints__Https__Certificate__Path",
            output);
        Assert.Contains("routes.json: 3 errors", output, StringComparison.Ordinal);
        Assert.DoesNotContain("hush-hush", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_setting_that_is_no_number_is_one_clear_line()
    {
        WriteHook();
        const string Fault = "Logging:RefusalsPerSecond is \"many\"; write a whole number, or 0 for no bound";
        var many = new Dictionary<string, string> { ["Logging__RefusalsPerSecond"] = "many" };
        foreach (var words in (string[][])[["serve"], ["serve", "--dry-run"]])
        {
            Assert.Equal((1, $"webhookedge: {Fault}\n"), await CliProcess.RunAsync(_folder.Path, many, [.. words, "--config", "routes.json", .. Anywhere]));
        }

        var (code, output) = await CliProcess.RunAsync(_folder.Path, new Dictionary<string, string>(many.Concat(Container)),
            ["serve", "--config", "routes.json", .. Anywhere]);
        Assert.Equal((1, Fault), (code, Assert.Single(Lines(output)).GetProperty("State").GetProperty("Fault").GetString()));
    }

    public void Dispose() => _folder.Dispose();

    private static List<JsonElement> Lines(string output) =>
        [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => JsonElement.Parse(line))];

    private void WriteHook(string route = "", string file = "")
    {
        _folder.Write("secret", Hook.Secret);
        _folder.Write("routes.json",
            Hook.Routes(route, file).Replace("{dir}", _folder.Path, StringComparison.Ordinal)
            .Replace("{upstream}", "http://127.0.0.1:9", StringComparison.Ordinal));
    }
}
