using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Cli;

/// <summary>The command line, each verb in a process of its own.</summary>
public sealed class CliTests : IDisposable
{
    private static readonly string[] Anywhere = ["--urls", "http://127.0.0.1:0", "--Admin:Url", "http://127.0.0.1:0"];

    private readonly TempDirectory _folder = new();

    [Fact]
    public async Task Demo_shows_sixteen_lines_as_they_should_be()
    {
        var (code, output) = await CliProcess.RunAsync(_folder.Path, null, "demo", "--once");

        Assert.Equal(0, code);
        Assert.Equal(16, Regex.Count(output, @"│ ok +│"));
        Assert.DoesNotContain("WRONG", output, StringComparison.Ordinal);
        Assert.Contains("All 16 as they should be", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Validate_is_content_with_a_good_file()
    {
        _folder.Write("secret", Hook.Secret);
        _folder.Write("routes.json", Fill(Hook.Routes(), "http://127.0.0.1:9"));

        var (code, output) = await CliProcess.RunAsync(_folder.Path, null, "validate", "routes.json");

        Assert.Equal(0, code);
        Assert.Contains("routes.json: good", output, StringComparison.Ordinal);
        Assert.DoesNotContain(Hook.Secret, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Validate_lists_every_problem_and_shows_no_secret()
    {
        _folder.Write("secret", "short-hush-1");
        _folder.Write("redis", "127.0.0.1:6379,passwort=hush-hush-2");
        _folder.Write(
            "routes.json",
            Fill(
                """
                { "edge": { "redis": "file:{dir}/redis" },
                  "routes": {
                    "a": { "path": "/a", "provider": "verisync", "secrets": ["hush-hush-3-a-literal-secret", "env:hush-hush-3-too", "file:hush-hush-3/and=="], "upstream": "{upstream}" },
                    "b": { "path": "b", "provider": "verysink", "secrets": ["env:NOT_SET_ANYWHERE"], "upstream": "{upstream}" },
                    "c": { "path": "/c", "verify": [{ "scheme": { "header": "X-Sig", "encoding": "hexx" }, "secrets": ["file:{dir}/secret"] }], "cluster": "nope" },
                    "d": { "path": "/d", "verify": [{ "scheme": { "header": "X-Sig", "key": { "encoding": "base64" } }, "secrets": ["file:{dir}/secret", "env:HUSH"] }], "upstream": "http://user:hush-hush-4@127.0.0.1:9" }
                  } }
                """,
                "http://127.0.0.1:9"));

        var (code, output) = await CliProcess.RunAsync(_folder.Path, new Dictionary<string, string> { ["HUSH"] = "hush-hush-5 with spaces" }, "validate",
            "routes.json");

        Assert.Equal(1, code);
        Assert.Matches(@"routes\.json: \d+ errors", output);
        Assert.DoesNotContain("hush-", output, StringComparison.Ordinal);
        foreach (var place in (string[])["routes.a.secrets[0]", "routes.b.path", "routes.b.provider", "routes.c", "routes.d"])
        {
            Assert.Contains($"error: {place}", output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(2, "explain --config routes.json --route a --request .", ": a directory; name a file")]
    [InlineData(2, "explain --config routes.json --route a --request nowhere", "nowhere: no such file; check the path")]
    [InlineData(2, "explain --config routes.json --route a --request /dev/zero", "/dev/zero: larger than 128 MiB")]
    [InlineData(2, "explain --config routes.json --route a", "'--request' is required")]
    [InlineData(2, "explain --bogus", "unknown option")]
    [InlineData(1, "send --config routes.json --route a --body .", ": a directory; name a file")]
    [InlineData(1, "send --config nowhere --route a", "nowhere: no such file; check the path")]
    [InlineData(1, "send --config routes.json --route a --header X-A:b\r\nY:z", "write --header \"NAME: VALUE\"")]
    [InlineData(1, "healthcheck --url garbage", "\"garbage\" is no http or https URL")]
    public async Task Unusable_input_is_told_in_a_line_without_a_stack_trace(int expected, string line, string said)
    {
        _folder.Write("secret", "a-secret-of-thirty-two-characters");
        _folder.Write("routes.json",
            $$"""{ "routes": { "a": { "path": "/a", "provider": "verisync", "secrets": ["file:{{_folder.Path}}/secret"], "upstream": "http://127.0.0.1:9" } } }""");

        var (code, output) = await CliProcess.RunAsync(_folder.Path, null, line.Split(' '));

        Assert.Contains(said, output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
        Assert.Equal(expected, code);
    }

    [Fact]
    public async Task Validate_and_serve_name_a_file_that_is_not_there_and_one_that_is_no_Json()
    {
        var (missing, said) = await CliProcess.RunAsync(_folder.Path, null, "validate", "nowhere.json");
        _folder.Write("broken.json", "{ \"routes\": { ");
        var (broken, fault) = await CliProcess.RunAsync(_folder.Path, null, ["serve", "--config", "broken.json", .. Anywhere]);

        Assert.Equal((1, 1), (missing, broken));
        Assert.Contains("nowhere.json: the file does not exist", said, StringComparison.Ordinal);
        Assert.Contains("broken.json: 1 error", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", fault, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_with_a_connection_string_that_is_none_says_so_without_showing_it()
    {
        _folder.Write("secret", Hook.Secret);
        _folder.Write("redis", "127.0.0.1:6379,passwort=hush-hush-2");
        _folder.Write("routes.json", Fill(Hook.Routes(file: Hook.WithRedis), "http://127.0.0.1:9"));

        foreach (var words in (string[][])[["validate", "routes.json"], ["serve", "--config", "routes.json", .. Anywhere]])
        {
            var (code, output) = await CliProcess.RunAsync(_folder.Path, null, words);

            Assert.Equal(1, code);
            Assert.Contains("error: edge.redis", output, StringComparison.Ordinal);
            Assert.DoesNotContain("hush-hush-2", output, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("public")]
    [InlineData("admin")]
    public async Task A_port_in_use_gives_one_clear_line(string which)
    {
        _folder.Write("secret", Hook.Secret);
        _folder.Write("routes.json", Fill(Hook.Routes(""" "replay": { "key": ["body"] } """), "http://127.0.0.1:9"));
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var url = $"http://{taken.LocalEndpoint}";
        string[] listeners = which == "public" ? ["--urls", url, "--Admin:Url", "http://127.0.0.1:0"] : ["--urls", "http://127.0.0.1:0", "--Admin:Url", url];

        var (code, output) = await CliProcess.RunAsync(_folder.Path, null, ["serve", "--config", "routes.json", .. listeners]);

        Assert.Equal(1, code);
        var line = Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries), static l => !l.Contains("warning:", StringComparison.Ordinal));
        Assert.StartsWith("webhookedge: ", line, StringComparison.Ordinal);
        Assert.Contains(url, line, StringComparison.Ordinal);
        Assert.Contains("in use", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Send_and_healthcheck_against_a_running_gateway_and_a_SIGTERM_that_drains_it()
    {
        var gate = new TaskCompletionSource();
        await using var upstream = TestUpstream.Start();
        _folder.Write("secret", Hook.Secret);
        _folder.Write("stripe", "whsec_a-secret-of-thirty-two-bytes-or-so");
        _folder.Write(
            "routes.json",
            Fill(
                """
                { "routes": {
                    "hook": { "path": "/hook", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "upstream": "{upstream}", "maxBody": "64KiB" },
                    "stripe": { "path": "/stripe", "provider": "stripe", "secrets": ["file:{dir}/stripe"], "upstream": "{upstream}", "timeout": "20s" } } }
                """,
                upstream.Address));
        await using var gateway = CliProcess.Start(_folder.Path, null, ["serve", "--config", "routes.json", .. Anywhere]);
        var (address, admin) = await gateway.ListeningAsync();

        foreach (var (route, variant, expected, says) in new[]
        {
            ("hook", "valid", 0, ": 200 OK"), ("hook", "forged", 0, ": 401 "), ("hook", "duplicate", 0, ", duplicate"), ("hook", "oversized", 0, ": 413 "),
            ("hook", "stale", 1, "no signed time"), ("stripe", "stale", 0, ": 401 "), ("stripe", "valid", 0, ": 200 OK"),
            ("nope", "valid", 1, "there is no route \"nope\""),
        })
        {
            var (code, output) = await CliProcess.RunAsync(_folder.Path, null, "send", "--config", "routes.json", "--route", route, "--as", variant, "--to",
                address.ToString());
            Assert.True(code == expected, $"{route} as {variant}: exit code {code}\n{output}");
            Assert.Contains(says, output, StringComparison.Ordinal);
            Assert.DoesNotContain("a-secret-of-thirty-two", output, StringComparison.Ordinal);
        }

        Assert.Equal(3, upstream.Requests.Count);
        var alive = await CliProcess.RunAsync(_folder.Path, null, "healthcheck", "--url", admin.ToString());
        Assert.Equal((0, "alive\n"), alive);

        // Held at the upstream while the signal comes.
        upstream.Respond(UpstreamAnswer.Ok.HeldUntil(gate.Task));
        var request = RawRequest.Post("/hook", "the last one").WithHeader("X-Sig", Hook.Sign("the last one"u8));
        var pending = RawHttpClient.SendOnceAsync(new(IPAddress.Loopback, address.Port), request);
        await upstream.WaitForRequestAsync(4);
        await gateway.SignalAsync("TERM");
        await Deadline.UntilAsync(() => gateway.Output.Contains("Draining", StringComparison.Ordinal), "the gateway says it drains");
        Assert.False(pending.IsCompleted);
        gate.SetResult();

        (await Deadline.WaitAsync(pending, "the last delivery")).AssertDelivered();
        Assert.Equal(0, await gateway.ExitAsync());
        var dead = await CliProcess.RunAsync(_folder.Path, null, "healthcheck", "--url", admin.ToString());
        Assert.Equal(1, dead.Code);
        Assert.DoesNotContain("a-secret-of-thirty-two", gateway.Output, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private string Fill(string routes, string upstream) =>
        routes.Replace("{dir}", _folder.Path, StringComparison.Ordinal).Replace("{upstream}", upstream, StringComparison.Ordinal);
}
