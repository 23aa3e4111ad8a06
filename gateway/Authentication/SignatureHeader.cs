using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication;

/// <summary>How a header that is a list of entries is cut, e.g. <c>t=…,v1=…</c>. Null <see cref="Key"/>: every entry is a bare signature.</summary>
internal sealed record EntryGrammar(string Separator, string? Group, string KeySeparator, string? Key, string? TimeKey);

/// <summary>
/// The grammar of a signature header, compiled. One spelling only: what two parsers could read differently is refused, and so is a list in which
/// a single entry is broken, since no sender has a reason to send one.
/// </summary>
internal sealed record SignatureHeader(MacEncoding Encoding, int MacLength, string Prefix, EntryGrammar? Entries)
{
    /// <summary>Longest header that is looked at, in characters.</summary>
    public const int MaxLength = 8192;

    /// <summary>Most entries of all a scheme's headers together.</summary>
    public const int MaxEntries = 32;

    private const RejectReason Malformed = RejectReason.SignatureMalformed;

    /// <summary>Fewest bytes of a signature; less than <see cref="MacLength"/> only where the length varies, as ECDSA's DER does.</summary>
    public int LeastLength { get; init; } = MacLength;

    /// <summary>Adds the candidates of one header line, and its time entry, to <paramref name="parsed"/>.</summary>
    public Verdict Parse(string line, ParsedSignature parsed)
    {
        if (line.Length > MaxLength)
        {
            return Verdict.Reject(Malformed, "the signature header is longer than 8192 characters");
        }

        var text = line.AsSpan().Trim(" \t");
        if (Entries is null)
        {
            return text.StartsWith(Prefix, StringComparison.Ordinal)
                ? Add(text[Prefix.Length..], parsed)
                : Verdict.Reject(Malformed, "the signature does not begin with the scheme's prefix");
        }

        if (Entries.Group is null || Entries.Group == Entries.Separator)
        {
            return ParseEntries(Entries, line, text, parsed);
        }

        while (true)
        {
            var end = text.IndexOf(Entries.Group, StringComparison.Ordinal);
            var verdict = ParseEntries(Entries, line, end < 0 ? text : text[..end], parsed);
            if (!verdict.Passed || end < 0)
            {
                return verdict;
            }

            text = text[(end + Entries.Group.Length)..];
        }
    }

    private Verdict ParseEntries(EntryGrammar grammar, string line, ReadOnlySpan<char> text, ParsedSignature parsed)
    {
        while (true)
        {
            var end = text.IndexOf(grammar.Separator, StringComparison.Ordinal);
            var entry = (end < 0 ? text : text[..end]).Trim(" \t");
            if (++parsed.EntryCount > MaxEntries)
            {
                return Verdict.Reject(Malformed, "more than 32 entries in the signature header");
            }

            var verdict = ParseEntry(grammar, line, entry, parsed);
            if (!verdict.Passed || end < 0)
            {
                return verdict;
            }

            text = text[(end + grammar.Separator.Length)..];
        }
    }

    private Verdict ParseEntry(EntryGrammar grammar, string line, ReadOnlySpan<char> entry, ParsedSignature parsed)
    {
        if (entry.IsEmpty)
        {
            return Verdict.Reject(Malformed, "an empty entry in the signature header");
        }

        if (grammar.Key is null)
        {
            return Add(entry, parsed);
        }

        // The first key separator only: base64 may end in '='.
        var split = entry.IndexOf(grammar.KeySeparator, StringComparison.Ordinal);
        if (split <= 0)
        {
            return Verdict.Reject(Malformed, "an entry of the signature header has no key");
        }

        var key = entry[..split];
        var value = entry[(split + grammar.KeySeparator.Length)..];
        if (key.SequenceEqual(grammar.Key))
        {
            return Add(value, parsed);
        }

        if (grammar.TimeKey is not null && key.SequenceEqual(grammar.TimeKey))
        {
            // Two different times would let one be checked for age and the other be signed.
            if (parsed.HasTime && !parsed.Time.SequenceEqual(value))
            {
                return Verdict.Reject(Malformed, "two different timestamps in the signature header");
            }

            line.AsSpan().Overlaps(value, out var start);
            parsed.SetTime(line, start, value.Length);
        }

        // Entries under any other key (v0, v2, v1a) never count.
        return Verdict.Pass;
    }

