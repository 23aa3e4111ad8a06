namespace WebhookEdge.Primitives;

/// <summary>
/// Files in <c>edge.stateDirectory</c>. Written beside and renamed over, so that a crash leaves the old copy whole; mode 0600, since whoever writes there
/// opens routes.
/// </summary>
internal static class StateFile
{
    /// <summary>
    /// Makes the folder where it is missing. Throws what the file system throws (<see cref="IOException"/>, <see cref="UnauthorizedAccessException"/>).
    /// </summary>
    /// <param name="lastWrite">What the file shall say of its age.</param>
    public static void Write(string path, ReadOnlySpan<byte> content, DateTimeOffset lastWrite)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var beside = path + "." + Path.GetRandomFileName();
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using (var file = new FileStream(beside, options))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.SetLastWriteTimeUtc(beside, lastWrite.UtcDateTime);
            File.Move(beside, path, overwrite: true);
        }
        finally
        {
            File.Delete(beside);
        }
    }
}
