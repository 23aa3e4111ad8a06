namespace WebhookEdge.AllowLists;

/// <summary>
/// A format of published lists: one row each. Nothing else of the pool, the feed and the copy on disk knows which formats there are, so a format that is
/// forgotten somewhere cannot be taken for another.
/// </summary>
internal sealed class RangeFormat
{
    /// <summary>Amazon's <c>ip-ranges.json</c>: a list is cut out by region and service.</summary>
    public static readonly RangeFormat Aws = Of<AwsIpRanges>("aws", AwsIpRanges.TryParse, static (_, query) =>
        "aws:" + string.Join(',', query.Regions) + (query.Services is ["AMAZON"] ? "" : ":" + string.Join(',', query.Services)));

    /// <summary>Any JSON document: a list is where the pointer leads.</summary>
    public static readonly RangeFormat Json = Of<JsonAddressDocument>("json", JsonAddressDocument.TryParse, static (source, query) =>
        $"json:{source.Display}#{query.Pointer?.Text}");

    private readonly Func<ReadOnlyMemory<byte>, IRangeDocument> _read;
    private readonly Func<RangeSource, AddressQuery, string> _name;

    private RangeFormat(string word, Func<ReadOnlyMemory<byte>, IRangeDocument> read, Func<RangeSource, AddressQuery, string> name)
    {
        (Word, _read, _name) = (word, read, name);
    }

    /// <summary>False, with a <paramref name="fault"/> for the operator, when the bytes are no sound document.</summary>
    private delegate bool Parser<T>(ReadOnlyMemory<byte> bytes, out T? document, out string fault);

    /// <summary>Begins the names of copies on disk; no two formats share one.</summary>
    public string Word { get; }

    /// <summary>Reads a whole document.</summary>
    /// <exception cref="InvalidDataException">The bytes are no sound document.</exception>
    public IRangeDocument Read(ReadOnlyMemory<byte> bytes) =>
        // Editors on Windows put a byte order mark before files; the JSON reader refuses it.
        _read(bytes.Span.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes);

    /// <summary>What a list cut out by <paramref name="query"/> is called, for people, logs and metrics.</summary>
    public string NameOf(RangeSource source, AddressQuery query) => _name(source, query);

    private static RangeFormat Of<T>(string word, Parser<T> parse, Func<RangeSource, AddressQuery, string> name)
        where T : class, IRangeDocument =>
        new(word, bytes => parse(bytes, out var document, out var fault) && document is not null ? document : throw new InvalidDataException(fault), name);
}
