using WebhookEdge.Observability;

namespace WebhookEdge.AllowLists;

/// <summary>What a document's bytes mean, and their copy on disk.</summary>
internal sealed class RangeCopy(AddressListPool pool, RangeSource source, RangeFormat format, ILogger logger)
{
    /// <summary>Where the document can be had at once: the last-known-good copy, or the file itself when the source is one; null = nowhere.</summary>
    public string? Path => source.IsFile ? source.Url.LocalPath : StatePath();

    public void Keep(Action<string> write)
    {
        if (StatePath() is not { } path)
        {
            return;
        }

        try
        {
            write(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            logger.StateFileNotWritten(path, e.Message);
        }
    }

    /// <inheritdoc cref="RangeFormat.Read"/>
    public IRangeDocument Parse(ReadOnlyMemory<byte> bytes) => format.Read(bytes);

    private string? StatePath() =>
        !source.IsFile && pool.StateDirectory is { Length: > 0 } directory
        ? LastKnownGood.PathOf(directory, format.Word, source.Url) : null;
}
