using System.Globalization;

namespace WebhookEdge.Ingress;

/// <summary>
/// How many connections <see cref="ConnectionLimit"/> takes: <c>Kestrel:Limits:MaxConcurrentConnections</c>, and no more than this process may have files open
/// for. Out of files, the runtime itself ends the process.
/// </summary>
/// <param name="Most">At least <see cref="Fewest"/>.</param>
/// <param name="Wanted">What the configuration asks for, or the default.</param>
/// <param name="OpenFiles">How many files this process may have open (RLIMIT_NOFILE); null where that is not known.</param>
internal sealed record ConnectionAllowance(int Most, int Wanted, long? OpenFiles)
{
    public const string Key = "Kestrel:Limits:MaxConcurrentConnections";

    public const int Default = 8192;

    public const int Fewest = 16;

    /// <summary>
    /// Files that are no connections: assemblies, timers' and sockets' event queues, the admin listener, logs. About 240 are open in an idle gateway.
    /// </summary>
    public const int OwnFiles = 320;

    /// <summary>A sender's connection may need one towards an app.</summary>
    private const int FilesEach = 2;

    /// <summary>What is short of <see cref="Wanted"/>, for people; null when nothing is.</summary>
    public string? Shortage => Most < Wanted
        ? $"{Key}: {Most} connections at once instead of {Wanted}, because this process may have only {OpenFiles} files open; raise that to "
        + $"{((long)Wanted * FilesEach) + OwnFiles} (ulimit -n, LimitNOFILE=, --ulimit nofile=)"
        : null;

    /// <exception cref="FormatException">The configured number is none, or below 1.</exception>
    public static ConnectionAllowance From(IConfiguration configuration) => For(configuration[Key], ReadOpenFiles("/proc/self/limits"));

    internal static ConnectionAllowance For(string? configured, long? openFiles)
    {
        var wanted = Default;
        if (configured is not null && (!int.TryParse(configured, CultureInfo.InvariantCulture, out wanted) || wanted < 1))
        {
            throw new FormatException($"{Key}: \"{configured}\" is no number of connections; write a whole number above 0, such as {Default}");
        }

        var most = openFiles is { } files ? (int)Math.Clamp((files - OwnFiles) / FilesEach, Math.Min(Fewest, wanted), wanted) : wanted;
        return new(most, wanted, openFiles);
    }

    /// <summary>The soft limit in Linux' table of a process' limits; the runtime raises its own to the hard one as it starts.</summary>
    internal static long? ReadOpenFiles(string path)
    {
        try
        {
            foreach (var line in File.ReadLines(path))
            {
                if (line.StartsWith("Max open files", StringComparison.Ordinal))
                {
                    return line["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var soft, ..]
                        && long.TryParse(soft, CultureInfo.InvariantCulture, out var most) ? most : null;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No Linux, or no /proc: what is asked for is what is taken.
        }

        return null;
    }
}
