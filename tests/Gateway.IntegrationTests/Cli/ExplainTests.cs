using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Cli;

/// <summary><c>explain</c> and <c>presets</c>, run as a person runs them.</summary>
public sealed class ExplainTests : IDisposable
{
    private const string Secret = "hush-verisync-0123456789abcdef";
    private const string Other = "hush-other-0123456789abcdef01";
    private const string Body = """{"event":"sync.success","data":{"n":1,"t":"a, b: c"}}""";

    private const string Routes = """
        { "edge": { "publicUrl": "https://hooks.example.com" },
          "routes": {
            "a": { "path": "/a", "provider": "verisync", "secrets": ["env:A_SECRET"], "upstream": "http://127.0.0.1:9" },
            "b": { "path": "/b", "provider": "real-id", "secrets": ["env:B_SECRET"], "allow": ["any"], "upstream": "http://127.0.0.1:9" },
            "s": { "path": "/s", "provider": "stripe", "secrets": ["env:A_SECRET"], "upstream": "http://127.0.0.1:9" },
            "u": { "path": "/u", "verify": [{ "scheme": { "header": "X-Sig", "signed": "{url}{body}" }, "secrets": ["env:A_SECRET"] }], "upstream": "http://127.0.0.1:9" },
            "z": { "path": "/z", "provider": "slack", "handshake": "slack", "secrets": ["env:A_SECRET"], "upstream": "http://127.0.0.1:9" },
            "q": { "path": "/q", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["env:QUOTED"] }], "upstream": "http://127.0.0.1:9" },
            "n": { "path": "/n", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["env:NEWLINE"] }], "upstream": "http://127.0.0.1:9" },
            "w": { "path": "/w", "verify": [{ "scheme": { "header": "X-Sig", "encoding": "base64" }, "secrets": ["env:WHSEC"] }], "upstream": "http://127.0.0.1:9" }
          } }
        """;

    private static readonly byte[] WhsecKey = SHA256.HashData("a key"u8);

    private readonly TempDirectory _folder = new();

    public ExplainTests() => _folder.Write("routes.json", Routes);

    [Fact]
    public async Task A_good_request_is_accepted_stage_by_stage()
    {
        var (code, output) = await AskAsync("a", Raw("/a", Body, ("verisync-signature", Hex(Secret, Body))), "--from", "13.42.70.11");

        Assert.Equal(0, code);
        Assert.Contains("Accepted", output, StringComparison.Ordinal);
        foreach (var stage in new[] { "routing", "shape", "address", "timestamp", "payload", "signature", "replay" })
        {
            Assert.Matches($@"│ {stage} +│ \w+ +│ passed", output);
        }
    }

    [Theory]
    [InlineData("PROXY TCP4 13.42.70.11 10.0.0.1 4711 443\r\n", "10.0.0.9", 0, "Client: 13.42.70.11, named by the PROXY header of the trusted proxy 10.0.0.9.")]
    [InlineData("PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n", "10.0.0.9", 1, "address-not-allowed")]
    [InlineData("PROXY UNKNOWN\r\n", "10.0.0.9", 1, "address-unknown")]
    [InlineData("", "10.0.0.9", 1, "Client: unknown: the trusted proxy 10.0.0.9 named no client in a PROXY header.")]
    [InlineData("", "13.42.70.11", 0, "Client: 13.42.70.11, the peer of the connection, which is none of the trusted proxies.")]
    [InlineData("PROXY TCP4 13.42.70.11 10.0.0.1 4711 443\r\n", "192.0.2.1", 2, "it would answer 400")]
    public async Task A_PROXY_header_is_read_as_the_gateway_would(string header, string from, int expected, string said)
    {
        _folder.Write("routes.json",
            Routes.Replace("\"edge\": {", "\"edge\": { \"clientAddress\": { \"from\": \"proxyProtocol\", \"trustedProxies\": [\"10.0.0.0/24\"] },",
            StringComparison.Ordinal));

        var (code, output) = await AskAsync("a", header + Raw("/a", Body, ("verisync-signature", Hex(Secret, Body))), "--from", from);

        Assert.Contains(said, output, StringComparison.Ordinal);
        Assert.Equal(expected, code);
    }

