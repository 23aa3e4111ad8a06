using System.Text;

namespace WebhookEdge.Configuration;

/// <summary>
/// Where a secret is found: <c>env:NAME</c> or <c>file:/path</c> (contents without one final newline). The text of the reference is safe to show;
/// what it points to never is.
/// </summary>
internal readonly record struct SecretReference(string Text)
{
    /// <summary>In bytes. Keys and certificates are far smaller.</summary>
    public const int LargestFile = 64 * 1024;

    public bool IsFile => Text.StartsWith("file:", StringComparison.Ordinal);

    /// <summary>The variable's name or the file's path.</summary>
    public string Target => Text[(Text.IndexOf(':', StringComparison.Ordinal) + 1)..];

    public static bool TryParse(string? text, out SecretReference reference)
    {
        reference = default;
        if (text is null || !(text.StartsWith("env:", StringComparison.Ordinal) || text.StartsWith("file:", StringComparison.Ordinal)) || text.IndexOf(':', StringComparison.Ordinal) == text.Length - 1)
        {
            return false;
        }

        reference = new(text);
        return true;
    }

    /// <summary>The contents, or null when it is no regular file of at most <see cref="LargestFile"/> bytes. Throws as <see cref="File"/> does.</summary>
    public static byte[]? ReadSmallFile(string path)
    {
        if (Directory.Exists(path))
        {
            return null;
        }

        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        if (length > LargestFile || File.GetAttributes(path).HasFlag(FileAttributes.Device))
        {
            return null;
        }

        // Devices report no length and never end; what is read here is bounded whatever the file says of itself.
        var buffer = new byte[LargestFile + 1];
        var read = 0;
        while (read < buffer.Length)
        {
            var more = RandomAccess.Read(file, buffer.AsSpan(read), read);
            if (more == 0)
            {
                break;
            }

            read += more;
        }

        return read > LargestFile ? null : buffer[..read];
    }

    /// <summary>Reads the secret; null with a reason for people when it is not there. An empty secret is returned as such: the caller refuses it.</summary>
    public byte[]? Resolve(out string? fault)
    {
        fault = null;
        if (!IsFile)
        {
            var value = Environment.GetEnvironmentVariable(Target);
            if (value is null)
            {
                fault = $"the environment variable {Target} is not set";
                return null;
            }

            return Encoding.UTF8.GetBytes(value);
        }

        try
        {
            // A device or a log named by mistake must not be read to its end, twice a second at that.
            if (ReadSmallFile(Target) is not { } bytes)
            {
                fault = $"the file {Target} is not a secret (it is no regular file, or larger than {LargestFile / 1024} KiB)";
                return null;
            }

            var end = bytes.Length;
            if (end > 0 && bytes[end - 1] == (byte)'\n')
            {
                end--;
                if (end > 0 && bytes[end - 1] == (byte)'\r')
                {
                    end--;
                }
            }

            return bytes[..end];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = $"the file {Target} cannot be read ({(e is FileNotFoundException or DirectoryNotFoundException ? "it does not exist" : e is UnauthorizedAccessException ? "permission denied" : "input/output error")})";
            return null;
        }
    }
}
