using System.Security.Cryptography;
using System.Text;

namespace WebhookEdge.Primitives;

/// <summary>
/// Where a secret is found: <c>env:NAME</c> or <c>file:/path</c> (contents without one final newline). What it points to is never shown. Its own text is safe
/// to show once it has led to something; before that it may be a secret that somebody put behind <c>env:</c>, so messages say <see cref="Plausible"/> parts
/// only.
/// </summary>
internal readonly record struct SecretReference(string Text)
{
    private static readonly byte[] Unreadable = SHA256.HashData("unreadable"u8);

    /// <summary>In bytes. Keys and certificates are far smaller.</summary>
    public const int LargestFile = 64 * 1024;

    public bool IsFile => Text.StartsWith("file:", StringComparison.Ordinal);

    /// <summary>The variable's name or the file's path.</summary>
    public string Target => Text[(Text.IndexOf(':', StringComparison.Ordinal) + 1)..];

    /// <summary>
    /// The variable's name or the file's path where it looks like nothing else, for messages; null for what could just as well be the secret itself: names with
    /// anything but capitals, digits and _, longer than 64, and paths that do not begin as one.
    /// </summary>
    public string? Plausible => IsFile
        ? Target.Length <= 255
        && (Target.StartsWith('/') || Target.StartsWith("./", StringComparison.Ordinal) || Target.StartsWith("../", StringComparison.Ordinal)
        || Path.IsPathRooted(Target)) ? Target : null
        : Target.Length <= 64 && Target.All(static c => char.IsAsciiLetterUpper(c) || char.IsAsciiDigit(c) || c == '_') ? Target : null;

    /// <summary>How to bring about what is missing.</summary>
    public string Remedy =>
        IsFile ? (Plausible is null ? "write the whole path, e.g. \"file:/run/secrets/NAME\"; nothing stands in for ~" : "mount the file, or name another")
        : Plausible is { } name ? $"set it, e.g. export {name}=…"
        : "set the variable; if this is the secret itself, it does not belong here";

    public static bool TryParse(string? text, out SecretReference reference)
    {
        reference = default;
        if (text is null || !(text.StartsWith("env:", StringComparison.Ordinal) || text.StartsWith("file:", StringComparison.Ordinal))
            || text.IndexOf(':', StringComparison.Ordinal) == text.Length - 1)
        {
            return false;
        }

        reference = new(text);
        return true;
    }

    /// <summary>SHA-256 of the file now, to tell whether it changed; the same for all that cannot be read.</summary>
    public static byte[] FileDigest(string path)
    {
        try
        {
            return SHA256.HashData(RegularFile.Read(path, LargestFile) ?? []);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Unreadable;
        }
    }

    /// <summary>Reads the secret; null with a reason for people when it is not there. An empty secret is returned as such: the caller refuses it.</summary>
    public byte[]? Resolve(out string? fault) => Resolve(out fault, out _);

    /// <inheritdoc cref="Resolve(out string?)"/>
    /// <param name="digest">SHA-256 of the file as it was read, as <see cref="FileDigest"/> has it; null for a variable.</param>
    public byte[]? Resolve(out string? fault, out byte[]? digest)
    {
        fault = null;
        digest = null;
        if (!IsFile)
        {
            var value = Environment.GetEnvironmentVariable(Target);
            if (value is null)
            {
                fault = Plausible is { } name ? $"the environment variable {name} is not set" : "the environment variable is not set";
                return null;
            }

            return Encoding.UTF8.GetBytes(value);
        }

        var file = Plausible is { } path ? $"the file {path}" : "the file";
        try
        {
            // A device or a log named by mistake must not be read to its end, twice a second at that.
            var bytes = RegularFile.Read(Target, LargestFile);
            digest = SHA256.HashData(bytes ?? []);
            if (bytes is null)
            {
                fault = $"{file} is not a secret (it is no regular file, or larger than {LargestFile / 1024} KiB)";
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
            digest = Unreadable;
            fault = $"{file} cannot be read ({FileFault.Of(Target, e)})";
            return null;
        }
    }
}