    [Fact]
    public async Task A_wrong_address_is_told_and_an_unknown_one_is_not_judged()
    {
        var request = Raw("/a", Body, ("verisync-signature", Hex(Secret, Body)));
        var (code, output) = await AskAsync("a", request, "--from", "192.0.2.1");
        Assert.Equal(1, code);
        Assert.Contains("address-not-allowed", output, StringComparison.Ordinal);

        (code, output) = await AskAsync("a", request);
        Assert.Equal(0, code);
        Assert.Contains("not judged", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("body-spaced", "re-serialised")]
    [InlineData("body-newline", "without the newline at its end")]
    [InlineData("body-stripped", "signed with a newline at its end")]
    [InlineData("body-crlf", "CRLF")]
    [InlineData("other-route", "the secret of route b")]
    [InlineData("previous", "env:A_SECRET_OLD")]
    [InlineData("named", "env:FURTHER")]
    [InlineData("base64", "the signature is base64")]
    [InlineData("sha512", "it is signed with sha512")]
    [InlineData("prefixed", "prefix sha256=")]
    [InlineData("two", "re-serialised")]
    public async Task A_common_mistake_is_named(string mistake, string expected)
    {
        const string Lines = "{\"a\":1,\n\"b\":2}";
        var spaced = """{"event": "sync.success", "data": {"n": 1, "t": "a, b: c"}}""";
        var (body, signature) = mistake switch
        {
            "body-spaced" => (spaced, Hex(Secret, Body)),
            "body-newline" => (Body + "\n", Hex(Secret, Body)),
            "body-stripped" => (Body, Hex(Secret, Body + "\n")),
            "body-crlf" => (Lines.Replace("\n", "\r\n", StringComparison.Ordinal), Hex(Secret, Lines)),
            "other-route" => (Body, Hex(Other, Body)),
            "previous" => (Body, Hex("hush-old-0123456789abcdef0123", Body)),
            "named" => (Body, Hex("hush-further-0123456789abcdef", Body)),
            "base64" => (Body, Convert.ToBase64String(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(Body)))),
            "sha512" => (Body, Convert.ToHexStringLower(HMACSHA512.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(Body)))),
            "prefixed" => (Body, "sha256=" + Hex(Secret, Body)),
            _ => (spaced, Hex(Other, Body)),
        };

        var (code, output) = await AskAsync("a", Raw("/a", body, ("verisync-signature", signature)), "--secret", "env:FURTHER");

