using System.Net;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Providers;
using WebhookEdge.Routes;
using WebhookEdge.Routes.Rules;
using WebhookEdge.Verdicts;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.UnitTests.Routes.Rules;

/// <summary>A small catalogue made by hand, and the files of the repository.</summary>
internal static class RoutesSamples
{
    public static RoutesCatalogue Catalogue { get; } = new()
    {
        Presets = new[]
        {
            Preset("real-id", new() { Header = new(["X-Real-ID-Signature"]) }) with { Title = "Real ID", Allow = ["aws:us-east-1"] },
            Preset("verisync", new() { Header = new(["verisync-signature"]) }) with { Title = "Verisync", Allow = ["13.42.70.11"] },
            Preset("cr3dentials", new() { Header = new(["x-webhook-signature"]) }) with { Title = "Cr3dentials",
                Retries = new() { Timeout = new(TimeSpan.FromSeconds(10)) } },
            Preset("x", new() { Header = new(["x-twitter-webhooks-signature"]) }) with { Handshake = "x" },
            Preset(
                "standard-webhooks",
                new()
                {
                    Header = new(["webhook-signature"]),
                    Signed = "{id}.{timestamp}.{body}",
                    Timestamp = new() { From = "header:webhook-timestamp" },
                    Id = "header:webhook-id",
                }) with { Replay = new(null, new() { Key = ["id"] }) },
            Preset("sns", new() { Kind = "rsa-cert" }),
        }.ToDictionary(p => p.Name),
        ReasonSlugs = [.. Enum.GetValues<RejectReason>().Select(r => r.Describe().Slug)],
        CodeVerifiers = new Dictionary<string, CodeKind> { ["rsa-cert"] = new(NeedsSecrets: false, SignsBody: true),
            ["ed25519"] = new(NeedsSecrets: true, SignsBody: true) { ReadsTemplate = true } },
        AddressFault = text => IPAddress.TryParse(text, out var address)
            ? (address.ToString() == text ? null : "not the canonical form of an address")
            : (IPNetwork.TryParse(text, out var network) && network.ToString() == text ? null : "not an address or CIDR"),
        ClusterType = typeof(ClusterConfig),
    };

    public static string Root { get; } = FindRoot();

    public static byte[] Example => File.ReadAllBytes(Path.Combine(Root, "config", "routes.json"));

    public static (RoutesFile? File, IReadOnlyList<ConfigProblem> Problems) Read(ReadOnlySpan<byte> utf8)
    {
        var file = RoutesFileReader.Read(utf8, Catalogue, out var problems);
        return (file, problems);
    }

    private static PresetSpec Preset(string name, SchemeSpec scheme) =>
        new() { Name = name, Title = name, Docs = "https://example.com", Status = "confirmed", Scheme = scheme, Replay = new(null, new() { Key = ["body"] }) };

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "WebhookEdge.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("the tests run outside the repository");
        }

        return folder.FullName;
    }
}
