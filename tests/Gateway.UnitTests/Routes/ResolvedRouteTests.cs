using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.Routes;

namespace WebhookEdge.UnitTests.Routes;

/// <summary>Where the route, its provider's preset, edge and the defaults meet.</summary>
public sealed class ResolvedRouteTests
{
    [Fact]
    public void Nothing_written_is_the_default()
    {
        var route = Resolve(""" "path": "/hook", "allow": ["203.0.113.7"] """);

        Assert.Equal(("r", "routes.r", "/hook", "/hook", false), (route.Id, route.Place, route.Path, route.LiteralPath, route.IsPrefix));
        Assert.Equal(["POST"], route.Methods);
        Assert.Empty(route.Hosts);
        Assert.Empty(route.Verify);
        Assert.Empty(route.Schemes!);
        Assert.Equal(TimeSpan.FromSeconds(8.5), route.Timeout);
        Assert.Equal(1 << 20, route.MaxBody.Bytes);
        Assert.Empty(route.Refuse);
        Assert.Null(route.Handshake);
        Assert.False(route.ForwardCredentials || route.Observes || route.ComesFromAnywhere);
    }

    [Fact]
    public void What_the_preset_says_stands_in_for_what_the_route_does_not()
    {
        var preset = Presets.Find("verisync")!;
        var route = Resolve(""" "path": "/hook/{**rest}", "provider": "verisync", "secrets": ["env:S"] """);

        Assert.True(route.IsPrefix);
        Assert.Equal("/hook/", route.LiteralPath);
        Assert.Same(preset, route.Preset);
        var check = Assert.Single(route.Verify);
        Assert.Equal(("routes.r", "routes.r", "routes.r.secrets", "verisync", false),
            (check.Place, check.SchemePlace, check.SecretsPlace, check.Name, check.Observes));
        Assert.Same(preset.Scheme, check.Scheme);
        Assert.Equal(["env:S"], check.Secrets!);
        Assert.Equal(preset.Allow ?? ["any"], route.Sources);
        Assert.Equal(preset.Replay?.Options?.Key, route.Replay.Key);
    }

    [Fact]
    public void What_the_route_writes_counts_before_edge_and_the_preset()
    {
        var route = Resolve(""" "path": "/hook", "provider": "shopify", "secrets": ["env:S"], "timeout": "3s", "maxBody": "2MiB", "allow": { "from": ["any"], "mode": "observe" } """,
            """ "limits": { "maxBody": "3MiB" } """);
        var other = Resolve(""" "path": "/hook", "provider": "shopify", "secrets": ["env:S"] """, """ "limits": { "maxBody": "3MiB" } """);

        Assert.Equal(TimeSpan.FromSeconds(3), route.Timeout);
        Assert.Equal(2 << 20, route.MaxBody.Bytes);
        Assert.Equal(3 << 20, other.MaxBody.Bytes);
        Assert.Equal(PresetSpec.DefaultTimeout(other.Preset), other.Timeout);
        Assert.Equal("routes.r.allow.from", route.SourcesPlace);
        Assert.Equal("routes.r.allow", other.SourcesPlace);
    }

    [Fact]
    public void Statuses_of_the_preset_and_of_the_route_stand_side_by_side()
    {
        var insists = Presets.All.Values.First(static preset => preset.Refuse is { Count: > 0 });
        var (slug, status) = insists.Refuse!.First();
        var route = Resolve($$""" "path": "/hook", "provider": "{{insists.Name}}", "secrets": ["env:S"], "refuse": { "overloaded": 529 } """);
        var over = Resolve($$""" "path": "/hook", "provider": "{{insists.Name}}", "secrets": ["env:S"], "refuse": { "{{slug}}": 599 } """);

        Assert.Equal(status, route.Refuse[slug]);
        Assert.Equal(529, route.Refuse["overloaded"]);
        Assert.Equal(599, over.Refuse[slug]);
    }

    [Fact]
    public void Entries_of_verify_have_their_own_places_schemes_and_modes()
    {
        var route = Resolve(""" "path": "/hook", "provider": "verisync", "verify": [{ "scheme": "own", "secrets": ["env:A"] }, { "scheme": { "kind": "token", "header": "X-T" }, "secrets": ["env:B"], "mode": "observe" }, { "scheme": "verisync", "secrets": ["env:C"] }] """,
            schemes: """ "own": { "header": "X-Own" } """);

        Assert.Equal(["schemes.own", "routes.r.verify[1].scheme", "routes.r.verify[2]"], route.Verify.Select(static check => check.SchemePlace));
        Assert.Equal(["own", "token X-T", "verisync"], route.Verify.Select(static check => check.Name));
        Assert.Equal([false, true, false], route.Verify.Select(static check => check.Observes));
        Assert.Equal(["routes.r.verify[0].secrets", "routes.r.verify[1].secrets", "routes.r.verify[2].secrets"],
            route.Verify.Select(static check => check.SecretsPlace));
        Assert.Equal(3, route.Schemes!.Count);
    }

    [Theory]
    [InlineData(""" "verify": [{ "scheme": "nobody", "secrets": ["env:A"] }] """)]
    [InlineData(""" "verify": [{ "secrets": ["env:A"] }] """)]
    [InlineData(""" "verify": [{ "scheme": "hmac", "secrets": ["env:A"] }] """)]
    [InlineData(""" "verify": [] """)]
    [InlineData(""" "provider": "nobody", "secrets": ["env:A"] """)]
    [InlineData(""" "secrets": ["env:A"] """)]
    public void Where_it_is_open_which_schemes_are_meant_there_are_none_to_judge_by(string keys) =>
        Assert.Null(Resolve($""" "path": "/hook", {keys} """).Schemes);

    private static ResolvedRoute Resolve(string keys, string edge = "", string schemes = "")
    {
        var text = "{ \"edge\": {" + edge + "}, \"schemes\": {" + schemes + "}, \"routes\": { \"r\": {" + keys + "} } }";
        var file = RoutesFileReader.Read(Encoding.UTF8.GetBytes(text), out var problems);
        Assert.True(file is not null, string.Join('\n', problems));
        return ResolvedRoute.Of(file, "r", file.Routes!["r"]);
    }
}