        Assert.Equal(1, code);
        Assert.Contains("What would make it match:", output, StringComparison.Ordinal);
        Assert.Contains(expected, output, StringComparison.Ordinal);
        Assert.Equal(1, output.Split("\n  - ").Length - 1);
    }

    [Fact]
    public async Task Stray_quotes_newlines_and_whsec_are_named()
    {
        Assert.Contains("stands in quotes", (await AskAsync("q", Raw("/q", Body, ("X-Sig", Hex(Secret, Body))))).Output, StringComparison.Ordinal);
        Assert.Contains("stray line break", (await AskAsync("n", Raw("/n", Body, ("X-Sig", Hex(Secret, Body))))).Output, StringComparison.Ordinal);
        Assert.Contains("what stands after whsec_ is the key",
            (await AskAsync("w", Raw("/w", Body, ("X-Sig", Convert.ToBase64String(HMACSHA256.HashData(WhsecKey, Encoding.UTF8.GetBytes(Body))))))).Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_url_is_named()
    {
        var (code, output) = await AskAsync("u", Raw("/u", Body, ("X-Sig", Hex(Secret, "http://hooks.example.com/u" + Body))));

        Assert.Equal(1, code);
        Assert.Contains("the sender signs http://hooks.example.com/u; edge.publicUrl is https://hooks.example.com", output, StringComparison.Ordinal);
        Assert.Contains("localhost:8443",
            (await AskAsync("u",
            Raw("/u", Body, ("X-Sig", Hex(Secret, "https://localhost:8443/u" + Body)))
            .Replace("Host: localhost", "Host: localhost:8443", StringComparison.Ordinal))).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_time_that_is_off_is_told_from_a_signature_that_is_wrong()
    {
        const long Then = 1_700_000_000;
        var request = Raw("/s", Body, ("Stripe-Signature", $"t={Then},v1={Hex(Secret, $"{Then}.{Body}")}"));

        var (code, output) = await AskAsync("s", request);
        Assert.Equal(1, code);
        Assert.Contains($"signature and secret are right, the time is not", output, StringComparison.Ordinal);
        Assert.Equal(0, (await AskAsync("s", request, "--at", Then.ToString(CultureInfo.InvariantCulture))).Code);
        Assert.Contains("the time is in milliseconds",
            (await AskAsync("s", Raw("/s", Body, ("Stripe-Signature", $"t={Then}000,v1={Hex(Secret, $"{Then}000.{Body}")}")), "--at", "1700000000")).Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_no_mistake_explains_is_said_to_be_so()
    {
        var (code, output) = await AskAsync("a", Raw("/a", Body, ("verisync-signature", new string('a', 64))));

        Assert.Equal(1, code);
        Assert.Contains("None of the common mistakes explains it", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_challenge_is_answered()
    {
        const string Challenge = """{"type":"url_verification","challenge":"abc"}""";
        var (code, output) = await AskAsync("z",
            Raw("/z", Challenge, ("X-Slack-Request-Timestamp", "1700000000"), ("X-Slack-Signature", "v0=" + Hex(Secret, $"v0:1700000000:{Challenge}"))),
            "--at", "2023-11-14T22:13:20Z");

        Assert.Equal(0, code);
        Assert.Contains("a challenge: answered by the gateway", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Curl_and_har_are_read_too()
    {
        var signature = Hex(Secret, Body);
        _folder.Write("body.json", Body);
        var curl = $"* Connected to localhost\n> POST /a HTTP/1.1\n> Host: localhost\n> verisync-signature: {signature}\n> Content-Length: "
            + $"{Body.Length}\n>\n< HTTP/1.1 401 Unauthorized\n";
        Assert.Equal(0, (await AskAsync("a", curl, "--body", "body.json")).Code);
        var har = "{\"log\":{\"entries\":[{\"request\":{\"method\":\"POST\",\"url\":\"https://hooks.example.com/a\",\"headers\":[{\"name\":\"verisync-signature\",\"value\":\"" + signature
            + "\"}],\"postData\":{\"text\":" + System.Text.Json.JsonSerializer.Serialize(Body) + "}}}]}}";
        Assert.Equal(0, (await AskAsync("a", har)).Code);
    }

    [Theory]
    [InlineData("http://localhost/a", 0, "the target is the route's")]
    [InlineData("http://elsewhere/a", 1, "the request target names another host than the Host header")]
    [InlineData("/A", 1, "path-refused")]
    [InlineData("/%61", 1, "path-refused")]
    [InlineData("/b", 1, "route-unknown")]
    [InlineData("/a/", 1, "path-refused")]
    public async Task The_target_is_judged_as_the_gateway_would(string target, int expected, string said)
    {
        var (code, output) = await AskAsync("a", Raw(target, Body, ("verisync-signature", Hex(Secret, Body))));

        Assert.Contains(said, output, StringComparison.Ordinal);
        Assert.Equal(expected, code);
    }

    [Theory]
    [InlineData("Upgrade", "h2c", 0)]
    [InlineData("Upgrade", "websocket", 1)]
    [InlineData("Content-Encoding", "identity", 0)]
    [InlineData("Content-Encoding", "br", 1)]
    [InlineData("Content-Length", "+53", 1)]
    public async Task The_head_is_judged_as_the_gateway_would(string name, string value, int expected)
    {
        var request = Raw("/a", Body, ("verisync-signature", Hex(Secret, Body)), (name, value));
        request = name == "Content-Length" ? request.Replace($"Content-Length: {Body.Length}\r\n", "", StringComparison.Ordinal) : request;

        var (code, output) = await AskAsync("a", request);

        Assert.True(code == expected, output);
        Assert.Contains(expected == 0 ? "Accepted" : value == "br" ? "encoding-refused" : "request-malformed", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a", "")]
    [InlineData("a", "hello")]
    [InlineData("a", "{}")]
    [InlineData("a", "POST /a HTTP/1.1\nno colon here\n\n")]
    [InlineData("nope", "POST /a HTTP/1.1\n\n")]
    public async Task Unusable_input_has_an_exit_code_of_its_own(string route, string request) => Assert.Equal(2, (await AskAsync(route, request)).Code);

    [Fact]
    public async Task Presets_are_listed_and_explained()
    {
        var (code, output) = await CliProcess.RunAsync(_folder.Path, null, "presets");
        Assert.Equal(0, code);
        Assert.Contains("verisync", output, StringComparison.Ordinal);
        Assert.Contains("twilio", output, StringComparison.Ordinal);

        (code, output) = await CliProcess.RunAsync(_folder.Path, null, "presets", "messagebird");
        Assert.Equal(0, code);
        _folder.Write("pasted.json", output[output.IndexOf("\n{", StringComparison.Ordinal)..]);
        (code, output) = await CliProcess.RunAsync(_folder.Path, new Dictionary<string, string> { ["MESSAGEBIRD_SECRET"] = Secret }, "validate", "pasted.json");
        Assert.True(code == 0, output);

        (code, output) = await CliProcess.RunAsync(_folder.Path, null, "presets", "verisink");
        Assert.Equal(1, code);
        Assert.Contains("did you mean verisync?", output, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private static string Hex(string secret, string text) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(text)));

    private static string Raw(string target, string body, params (string Name, string Value)[] headers) =>
        $"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        + $"application/json\r\n{string.Concat(headers.Select(h => $"{h.Name}: {h.Value}\r\n"))}Content-Length: {body.Length}\r\n\r\n{body}";

    private async Task<(int Code, string Output)> AskAsync(string route, string request, params string[] further)
    {
        _folder.Write("request.http", request);
        var environment = new Dictionary<string, string>
        {
            ["A_SECRET"] = Secret,
            ["A_SECRET_OLD"] = "hush-old-0123456789abcdef0123",
            ["B_SECRET"] = Other,
            ["FURTHER"] = "hush-further-0123456789abcdef",
            ["QUOTED"] = $"\"{Secret}\"",
            ["NEWLINE"] = Secret + "\n",
            ["WHSEC"] = "whsec_" + Convert.ToBase64String(WhsecKey),
        };
        var (code, output) = await CliProcess.RunAsync(_folder.Path, environment,
            ["explain", "--config", "routes.json", "--route", route, "--request", "request.http", .. further]);
        Assert.DoesNotContain("hush-", output, StringComparison.Ordinal);
        return (code, output);
    }
}
