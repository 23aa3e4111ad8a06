using WebhookEdge.Observability;

namespace WebhookEdge.AllowLists;

/// <summary>What a document's bytes mean, and their copy on disk.</summary>
internal sealed class RangeCopy(AddressListPool pool, RangeSource source, RangeKind kind, ILogger logger)
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

    /// <summary>Throws <see cref="InvalidDataException"/> when the bytes are no sound document.</summary>
    public IRangeDocument Parse(ReadOnlyMemory<byte> bytes)
    {
        // Editors on Windows put a byte order mark before files; the JSON reader refuses it.
        bytes = bytes.Span.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
        string fault;
        if (kind == RangeKind.Aws)
        {
            return AwsIpRanges.TryParse(bytes, out var ranges, out fault) && ranges is not null ? ranges : throw new InvalidDataException(fault);
        }

        return JsonAddressDocument.TryParse(bytes, out var document, out fault) && document is not null ? document : throw new InvalidDataException(fault);
    }

    private string? StatePath() =>
        !source.IsFile && pool.StateDirectory is { Length: > 0 } directory
        ? LastKnownGood.PathOf(directory, kind == RangeKind.Aws ? "aws" : "json", source.Url) : null;
}
