namespace WebhookEdge.Cli;

/// <summary>
/// Reads a file that somebody named on the command line, once. Unlike <see cref="Primitives.RegularFile"/>, which is for files that are watched, it waits for a
/// pipe: whoever named one is there to write to it.
/// </summary>
internal static class InputFile
{
    /// <summary>In bytes. A route may be given bodies up to 1 GiB; a command that holds its input several times over need not.</summary>
    private const int Largest = 128 << 20;

    /// <exception cref="IOException">It cannot be read. The message names the file, the fault and the way out.</exception>
    public static async Task<byte[]> ReadAsync(string path, CancellationToken cancellationToken)
    {
        if (Directory.Exists(path))
        {
            throw new IOException($"{path}: a directory; name a file");
        }

        try
        {
            await using var file = File.OpenRead(path);
            using var bytes = new MemoryStream();
            var buffer = new byte[81920];
            while (await file.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                if (bytes.Length + read > Largest)
                {
                    throw new IOException($"{path}: larger than {Largest >> 20} MiB; name the file of one request");
                }

                bytes.Write(buffer, 0, read);
            }

            return bytes.ToArray();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new IOException($"{path}: no such file; check the path", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"{path}: may not be read; check its permissions", e);
        }
    }
}
