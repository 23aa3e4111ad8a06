using System.Text.RegularExpressions;


namespace WebhookEdge.UnitTests.Repository;

public sealed class ComposeFileTests
{
    [Fact]
    public void Every_secret_that_the_compose_routes_name_is_mounted_and_every_mounted_one_is_named()
    {
        var compose = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "config", "docker-compose.yml"));
        var routes = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "config", "routes.compose.json"));
        var named = Regex.Matches(routes, "file:/run/secrets/(?<name>[a-z0-9_]+)\"").Select(m => m.Groups["name"].Value).Order().ToArray();
        var mounted = Regex.Matches(compose, "^      - (?<name>[a-z0-9_]+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)
            .Select(m => m.Groups["name"].Value).Where(n => n != "redis" && n != "edge" && n != "store").Order().ToArray();
        var defined = Regex.Matches(compose, @"^    file: \.\./secrets/(?<name>[a-z0-9_]+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)
            .Select(m => m.Groups["name"].Value).Order().ToArray();

        Assert.NotEmpty(named);
        Assert.Equal(named, mounted);
        Assert.Equal(named, defined);
    }

    [Fact]
    public void Every_variable_that_the_compose_routes_name_is_set()
    {
        var compose = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "config", "docker-compose.yml"));
        var routes = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "config", "routes.compose.json"));
        var variables = Regex.Matches(routes, "\"env:(?<name>[A-Z0-9_]+)\"").Select(m => m.Groups["name"].Value).ToArray();

        Assert.NotEmpty(variables);
        Assert.All(variables, name => Assert.Contains($"      {name}:", compose, StringComparison.Ordinal));
    }
}
