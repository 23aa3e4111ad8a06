using WebhookEdge.Configuration;
using WebhookEdge.Routes;

namespace WebhookEdge.UnitTests.Routes.Rules;

/// <summary>The files of the repository.</summary>
internal static class RoutesSamples
{
    public static string Root { get; } = FindRoot();

    public static byte[] Example => File.ReadAllBytes(Path.Combine(Root, "config", "routes.json"));

    public static (RoutesFile? File, IReadOnlyList<ConfigProblem> Problems) Read(ReadOnlySpan<byte> utf8)
    {
        var file = RoutesFileReader.ReadAndValidate(utf8, out var problems);
        return (file, problems);
    }

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
