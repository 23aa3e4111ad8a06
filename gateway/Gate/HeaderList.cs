using Microsoft.Extensions.Primitives;

namespace WebhookEdge.Gate;

/// <summary>
/// The headers of a request as a list. The server's dictionary can be walked only through an enumerator that it allocates, so it is walked once a request and
/// read from here after that. Kept with the pooled delivery.
/// </summary>
internal sealed class HeaderList
{
    private KeyValuePair<string, StringValues>[] _lines = new KeyValuePair<string, StringValues>[32];
    private int _count;

    /// <summary>The headers, when they have been walked; empty before.</summary>
    public ReadOnlySpan<KeyValuePair<string, StringValues>> Seen => _lines.AsSpan(0, _count);

    public ReadOnlySpan<KeyValuePair<string, StringValues>> Of(IHeaderDictionary headers)
    {
        if (_count == 0)
        {
            foreach (var line in headers)
            {
                if (_count == _lines.Length)
                {
                    Array.Resize(ref _lines, _lines.Length * 2);
                }

                _lines[_count++] = line;
            }
        }

        return Seen;
    }

    public void Reset()
    {
        Array.Clear(_lines, 0, _count);
        _count = 0;
    }
}
