using WebhookEdge.Configuration;

namespace WebhookEdge.Hosting;

/// <summary>
/// Whether <c>edge.stateDirectory</c> can hold anything. Found out by writing there, since permissions, mounts and full disks all say it last.
/// </summary>
internal static class StateDirectory
{
    /// <summary>Null when it can be written to, or made where it is to be; nothing is left behind.</summary>
    public static ConfigProblem? Fault(string? path)
    {
        if (path is null)
        {
            return null;
        }

        var folder = Path.GetFullPath(path);
        while (!Directory.Exists(folder))
        {
            if (File.Exists(folder))
            {
                return Problem(path, $"{folder} is a file");
            }

            folder = Path.GetDirectoryName(folder) ?? "/";
        }

        var probe = Path.Combine(folder, ".webhookedge-" + Path.GetRandomFileName());
        try
        {
            using var file = new FileStream(probe,
                new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Options = FileOptions.DeleteOnClose });
            file.WriteByte(0);
            file.Flush(flushToDisk: true);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Problem(path, e.Message.Replace(probe, folder, StringComparison.Ordinal).TrimEnd('.'));
        }
    }

    private static ConfigProblem Problem(string path, string fault) =>
        new("edge.stateDirectory", $"nothing can be kept in {path}: {fault}",
            "name a directory that the gateway's user may write to, in a container on a volume; without one a restart knows nothing of before");
}
