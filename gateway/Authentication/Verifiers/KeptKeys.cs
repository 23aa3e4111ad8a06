using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>What a publisher answered and when, as it came from the state directory: not yet a key.</summary>
internal sealed record KeptAnswer(DateTimeOffset FetchedAt, byte[] Answer);

/// <summary>
/// Fetched keys that proved a delivery, on disk, so that a restart asks nobody. A file holds the publisher's own answer (a certificate, a public key), the
/// time it was fetched and a digest of the key's name: nothing secret, and no account either. It is read as the publisher's answer is, by the source that
/// would have fetched it. Damaged files are told of, one line each, and ignored. Faults of the disk cost the copy and nothing else.
/// </summary>
internal sealed class KeptKeys(string directory, ILogger logger)
{
    /// <summary>Files that are read, and keys that are kept.</summary>
    public const int MaxFiles = 256;

    private const string Prefix = "signing-key-";
    private const int MaxFileBytes = 128 * 1024;
    private const int Version = 1;

    /// <summary>A clock that was set back must not make a key usable for longer than its publisher meant.</summary>
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(5);

    public string Directory => directory;

    /// <summary>A key's name as it stands in files: its SHA-256.</summary>
    public static string DigestOf(string fullName) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(fullName)));

    public string PathOf(string digest) => Path.Combine(directory, $"{Prefix}{digest[..32]}.json");

    /// <summary>Every sound file, by digest.</summary>
    public Dictionary<string, KeptAnswer> Read(DateTimeOffset now)
    {
        var kept = new Dictionary<string, KeptAnswer>(StringComparer.Ordinal);
        try
        {
            var folder = new DirectoryInfo(directory);
            var files = folder.Exists ? folder.EnumerateFiles(Prefix + "*.json").OrderByDescending(static file => file.LastWriteTimeUtc).Take(MaxFiles) : [];
            foreach (var file in files)
            {
                if (Read(file, now, out var digest, out var answer) is { } fault)
                {
                    logger.KeptKeyIgnored(file.Name, fault);
                }
                else
                {
                    kept[digest] = answer!;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            logger.KeptKeysUnreadable(e.GetType().Name);
        }

        return kept;
    }

    public void Write(string digest, KeptAnswer kept)
    {
        try
        {
            var content = new FileContent { Version = Version, Name = digest, FetchedAt = kept.FetchedAt, Answer = kept.Answer };
            StateFile.Write(PathOf(digest), JsonSerializer.SerializeToUtf8Bytes(content), kept.FetchedAt);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            logger.KeptKeyNotWritten(e.GetType().Name);
        }
    }

    public void Delete(string digest)
    {
        try
        {
            File.Delete(PathOf(digest));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            logger.KeptKeyNotWritten(e.GetType().Name);
        }
    }

    /// <summary>What is wrong with the file; null when nothing is.</summary>
    private string? Read(FileInfo file, DateTimeOffset now, out string digest, out KeptAnswer? kept)
    {
        (digest, kept) = ("", null);
        try
        {
            if (RegularFile.Read(file.FullName, MaxFileBytes) is not { } bytes)
            {
                return "it is too large";
            }

            if (JsonSerializer.Deserialize<FileContent>(bytes) is not { Version: Version, Name: { Length: 64 } name,
                Answer: { Length: > 0 and <= KeyFetcher.MaxBytes } answer } content)
            {
                return "it is not a file of this version";
            }

            if (file.Name != Path.GetFileName(PathOf(name)))
            {
                return "it is the file of another key";
            }

            if (content.FetchedAt > now + ClockSkew)
            {
                return "it is from the future";
            }

            (digest, kept) = (name, new(content.FetchedAt, answer));
            return null;
        }
        catch (Exception e) when (e is JsonException or FormatException or NotSupportedException)
        {
            return "it is damaged";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.GetType().Name;
        }
    }

    private sealed record FileContent
    {
        public int Version { get; init; }

        /// <summary>See <see cref="DigestOf"/>.</summary>
        public string? Name { get; init; }

        public DateTimeOffset FetchedAt { get; init; }

        /// <summary>Base64 in the file.</summary>
        public byte[]? Answer { get; init; }
    }
}
