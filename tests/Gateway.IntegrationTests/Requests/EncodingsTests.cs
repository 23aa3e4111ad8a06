using System.IO.Compression;
using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>Content codings: none is the same as no header, a route lets through those it names, and every other one is refused by its name.</summary>
public class Encodings : SiteTests
{
    [Theory]
    [InlineData("")]
    [InlineData("identity")]
    [InlineData("Identity")]
    [InlineData("IDENTITY, identity")]
    [InlineData("identity,")]
    [InlineData(" , ")]
    public async Task A_body_that_is_not_encoded_passes_however_that_is_said(string encoding)
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed($"plain {encoding}").WithHeader("Content-Encoding", encoding))).Status);
        Assert.Equal($"plain {encoding}", Site.Upstream.Requests[^1].BodyText);
    }

    [Fact]
    public async Task Two_lines_that_say_so_pass_as_well() =>
        Assert.Equal(200, (await Site.SendAsync(Site.Signed("two lines").WithHeader("Content-Encoding", "identity").WithHeader("Content-Encoding", ""))).Status);

    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("GZip", "gzip")]
    [InlineData("x-gzip", "gzip")]
    [InlineData("br", "br")]
    [InlineData("identity, zstd", "zstd")]
    [InlineData("identity,,deflate,br", "deflate")]
    [InlineData("aes128gcm", "aes128gcm")]
    [InlineData("gzip;q=1", "what is the name of no coding")]
    [InlineData("\"gzip\"", "what is the name of no coding")]
    [InlineData("a-name-that-is-longer-than-any-coding-has", "what is the name of no coding")]
    public async Task The_refusal_names_the_coding(string encoding, string named)
    {
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("{}").WithHeader("Content-Encoding", encoding)), 415, "encoding-refused");

        Assert.Equal(named, Site.Gateway.Journal.Newest(1)[0].Detail);
        Assert.Contains($"; {named}; ", Site.Gateway.Logs.WithEvent(1100)[^1].Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("GZIP")]
    [InlineData("x-gzip")]
    [InlineData("identity, gzip")]
    [InlineData("gzip, br")]
    public async Task A_coding_that_the_route_names_passes_and_the_app_gets_the_very_bytes(string encoding)
    {
        var body = Compressed($"an event in {encoding}");

        Assert.Equal(200, (await Site.SendAsync(Site.Signed(body, "/encoded").WithHeader("Content-Encoding", encoding))).Status);

        var got = Site.Upstream.Requests[^1];
        Assert.Equal(body, got.Body);
        Assert.Equal(encoding, got.Headers["Content-Encoding"]);
    }

    [Fact]
    public async Task The_signature_is_over_the_encoded_bytes()
    {
        var body = Compressed("signed before it was compressed");
        var request = RawRequest.Post("/encoded", body).WithHeader("Content-Encoding", "gzip")
            .WithHeader("X-Signature", Site.Sign("signed before it was compressed"u8));

        await Site.IsRefusedAsync(() => Site.SendAsync(request), 401, "signature-mismatch", route: "encoded");
    }

    [Theory]
    [InlineData("deflate")]
    [InlineData("gzip, deflate")]
    public async Task A_coding_that_the_route_does_not_name_is_refused_there_too(string encoding) =>
        await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed("{}", "/encoded").WithHeader("Content-Encoding", encoding)), 415, "encoding-refused",
            route: "encoded");

    [Fact]
    public async Task A_copy_of_an_encoded_event_is_a_duplicate()
    {
        var request = Site.Signed(Compressed("delivered once"), "/encoded").WithHeader("Content-Encoding", "gzip");

        Assert.Equal(200, (await Site.SendAsync(request)).Status);
        await Site.IsIdleAsync();
        Assert.Equal("true", (await Site.SendAsync(request)).Headers["X-Webhook-Duplicate"]);
    }

    private protected override Task<Site> StartAsync() => Site.StartAsync(
        """
        {
          "routes": {
            "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "encoded": { "path": "/encoded", "encodings": ["gzip", "br"], "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" }
          }
        }
        """);

    private static byte[] Compressed(string text)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }

        return compressed.ToArray();
    }
}
