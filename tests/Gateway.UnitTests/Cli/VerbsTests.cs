using System.Text.RegularExpressions;
using WebhookEdge.Cli;
using WebhookEdge.Hosting;

namespace WebhookEdge.UnitTests.Cli;

public sealed class VerbsTests
{
    [Theory]
    [InlineData("serve --confg x.json", "unknown option \"--confg\"; did you mean \"--config\"?")]
    [InlineData("--confg x.json", "unknown option \"--confg\"; did you mean \"--config\"?")]
    [InlineData("--confg=x.json", "unknown option \"--confg\"; did you mean \"--config\"?")]
    [InlineData("serve --url http://*:8080", "unknown option \"--url\"; did you mean \"--urls\"?")]
    [InlineData("serve --dryrun", "unknown option \"--dryrun\"; did you mean \"--dry-run\"?")]
    [InlineData("serve -c x.json", "unknown option \"-c\"")]
    [InlineData("serve --Kestrl:Endpoints:Https:Url=https://*:8443", "there is no section \"Kestrl\"; did you mean \"Kestrel\"?")]
    [InlineData("serve --Foo:Bar=1", "there is no section \"Foo\"; known: Admin, Kestrel, Logging, Metrics")]
    [InlineData("serve --Admin:Ulr http://127.0.0.1:9901", "did you mean \"--Admin:Url\"?")]
    [InlineData("serve --Kestrel__Endpoints__Https__Url=https://*:8443", "two underlines are for the environment, write --Kestrel:Endpoints:Https:Url")]
    [InlineData("serve --urls", "\"--urls\" has no value")]
    [InlineData("serve --urls --Admin:Url http://127.0.0.1:0", "\"--urls\" has no value")]
    [InlineData("serve --config --urls http://*:8080", "--config has no value before \"--urls\"")]
    [InlineData("serve routes.json", "the routes file is named by --config PATH")]
    [InlineData("serve --urls http://*:8080 routes.json", "\"routes.json\" is neither an option nor the value of one")]
    [InlineData("serve -- word", "\"word\" is neither an option nor the value of one")]
    [InlineData("serve -- --Some:Setting", "\"--Some:Setting\" has no value")]
    [InlineData("serv", "there is no command \"serv\"; did you mean \"serve\"?")]
    [InlineData("--config a.json validate b.json", "options of serve stand before \"validate\"")]
    [InlineData("--dry-run presets", "options of serve stand before \"presets\"")]
    [InlineData("validate --skip-secret routes.json", "unknown option \"--skip-secret\"; did you mean \"--skip-secrets\"?")]
    [InlineData("validate routes.json more.json", "validate does not know what to do with \"more.json\"")]
    [InlineData("send --rout verisync --config x.json", "unknown option \"--rout\"; did you mean \"--route\"?")]
    [InlineData("--bogus validate routes.json", "unknown option \"--bogus\"")]
    [InlineData("demo --onc", "unknown option \"--onc\"; did you mean \"--once\"?")]
    public void What_nobody_asked_for_is_an_error_that_names_what_was_meant(string line, string fault) =>
        Assert.Contains(fault, Fault(line.Split(' ')), StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("serve")]
    [InlineData("serve --dry-run --config x.json")]
    [InlineData("--config x.json serve --dry-run")]
    [InlineData("serve --urls http://*:8080 --Admin:Url=http://*:9901 --Admin:Token secret")]
    [InlineData("serve --config=x.json --urls=http://*:8080 --environment Production --contentRoot /srv")]
    [InlineData("--Kestrel:Endpoints:Https:Url https://*:8443 --logging:loglevel:default Debug --Metrics:Framework=requests")]
    [InlineData("serve --OTEL_EXPORTER_OTLP_ENDPOINT http://collector:4317")]
    [InlineData("serve --config x.json -- --Any:Thing=1 --other value")]
    [InlineData("-- --urls http://*:8080")]
    [InlineData("validate x.json --skip-secrets")]
    [InlineData("validate -- --odd-name.json")]
    [InlineData("demo --once")]
    public void What_is_meant_for_us_or_for_the_host_passes(string line) => Assert.Equal("", Fault(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)));

    [Fact]
    public void Every_command_line_of_README_image_and_manifests_passes()
    {
        string[] files = ["README.md", "Dockerfile", "config/docker-compose.yml", "config/kubernetes/gateway.yml"];
        var text = string.Join('\n', files.Select(static file => File.ReadAllText(Path.Combine(RepositoryRoot.Path, file))));
        var lines = Regex.Matches(text, @"dotnet run --project gateway -- (?<words>[^`\n#]+)", RegexOptions.ExplicitCapture)
            .Select(static match => match.Groups["words"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Concat(Regex.Matches(text, @"\[(?<words>""(serve|webhookedge\.dll|healthcheck)""[^\]]*)\]", RegexOptions.ExplicitCapture)
                .Select(static match => match.Groups["words"].Value.Split(',').Select(static word => word.Trim(' ', '"')).ToArray()))
            .ToArray();

        Assert.True(lines.Length >= 8, $"only {lines.Length} command lines found");
        Assert.All(lines, static words => Assert.Equal(("", string.Join(' ', words)), (Fault(words), string.Join(' ', words))));
    }

    [Fact]
    public void The_demo_takes_the_first_folder_that_can_be_written_to_and_else_says_so_in_one_line()
    {
        var folder = DemoFolder.Create(["/proc/nowhere", Path.GetTempPath()]);
        folder.Delete();
        Assert.Equal(Path.GetFullPath(Path.GetTempPath()).TrimEnd('/'), folder.Parent!.FullName.TrimEnd('/'));

        var fault = Assert.Throws<StartupException>(static () => DemoFolder.Create(["/proc/nowhere", "/dev/null"])).Message;
        Assert.StartsWith("the demo needs a folder to write to, and there is none in /proc/nowhere or /dev/null: ", fault, StringComparison.Ordinal);
        Assert.EndsWith("set TMPDIR=PATH, in a container with docker run --tmpfs /tmp", fault, StringComparison.Ordinal);
    }

    private static string? Fault(string[] words)
    {
        var parsed = Verbs.Create().Parse(words);
        return Verbs.Fault(parsed) ?? string.Join(" | ", parsed.Errors.Select(static error => error.Message));
    }
}