    private Verdict Add(ReadOnlySpan<char> text, ParsedSignature parsed)
    {
        if (text.IsEmpty)
        {
            return Verdict.Reject(RejectReason.SignatureMissing, "the signature is empty");
        }

        if (LeastLength == MacLength ? StrictText.TryDecodeMac(text, Encoding, parsed.Next(MacLength)) : TryDecodeVariable(text, parsed))
        {
            return Verdict.Pass;
        }

        return LeastLength < MacLength
            ? Verdict.Reject(Malformed, "the signature is not in the scheme's encoding or of a length no key makes")
            : Verdict.Reject(Malformed, Encoding switch
            {
                MacEncoding.Hex => "the signature is not hex of the digest's length",
                MacEncoding.Base64 => "the signature is not canonical base64 of the digest's length",
                _ => "the signature is not canonical base64url of the digest's length",
            });
    }

    private bool TryDecodeVariable(ReadOnlySpan<char> text, ParsedSignature parsed)
    {
        var bytes = parsed.Next(MacLength);
        int length;
        if (Encoding == MacEncoding.Hex)
        {
            length = text.Length / 2;
            if (length > MacLength || !StrictText.TryDecodeMac(text, MacEncoding.Hex, bytes[..length]))
            {
                return false;
            }
        }
        else if (!StrictText.TryDecodeBase64(text, bytes, Encoding == MacEncoding.Base64Url,
            Encoding == MacEncoding.Base64Url ? Padding.Optional : Padding.Required, out length))
        {
            return false;
        }

        parsed.Shorten(length);
        return length >= LeastLength;
    }
}

/// <summary>
/// What was read from a signature header, kept with the pooled delivery between the two signature stages. A header's text says all there is to know
/// about it, so the text itself (the same string object) is the proof that what is kept belongs to this request.
/// </summary>
internal sealed class ParsedSignature
{
    private byte[] _macs = new byte[2 * 64];
    private int _macLength;
    private int[]? _lengths;
    private string? _timeLine;
    private int _timeStart;
    private int _timeLength;

    /// <summary>The line this was read from; null when it came from several.</summary>
    public string? Line { get; set; }

    /// <summary>Which scheme read it. A number, so that a pooled delivery keeps no rotated secret alive.</summary>
    public int Scheme { get; private set; }

    /// <summary>How reading ended.</summary>
    public Verdict Verdict { get; set; }

    public int EntryCount { get; set; }

    public int Count { get; private set; }

    public bool HasTime => _timeLine is not null;

    public ReadOnlySpan<char> Time => _timeLine.AsSpan(_timeStart, _timeLength);

    public ReadOnlySpan<byte> this[int candidate] => _macs.AsSpan(candidate * _macLength, _lengths is null ? _macLength : _lengths[candidate]);

    public void Clear(int scheme)
    {
        Scheme = scheme;
        Line = null;
        Verdict = default;
        EntryCount = 0;
        Count = 0;
        _lengths = null;
        _timeLine = null;
        _timeStart = _timeLength = 0;
    }

    public void SetTime(string line, int start, int length)
    {
        _timeLine = line;
        _timeStart = start;
        _timeLength = length;
    }

    /// <summary>The last candidate is shorter than the longest there could be.</summary>
    public void Shorten(int length)
    {
        if (_lengths is null)
        {
            _lengths = new int[SignatureHeader.MaxEntries];
            Array.Fill(_lengths, _macLength);
        }

        _lengths[Count - 1] = length;
    }

    /// <summary>Room for one more candidate. Grows to the cap of entries once and stays so.</summary>
    public Span<byte> Next(int macLength)
    {
        _macLength = macLength;
        if ((Count + 1) * macLength > _macs.Length)
        {
            Array.Resize(ref _macs, SignatureHeader.MaxEntries * Math.Max(64, macLength));
        }

        if (_lengths is not null)
        {
            _lengths[Count] = macLength;
        }

        return _macs.AsSpan(Count++ * macLength, macLength);
    }
}

/// <summary>A delivery's <see cref="ParsedSignature"/>s, one for each scheme of its route; with more schemes than places the oldest is read again.</summary>
internal sealed class SignatureScratch
{
    private readonly ParsedSignature?[] _places = new ParsedSignature?[4];
    private int _next;

    public static ParsedSignature For(Delivery delivery, int scheme)
    {
        var scratch = delivery.SignatureScratch as SignatureScratch;
        if (scratch is null)
        {
            delivery.SignatureScratch = scratch = new();
        }

        foreach (var place in scratch._places)
        {
            if (place is not null && place.Scheme == scheme)
            {
                return place;
            }
        }

        ref var taken = ref scratch._places[scratch._next++ & 3];
        taken ??= new();
        taken.Clear(scheme);
        return taken;
    }
}
