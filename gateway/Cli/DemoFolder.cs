using WebhookEdge.Hosting;

namespace WebhookEdge.Cli;

/// <summary>
/// The demo's own folder, which it removes at its end: in the temporary folder, or where a container with a read-only root still lets one write.
/// </summary>
internal static class DemoFolder
{
    public static DirectoryInfo Create() => Create([Path.GetTempPath(), "/dev/shm"]);

    /// <summary>In the first of <paramref name="parents"/> that can be written to. Throws <see cref="StartupException"/> when none can.</summary>
    internal static DirectoryInfo Create(IReadOnlyList<string> parents)
    {
        var fault = "";
        foreach (var parent in parents)
        {
            try
            {
                // The folder will hold made-up secrets, and others may look into a temporary folder.
                var path = Path.Combine(parent, "webhookedge-demo-" + Path.GetRandomFileName());
                return OperatingSystem.IsWindows() ? Directory.CreateDirectory(path)
                    : Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                fault = e.Message.TrimEnd('.');
            }
        }

        throw new StartupException($"the demo needs a folder to write to, and there is none in {string.Join(" or ", parents)}: {fault}; set TMPDIR=PATH, in "
            + "a container with docker run --tmpfs /tmp");
    }
}
