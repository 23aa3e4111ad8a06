using System.Net;
using System.Net.Http.Headers;
using WebhookEdge.Primitives;

namespace WebhookEdge.AllowLists;

/// <summary>What the source said last time, sent along so that it can answer 304 (RFC 9110 §13).</summary>
internal sealed record FetchValidators(EntityTagHeaderValue? ETag, DateTimeOffset? LastModified);

/// <param name="Body">The document, or null when it did not change.</param>
/// <param name="Validators">For the next fetch; null when the source offers none.</param>
internal readonly record struct Fetched(byte[]? Body, FetchValidators? Validators);

/// <summary>
/// Gets a published document over HTTP or from a file, within bounds of size and time. Every failure is an exception whose message an operator can read.
/// </summary>
internal sealed class RangeFetcher(HttpMessageInvoker http, TimeProvider time)
{
    /// <summary>Largest document in bytes; AWS' was 2.6 MB in August 2026.</summary>
    public const int MaxBytes = 10 * 1024 * 1024;

    /// <summary>From the first byte of the request to the last of the answer, redirects included.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    private const int MaxRedirects = 3;

    /// <summary>A client as this class wants it: redirects are followed here, where their target is looked at, and certificates are checked as usual.</summary>
    public static HttpMessageInvoker CreateClient() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.GZip | DecompressionMethods.Brotli,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        MaxResponseHeadersLength = 32,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        UseCookies = false,
        ActivityHeadersPropagator = null,
    });

    public async Task<Fetched> FetchAsync(RangeSource source, FetchValidators? validators, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            return source.IsFile ? new(ReadFile(source.Url.LocalPath), null) : await GetAsync(source.Url, validators, either.Token);
        }
        catch (OperationCanceledException e) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"no complete answer within {Timeout.TotalSeconds} s", e);
        }
    }

    /// <summary>Reads a whole file of at most <see cref="MaxBytes"/>.</summary>
    public static byte[] ReadFile(string path) =>
        RegularFile.Read(path, MaxBytes) ?? throw new IOException($"no regular file, or larger than {MaxBytes / 1024 / 1024} MiB");

    private async Task<Fetched> GetAsync(Uri url, FetchValidators? validators, CancellationToken cancellationToken)
    {
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            // api.github.com refuses requests that do not say who they are.
            request.Headers.UserAgent.Add(new ProductInfoHeaderValue("webhookedge", "1"));
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
            if (validators?.ETag is { } etag)
            {
                request.Headers.IfNoneMatch.Add(etag);
            }

            request.Headers.IfModifiedSince = validators?.LastModified;
            using var response = await http.SendAsync(request, cancellationToken);
            switch ((int)response.StatusCode)
            {
                case 200:
                    if (response.Content.Headers.ContentLength > MaxBytes)
                    {
                        throw TooLarge();
                    }

                    var next = new FetchValidators(response.Headers.ETag, response.Content.Headers.LastModified);
                    await using (var stream = await response.Content.ReadAsStreamAsync(cancellationToken))
                    {
                        return new(await ReadBoundedAsync(stream, cancellationToken), next is { ETag: null, LastModified: null } ? null : next);
                    }

                case 304 when validators is not null:
                    return new(null, validators);

                case 301 or 302 or 303 or 307 or 308 when response.Headers.Location is { } location:
                    var target = new Uri(url, location);
                    if (redirects == MaxRedirects || target.Scheme != url.Scheme || !RangeSource.IsAllowed(target))
                    {
                        throw new IOException($"the source redirects to {target.GetLeftPart(UriPartial.Path)}, which is not followed; configure the final URL");
                    }

                    url = target;
                    break;

                default:
                    throw new IOException($"the source answered {(int)response.StatusCode}");
            }
        }
    }

    private static async Task<byte[]> ReadBoundedAsync(Stream stream, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        var buffer = new byte[32 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            if (body.Length + read > MaxBytes)
            {
                throw TooLarge();
            }

            body.Write(buffer, 0, read);
        }

        return body.ToArray();
    }

    private static IOException TooLarge() => new($"the document is larger than {MaxBytes / 1024 / 1024} MiB");
}
