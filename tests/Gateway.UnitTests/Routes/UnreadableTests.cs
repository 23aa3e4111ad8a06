using System.Text;
using WebhookEdge.Admin;
using WebhookEdge.Cli;
using WebhookEdge.Routes;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Routes;

/// <summary>What cannot be read is told with its cause, and without a word of what may be a secret.</summary>
public sealed class UnreadableTests : IDisposable
{
    private readonly TempDirectory _folder = new();

    [Fact]
    public async Task A_routes_file_that_cannot_be_read_is_told_with_the_cause()
    {
        File.CreateSymbolicLink(_folder.PathOf("loop"), _folder.PathOf("loop"));

        Assert.Contains("cannot be read: it is a directory", await LoadAsync(_folder.Path), StringComparison.Ordinal);
        Assert.Contains("cannot be read: too many", await LoadAsync(_folder.PathOf("loop")), StringComparison.Ordinal);
        Assert.Contains("does not exist", await LoadAsync(_folder.PathOf("nowhere")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hushliteral", "literal secrets are refused")]
    [InlineData("env:hushliteral", "the environment variable is not set")]
    [InlineData("env:hush_literal", "the environment variable is not set")]
    [InlineData("env:hush-literal+/=", "not the name of an environment variable")]
    [InlineData("env:hushÜBER", "not the name of an environment variable")]
    [InlineData("env:HUSH_0123456789012345678901234567890123456789012345678901234567890", "the environment variable is not set")]
    [InlineData("file:hush/literal==", "the file cannot be read (it does not exist)")]
    public async Task Not_a_word_of_what_may_be_a_literal_secret_is_quoted(string secret, string message)
    {
        foreach (var text in (string[])
        [
            $$"""{ "routes": { "r": { "path": "/r", "provider": "verisync", "secrets": ["{{secret}}"], "upstream": "http://app:80" } } }""",
            $$"""{ "edge": { "redis": "{{secret}}" }, "routes": { "r": { "path": "/r", "allow": ["203.0.113.1"], "upstream": "http://app:80" } } }""",
            $$"""{ "routes": { "r": { "path": "/r", "provider": "meta", "secrets": ["file:{{_folder.Write("good", "a-secret-of-thirty-two-characters")}}"], "handshake": { "name": "meta", "verifyToken": "{{secret}}" }, "upstream": "http://app:80" } } }""",
        ])
        {
            await using var gateway = new OfflineGateway();
            var loaded = await gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(text), CompileMode.WithSecrets, CancellationToken.None);

            var problem = Assert.Single(loaded.Problems, static p => !p.IsWarning);
            Assert.Contains(text.Contains("\"redis\"", StringComparison.Ordinal) && secret == "hushliteral" ? "so literal ones are refused" : message,
                problem.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("hush", string.Join('\n', loaded.Problems), StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task A_plausible_name_and_path_are_told()
    {
        Assert.Contains("the environment variable NOT_SET_ANYWHERE_2 is not set; set it, e.g. export NOT_SET_ANYWHERE_2=…",
            await SecretAsync("env:NOT_SET_ANYWHERE_2"), StringComparison.Ordinal);
        Assert.Contains($"the file {_folder.PathOf("none")} cannot be read (it does not exist)", await SecretAsync("file:" + _folder.PathOf("none")),
            StringComparison.Ordinal);

        async Task<string> SecretAsync(string secret)
        {
            await using var gateway = new OfflineGateway();
            var text = $$"""{ "routes": { "r": { "path": "/r", "provider": "verisync", "secrets": ["{{secret}}"], "upstream": "http://app:80" } } }""";
            return string.Join('\n', (await gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(text), CompileMode.WithSecrets, CancellationToken.None)).Problems);
        }
    }

    [Theory]
    [InlineData("foo", null)]
    [InlineData("foo", "a-token-of-thirty-two-characters")]
    [InlineData("http://127.0.0.1:9901;foo", null)]
    [InlineData("", null)]
    public void An_admin_url_that_is_no_address_is_called_that(string url, string? token)
    {
        var problem = AdminAccess.Fault(url, token);

        Assert.Equal("Admin:Url", problem!.Path);
        Assert.Contains("not an address", problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("other machines", problem.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private static async Task<string> LoadAsync(string path)
    {
        await using var gateway = new OfflineGateway();
        return Assert.Single((await gateway.Loader.LoadAsync(path, CompileMode.WithSecrets, CancellationToken.None)).Problems).Message;
    }
}
