using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Primitives;

namespace WebhookEdge.AllowLists;

/// <summary>
/// Published documents on disk, so that a restart without network still knows them. A file's time is when its
/// document was last confirmed by the source.
/// </summary>
internal static class LastKnownGood
{
    /// <summary>The name depends on kind and URL only, and gives nothing of the URL away.</summary>
    public static string PathOf(string directory, string kind, Uri url) =>
        Path.Combine(directory, $"{kind}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(url.AbsoluteUri)))[..32]}.json");

    public static void Write(string path, byte[] document, DateTimeOffset confirmedAt) => StateFile.Write(path, document, confirmedAt);

    /// <summary>False when there is no copy.</summary>
    public static bool Confirm(string path, DateTimeOffset confirmedAt)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        File.SetLastWriteTimeUtc(path, confirmedAt.UtcDateTime);
        return true;
    }

    /// <summary>Null when there is no copy.</summary>
    public static (byte[] Document, DateTimeOffset ConfirmedAt)? Read(string path) =>
        File.Exists(path) ? (RangeFetcher.ReadFile(path), new DateTimeOffset(File.GetLastWriteTimeUtc(path), TimeSpan.Zero)) : null;
}
