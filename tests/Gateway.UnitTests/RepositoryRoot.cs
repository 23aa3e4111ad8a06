namespace WebhookEdge.UnitTests;

/// <summary>Finds the repository a test runs in, wherever its output folder is.</summary>
internal static class RepositoryRoot
{
    public static string Path { get; } = Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "WebhookEdge.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"no WebhookEdge.sln in any folder above {AppContext.BaseDirectory}");
    }
}
