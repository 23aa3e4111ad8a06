using System.Text;

namespace WebhookEdge.Configuration;

/// <summary>
/// Where a secret is found: <c>env:NAME</c> or <c>file:/path</c> (contents without one final newline). The text of the reference is safe to show;
/// what it points to never is.
/// </summary>
internal readonly record struct SecretReference(string Text)
{
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
            var bytes = File.ReadAllBytes(Target);
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
