using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication;

/// <summary>What is wrong with the value of a secret, as far as one can see without its scheme.</summary>
internal static class SecretInspection
{
    /// <summary>
    /// Reports what is wrong with a secret before any scheme uses it. Errors: empty or blank, or a placeholder nobody filled in.
    /// Warnings name the usual mistakes. Returns false when the secret cannot be used.
    /// </summary>
    /// <param name="problems">Where they go.</param>
    /// <param name="path">The secret's place in the file.</param>
    /// <param name="isPem">The value is PEM text, which has lines and is longer than any shared secret.</param>
    public static bool Inspect(this Secret secret, ICollection<ConfigProblem> problems, string path, bool isPem = false)
    {
        var value = secret.Value;
        if (value.Length == 0 || value.Trim(" \t\r\n"u8).IsEmpty)
        {
            problems.Add(new(path, $"the secret {secret.Id} is empty", "an empty secret would let anyone sign; put the provider's secret there"));
            return false;
        }

        if (value.StartsWith("${"u8) && value[^1] == (byte)'}')
        {
            problems.Add(new(path, $"the secret {secret.Id} is a placeholder that was never filled in",
                "something was to replace ${…} before the gateway started"));
            return false;
        }

        if (isPem)
        {
            return true;
        }

        if (value.StartsWith("\uFEFF"u8))
        {
            problems.Add(new(path, $"the secret {secret.Id} begins with a byte order mark, which counts as a part of it",
                "save the file as UTF-8 without BOM", IsWarning: true));
        }

        if (value[^1] is (byte)'\n' or (byte)'\r')
        {
            problems.Add(new(path, $"the secret {secret.Id} ends in a line break",
                "probably written with echo; use printf, or is it really part of the secret?", IsWarning: true));
        }
        else if (value.ContainsAnyInRange((byte)0, (byte)0x1F) || value.Contains((byte)0x7F))
        {
            problems.Add(new(path, $"the secret {secret.Id} holds control characters", "is it a binary file, or a copy with stray line breaks?",
                IsWarning: true));
        }
        else if (value[0] == (byte)' ' || value[^1] == (byte)' ')
        {
            problems.Add(new(path, $"the secret {secret.Id} begins or ends with a space", "probably copied along; remove it unless the provider shows it too",
                IsWarning: true));
        }

        if (value.Length >= 2 && value[0] == value[^1] && value[0] is (byte)'"' or (byte)'\'')
        {
            problems.Add(new(path, $"the secret {secret.Id} stands in quotes",
                "an env file does not take quotes away; remove them unless they belong to the secret", IsWarning: true));
        }

        return true;
    }

    /// <summary>Warns below 16 bytes: short enough to be guessed from one captured request, yet some providers hand out such secrets.</summary>
    public static void WarnWhenShort(this Secret secret, ICollection<ConfigProblem> problems, string path)
    {
        if (secret.Value.Length < 16)
        {
            problems.Add(new(path, $"the secret {secret.Id} is only {secret.Value.Length} {(secret.Value.Length == 1 ? "byte" : "bytes")} long",
                "16 bytes or more cannot be guessed from a captured request; 32 are better", IsWarning: true));
        }
    }
}
