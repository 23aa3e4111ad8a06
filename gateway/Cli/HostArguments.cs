using WebhookEdge.Primitives;

namespace WebhookEdge.Cli;

/// <summary>
/// What of the command line is meant for ASP.NET Core's configuration. Its own reader takes any option and passes over what it does not understand, so that a
/// mistyped <c>--confg</c> would be a setting nobody reads. Here an option has to be one that somebody reads, or to stand after <c>--</c>.
/// </summary>
internal static class HostArguments
{
    /// <summary>Sections of ASP.NET Core's configuration that the gateway or the framework reads, as in <c>--Kestrel:Endpoints:Https:Url=…</c>.</summary>
    private static readonly string[] Sections = ["Admin", "Kestrel", "Logging", "Metrics"];

    /// <summary>Settings without a section. Variables of OpenTelemetry (<c>OTEL_…</c>) pass too.</summary>
    private static readonly string[] Settings = ["urls", "http_ports", "https_ports", "environment", "contentRoot", "shutdownTimeoutSeconds"];

    private static readonly string[] AdminKeys = ["Admin:Url", "Admin:Token"];

    /// <summary>
    /// Null when every word is a setting, in one or two words (<c>--key=value</c>, <c>--key value</c>); else what is wrong with the first that is none.
    /// </summary>
    /// <param name="words">What no option of ours took, in order.</param>
    /// <param name="after">How many at the end stood after <c>--</c>: of these the form alone is looked at.</param>
    /// <param name="options">Our own options, for what was probably meant.</param>
    public static string? Fault(IReadOnlyList<string> words, int after, IReadOnlyCollection<string> options)
    {
        for (var i = 0; i < words.Count; i++)
        {
            var word = words[i];
            var passed = i >= words.Count - after;
            if (!word.StartsWith("--", StringComparison.Ordinal) || word.Length < 3)
            {
                return passed || !word.StartsWith('-')
                    ? $"\"{word}\" is neither an option nor the value of one; write --Section:Key=value"
                    : Unknown(word, options);
            }

            var equals = word.IndexOf('=', StringComparison.Ordinal);
            var key = word[2..(equals < 0 ? word.Length : equals)];
            if (!passed && KeyFault(key, options) is { } fault)
            {
                return fault;
            }

            if (equals < 0 && (++i == words.Count || words[i].StartsWith("--", StringComparison.Ordinal)))
            {
                return $"\"{word}\" has no value; write {word}=VALUE";
            }
        }

        return null;
    }

    private static string? KeyFault(string key, IReadOnlyCollection<string> options)
    {
        var section = key.Split(':')[0];
        if (section.Length == key.Length)
        {
            return Settings.Contains(key, StringComparer.OrdinalIgnoreCase) || key.StartsWith("OTEL_", StringComparison.OrdinalIgnoreCase) ? null
                : Unknown("--" + key, options);
        }

        if (!Sections.Contains(section, StringComparer.OrdinalIgnoreCase))
        {
            return $"unknown option \"--{key}\": there is no section \"{section}\"; {NearestName.Hint(section, Sections)} Any other setting of ASP.NET Core "
                + "goes after \"--\"";
        }

        return section.Equals("Admin", StringComparison.OrdinalIgnoreCase) && !AdminKeys.Contains(key, StringComparer.OrdinalIgnoreCase)
            ? $"unknown option \"--{key}\"; {NearestName.Hint(key, AdminKeys)?.Replace("\"Admin", "\"--Admin", StringComparison.Ordinal)}"
            : null;
    }

    private static string Unknown(string option, IReadOnlyCollection<string> options)
    {
        var bare = option.TrimStart('-');
        var way = bare.Contains("__", StringComparison.Ordinal)
            ? $"two underlines are for the environment, write --{bare.Replace("__", ":", StringComparison.Ordinal)}."
            : NearestName.Of(bare, options.Select(static o => o.TrimStart('-')).Concat(Settings)) is { } name ? $"did you mean \"--{name}\"?" : "see --help.";
        return $"unknown option \"{option}\"; {way} Settings of ASP.NET Core are written --Section:Key=value ({string.Join(", ", Sections)}), or go after "
            + "\"--\"";
    }
}
