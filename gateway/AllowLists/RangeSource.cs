namespace WebhookEdge.AllowLists;

/// <summary>Where a published list comes from: an <c>https</c> URL (<c>http</c> for this machine only), or <c>file:/path</c>.</summary>
internal sealed class RangeSource
{
    private RangeSource(Uri url, string display)
    {
        Url = url;
        Display = display;
    }

    public Uri Url { get; }

    public bool IsFile => Url.IsFile;

    /// <summary>For people: without the query, where some publishers want a token.</summary>
    public string Display { get; }

    public static bool TryParse(string text, out RangeSource? source, out string fault)
    {
        source = null;
        if (text.StartsWith("file:", StringComparison.Ordinal))
        {
            if (!Uri.TryCreate(text.StartsWith("file:///", StringComparison.Ordinal) ? text : "file://" + text[5..], UriKind.Absolute, out var path)
                || path.Host.Length > 0
                || path.LocalPath.Length < 2)
            {
                fault = $"'{text}' is no file URL; write file:/absolute/path";
                return false;
            }

            fault = "";
            source = new RangeSource(path, "file:" + path.LocalPath);
            return true;
        }

        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || !IsAllowed(url))
        {
            fault = "not a URL a list may come from; write https://…, http://… for this machine only, or file:/absolute/path, without user name";
            return false;
        }

        fault = "";
        source = new RangeSource(url, url.GetLeftPart(UriPartial.Path));
        return true;
    }

    /// <summary>Whoever sits on the wire of a plain http list writes our allow list; only this machine may.</summary>
    public static bool IsAllowed(Uri url) =>
        url.UserInfo.Length == 0 && (url.Scheme == Uri.UriSchemeHttps || (url.Scheme == Uri.UriSchemeHttp && url.IsLoopback));
}
