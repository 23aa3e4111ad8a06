using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.LoadTests;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.LoadTests;

public sealed class SignedRequestsTests
{
    private static readonly byte[] Secret = "a secret of the load test, 32 by"u8.ToArray();

    [Theory]
    [InlineData("github", "X-Hub-Signature-256", "sha256=", 600)]
    [InlineData("github", "X-Hub-Signature-256", "sha256=", 12 * 1024)]
    [InlineData("real-id", "X-Real-ID-Signature", "", 600)]
    [InlineData("real-id", "X-Real-ID-Signature", "", EventBody.MinSize)]
    public async Task The_signature_verifies_over_the_body_as_an_upstream_receives_it(string style, string header, string prefix, int size)
    {
        var body = EventBody.Filled("test", SigningStyle.All.Single(known => known.Name == style), size);
        var requests = new SignedRequests(body, Secret, "/hooks/load", seed: 7);
        await using var upstream = TestUpstream.Start();
        await using var client = await RawHttpClient.ConnectAsync(upstream.EndPoint);

        await client.SendAsync(requests.Make(41).ToWire("edge.example"));
        await client.ReadResponseAsync();

        var request = Assert.Single(upstream.Requests);
        Assert.Equal(("POST", "/hooks/load", "edge.example", size), (request.Method, request.Target, request.Headers["Host"], request.Body.Length));
        var signature = request.Headers[header];
        Assert.StartsWith(prefix, signature, StringComparison.Ordinal);
        Assert.Equal(HMACSHA256.HashData(Secret, request.Body), Convert.FromHexString(signature![prefix.Length..]));
        Assert.Equal(signature, signature.ToLowerInvariant());
        using var json = System.Text.Json.JsonDocument.Parse(request.Body);
        Assert.Equal("evt_00000007_00000029", json.RootElement.GetProperty("id").GetString());
    }

    [Fact]
    public void No_two_bodies_are_alike_and_the_same_seed_gives_the_same_requests()
    {
        foreach (var body in EventBody.All)
        {
            var one = new SignedRequests(body, Secret, "/", seed: 1);
            var again = new SignedRequests(body, Secret, "/", seed: 1);
            var other = new SignedRequests(body, Secret, "/", seed: 2);

            var made = Enumerable.Range(0, 50).SelectMany(number => new[] { one.Make(number), other.Make(number) })
                .Select(request => Convert.ToHexString(request.Body)).ToHashSet();

            Assert.Equal(100, made.Count);
            Assert.Equal(one.Make(3).ToWire("h"), again.Make(3).ToWire("h"));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_command_writes_the_file_that_the_script_reads(bool withLengths)
    {
        using var folder = new TempDirectory();
        var secret = folder.Write("secret", Encoding.ASCII.GetString(Secret) + "\n");
        var expected = new SignedRequests(EventBody.Filled("test", SigningStyle.RealId, 128), Secret, "/x", seed: 9);
        string[] args = ["generate", "-n", "3", "--size", "128", "--style", "real-id", "--secret", "file:" + secret, "--path", "/x", "--seed", "9", "-o",
            folder.PathOf("out")];

        var (exit, output, error) = Run(withLengths ? args : [.. args, "--raw"]);

        Assert.Equal((0, ""), (exit, error));
        Assert.StartsWith("3 requests, real-id, 128 byte bodies", output, StringComparison.Ordinal);
        var file = File.ReadAllBytes(folder.PathOf("out")).AsSpan();
        for (var number = 0; number < 3; number++)
        {
            var request = expected.Make(number).ToWire("127.0.0.1:8080");
            if (withLengths)
            {
                var line = file.IndexOf((byte)'\n');
                Assert.Equal(request.Length, int.Parse(file[..line], CultureInfo.InvariantCulture));
                file = file[(line + 1)..];
            }

            Assert.True(file.StartsWith(request));
            file = file[request.Length..];
        }

        Assert.True(file.IsEmpty);
    }

    [Theory]
    [InlineData("--secret literal-secret", "env:NAME or file:PATH")]
    [InlineData("--secret env:WEBHOOKEDGE_NO_SUCH_VARIABLE", "WEBHOOKEDGE_NO_SUCH_VARIABLE is not set")]
    [InlineData("--secret file:/no/such/file", "/no/such/file")]
    [InlineData("--secret env:PATH --size 10", "from 64 to")]
    [InlineData("--secret env:PATH --count 0", "at least 1")]
    [InlineData("--secret env:PATH --style gitlab", "gitlab")]
    [InlineData("--secret env:PATH --path hooks", "start with a slash")]
    [InlineData("--secret env:PATH --out /no/such/folder/file", "/no/such/folder")]
    [InlineData("", "--secret")]
    public void A_wrong_argument_is_named_and_nothing_is_written(string arguments, string expected)
    {
        using var folder = new TempDirectory();
        string[] args = ["generate", .. arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)];

        var (exit, _, error) = Run(args.Contains("--out") ? args : [.. args, "--out", folder.PathOf("out")]);

        Assert.Equal(1, exit);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.DoesNotContain("literal-secret", error, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.PathOf("out")));
    }

    [Fact]
    public void A_path_with_a_line_break_cannot_smuggle_a_header()
    {
        using var folder = new TempDirectory();

        var (exit, _, error) = Run(["generate", "--secret", "env:PATH", "--out", folder.PathOf("out"), "--path", "/x HTTP/1.1\r\nX: y"]);

        Assert.Equal(1, exit);
        Assert.Contains("--path must be visible ASCII", error, StringComparison.Ordinal);
    }

    private static (int Exit, string Output, string Error) Run(string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var exit = Tool.CreateCommand().Parse(args).Invoke(new InvocationConfiguration { Output = output, Error = error });
        return (exit, output.ToString(), error.ToString());
    }
}
