namespace WebhookEdge.UnitTests;

/// <summary>A committed file that is made from the code.</summary>
internal static class GeneratedFile
{
    /// <summary>Fails when the committed file is another; with <paramref name="update"/>=1 in the environment it is written first.</summary>
    /// <param name="path">Relative to the root of the repository.</param>
    /// <param name="source">What it is made from, for the message.</param>
    /// <param name="tests">The class of tests that writes it.</param>
    public static void AssertCurrent(string path, string generated, string source, string update, string tests)
    {
        var committed = Path.Combine(RepositoryRoot.Path, path);
        if (Environment.GetEnvironmentVariable(update) == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(committed)!);
            File.WriteAllText(committed, generated);
        }

        Assert.True(
            File.Exists(committed) && File.ReadAllText(committed) == generated,
            $"{path} is not what the {source} say; regenerate it: {update}=1 dotnet test tests/Gateway.UnitTests --filter {tests}");
    }
}
