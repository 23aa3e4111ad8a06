using System.Diagnostics;

namespace WebhookEdge.TestKit;

/// <summary>A folder that goes with the test.</summary>
internal sealed class TempDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("webhookedge-test-").FullName;

    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Writes in place, creating folders as needed, and gives the full path.</summary>
    public string Write(string name, string text)
    {
        var path = PathOf(name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>Writes a neighbour and renames it over <paramref name="name"/>, as editors and careful deployments do.</summary>
    public string Replace(string name, string text)
    {
        var path = PathOf(name);
        File.Move(Write(name + ".new", text), path, overwrite: true);
        return path;
    }

    /// <summary>Makes <paramref name="name"/> a symbolic link to <paramref name="target"/> in one step, as Kubernetes does with <c>..data</c>.</summary>
    public string Link(string name, string target)
    {
        var path = PathOf(name);
        var next = path + ".new";
        File.CreateSymbolicLink(next, target);
        // rename(2): File.Move does not see a link to a folder as a file, Directory.Move does not replace.
        using var move = Process.Start("mv", ["-T", next, path]);
        move.WaitForExit();
        return move.ExitCode == 0 ? path : throw new IOException($"mv -T {next} {path} failed with {move.ExitCode}");
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException)
        {
            // A process under test may still hold a file; the system's own cleaning takes it.
        }
    }
}
