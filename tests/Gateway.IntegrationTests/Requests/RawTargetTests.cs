using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>One string to match and to forward: whatever a decoder, a normaliser or a router might read as the route is not the route.</summary>
public class Raw_target : SiteTests
{
    [Theory]
    [InlineData("/hook/")]
    [InlineData("/HOOK")]
    [InlineData("/Hook")]
    [InlineData("/hook/extra")]
    [InlineData("//hook")]
    [InlineData("/hook//")]
    [InlineData("/./hook")]
    [InlineData("/../hook")]
    [InlineData("/x/../hook")]
    [InlineData("/hook/.")]
    [InlineData("/hook/..")]
    [InlineData("/hook/../hook")]
    [InlineData("/hook;")]
    [InlineData("/hook;v=1")]
    [InlineData("/hook..;/hook")]
    [InlineData("/%68ook")]
    [InlineData("/hoo%6b")]
    [InlineData("/hoo%6B")]
    [InlineData("/%2e/hook")]
    [InlineData("/%2e%2e/hook")]
    [InlineData("/%252e%252e/hook")]
    [InlineData("/x%2f..%2fhook")]
    [InlineData("%2fhook")]
    [InlineData("/hook%2f")]
    [InlineData("/hook%00")]
    [InlineData("/hook%20")]
    [InlineData("/hook%3f")]
    [InlineData("/hook%23")]
    [InlineData("/hook#")]
    [InlineData("/hook#fragment")]
    [InlineData("/hook?a=1#fragment")]
    [InlineData("/hook#?a=1")]
    [InlineData("\\hook")]
    [InlineData("/\\hook")]
    [InlineData("/x\\..\\hook")]
    [InlineData("/hook\\")]
    [InlineData("/%5chook")]
    [InlineData("hook")]
    [InlineData("*")]
    [InlineData("/hook&a=1")]
    [InlineData("/hook:")]
    [InlineData("/hook@localhost")]
    [InlineData("/hook=")]
    [InlineData("/hook,")]
    [InlineData("/hook.")]
    [InlineData("/hook~")]
    [InlineData("/h\u00f6\u00f6k")]
    [InlineData("http://localhost//hook")]
    [InlineData("//localhost/hook")]
    [InlineData("ftp://localhost/hook")]
    [InlineData("http://localhost@elsewhere/hook")]
    public async Task A_literal_path_has_one_spelling(string target) => await IsUnknownAsync(target);

    [Theory]
    [InlineData("/some")]
    [InlineData("/some/events/../../hook")]
    [InlineData("/some/events/..")]
    [InlineData("/some/events/.")]
    [InlineData("/some/events/./a")]
    [InlineData("/some/events//a")]
    [InlineData("/some/events/a//b")]
    [InlineData("/some/events/%2e%2e/a")]
    [InlineData("/some/events/%252e%252e/a")]
    [InlineData("/some/events/a%2fb")]
    [InlineData("/some/events/a%20b")]
    [InlineData("/some/events/%41")]
    [InlineData("/some/events/a;b")]
    [InlineData("/some/events/a\\b")]
    [InlineData("/some/events/a:b;c")]
    [InlineData("/some/events/a|b")]
    [InlineData("/some/events/a^b")]
    [InlineData("/some/events/[a]")]
    [InlineData("/some/events/\"a\"")]
    [InlineData("/some/events/{a}")]
    [InlineData("/some/events/a:b/../c")]
    [InlineData("/some/events/\u00e4")]
    [InlineData("/some/events/..;/a")]
    [InlineData("/some/EVENTS/a")]
    [InlineData("/Some/events/a")]
    [InlineData("/some/events")]
    [InlineData("/some//events/a")]
    [InlineData("http://localhost/some/events/a;b")]
    [InlineData("http://localhost/some/events/../events/a")]
    public async Task A_prefix_takes_no_rest_that_could_be_read_in_two_ways(string target) => await IsUnknownAsync(target);

    [Theory]
    [InlineData("/some/events/")]
    [InlineData("/some/events/a")]
    [InlineData("/some/events/a/b/c/")]
    [InlineData("/some/events/A-z_0.9~")]
    [InlineData("/some/events/...")]
    [InlineData("/some/events/..a/.b")]
    [InlineData("/some/events/123456:AAH-abc_DEF")]
    [InlineData("/some/events/a:b@c!d$e&f'g(h)i*j+k,l=m")]
    [InlineData("/some/events/:/@/!/$/&/'/(/)/*/+/,/=")]
    [InlineData("/some/events/@handle/*?a=b")]
    [InlineData("/some/events/a?rest=/../%2e;//\\")]
    public async Task A_prefix_takes_a_plain_rest_and_the_app_gets_it_unchanged(string target)
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed(Encoding.Latin1.GetBytes(target), target))).Status);

        Assert.Equal(target, Site.Upstream.Requests[^1].Target);
    }

    [Theory]
    [InlineData("?")]
    [InlineData("?a=1&b=2")]
    [InlineData("?a=%20%41%zz%")]
    [InlineData("?{}|^`\"<>[]")]
    [InlineData("?a+b=c+d")]
    [InlineData("?q=/../..//./;x\\y")]
    [InlineData("?a=1?b=2??")]
    [InlineData("?&&==&=")]
    [InlineData("?url=http://elsewhere/?x=%23")]
    [InlineData("?%2e%2e%2f")]
    [InlineData("?'()*!$,:@~")]
    [InlineData("?%C3%A4%c3%a4")]
    public async Task A_query_reaches_the_app_byte_for_byte(string query)
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed(Encoding.Latin1.GetBytes(query), "/hook" + query))).Status);

        Assert.Equal("/hook" + query, Site.Upstream.Requests[^1].Target);
    }

    [Theory]
    [InlineData("/tg/123456:ABC")]
    [InlineData("/tg/(a)!*'&$+,=@")]
    public async Task A_literal_path_may_hold_what_a_path_may_hold(string target)
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed(target, target))).Status);
        Assert.Equal(target, Site.Upstream.Requests[^1].Target);

        await IsUnknownAsync(target.Replace(":", "%3A", StringComparison.Ordinal).Replace("@", "%40", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://localhost/hook", "localhost", "/hook")]
    [InlineData("http://LOCALHOST/hook", "localhost", "/hook")]
    [InlineData("http://localhost:80/hook", "localhost", "/hook")]
    [InlineData("http://localhost/hook", "localhost:80", "/hook")]
    [InlineData("http://localhost:8080/hook", "localhost:8080", "/hook")]
    [InlineData("https://localhost/hook", "localhost", "/hook")]
    [InlineData("https://localhost:443/hook", "localhost", "/hook")]
    [InlineData("http://[::1]:8080/hook", "[::1]:8080", "/hook")]
    [InlineData("http://hooks.example.com/hosted?a=1", "hooks.example.com", "/hosted?a=1")]
    [InlineData("http://localhost/hook?q=/../%2e;x\\y&http://elsewhere/", "localhost", "/hook?q=/../%2e;x\\y&http://elsewhere/")]
    [InlineData("http://localhost/hook?", "localhost", "/hook?")]
    [InlineData("http://localhost/some/events/a:b?c", "localhost", "/some/events/a:b?c")]
    public async Task The_absolute_form_is_the_same_request_when_it_names_the_host_that_Host_names(string target, string host, string forwarded)
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed(Encoding.Latin1.GetBytes(host + target), target) with { Host = host })).Status);

        Assert.Equal(forwarded, Site.Upstream.Requests[^1].Target);

        // What publicUrl says, whatever the request names.
        Assert.Equal("hooks.example.com", Site.Upstream.Requests[^1].Headers["X-Forwarded-Host"]);
    }

    [Theory]
    [InlineData("http://elsewhere/hook", "localhost")]
    [InlineData("http://localhost:81/hook", "localhost")]
    [InlineData("http://localhost/hook", "localhost:81")]
    [InlineData("http://localhost:443/hook", "localhost")]
    [InlineData("http://user@localhost/hook", "localhost")]
    [InlineData("http://localhost@elsewhere/hook", "localhost")]
    [InlineData("http://localhost./hook", "localhost")]
    [InlineData("http:///hook", "localhost")]
    [InlineData("http:/hook", "localhost")]
    [InlineData("http://elsewhere/hosted", "hooks.example.com")]
    [InlineData("http://hooks.example.com/hosted", "elsewhere")]
    public async Task The_absolute_form_of_another_host_is_refused(string target, string host)
    {
        var seen = Site.Seen;

        Assert.InRange((await Site.SendAsync(Site.Signed(target + host, target) with { Host = host })).Status, 400, 405);
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task The_absolute_form_needs_a_Host_even_where_HTTP_1_0_does_not()
    {
        var seen = Site.Seen;

        Assert.Equal(400, (await Site.SendAsync(Site.Signed("no host", "http://localhost/hook") with { Host = null, Version = "HTTP/1.0" })).Status);
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task A_signed_URL_is_the_public_one_in_either_form()
    {
        var body = "the url is signed"u8.ToArray();
        foreach (var (target, host) in new[] { ("/url?a=1", "localhost"), ("http://localhost/url?a=1", "localhost") })
        {
            var request = RawRequest.Post(target, body)
                .WithHeader("X-Signature", Site.Sign([.. "https://hooks.example.com/url?a=1"u8, .. body])) with { Host = host };
            Assert.Equal(200, (await Site.SendAsync(request)).Status);
        }
    }

    [Fact]
    public async Task A_long_query_reaches_the_app_byte_for_byte()
    {
        var target = "/hook?q=" + string.Concat(Enumerable.Range(0, 2000).Select(i => (char)('!' + (i * 7 % 94)))).Replace('#', '-');

        Assert.Equal(200, (await Site.SendAsync(Site.Signed("a long query", target))).Status);
        Assert.Equal(target, Site.Upstream.Requests[^1].Target);
    }

    [Theory]
    [InlineData('\x01')]
    [InlineData('\t')]
    [InlineData('\x1b')]
    [InlineData('\x7f')]
    [InlineData('\x80')]
    [InlineData('\xe4')]
    public async Task A_byte_that_is_no_printable_ASCII_in_the_query_goes_no_further(char c)
    {
        var seen = Site.Seen;

        var answer = await Site.SendAsync(Site.Signed("control", $"/hook?a={c}b"));

        Assert.Equal(400, answer.Status);
        Assert.Equal(seen, Site.Seen);
    }

    [Fact]
    public async Task An_address_with_a_path_is_put_before_the_routes_own()
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed("based", "/based/x?y=%zz"))).Status);

        Assert.Equal("/behind/the/door/based/x?y=%zz", Site.Upstream.Requests[^1].Target);
    }

    [Fact]
    public async Task A_route_with_hosts_answers_to_no_other()
    {
        foreach (var host in new[] { "hooks.example.com", "HOOKS.example.COM", "hooks.example.com:8443" })
        {
            Assert.Equal(200, (await Site.SendAsync(Site.Signed(host, "/hosted") with { Host = host })).Status);
            Assert.Equal("hooks.example.com", Site.Upstream.Requests[^1].Headers["X-Forwarded-Host"]);
            Assert.Equal(Site.Upstream.EndPoint.ToString(), Site.Upstream.Requests[^1].Headers["Host"]);
        }

        foreach (var host in new[] { "localhost", "example.com", "hooks.example.com.evil.example", "x.hooks.example.com", "hooks.example.com.", "" })
        {
            await Site.IsRefusedAsync(() => Site.SendAsync(Site.Signed(host, "/hosted") with { Host = host }), 404, "route-unknown", route: "none");
        }
    }

    private protected override Task<Site> StartAsync() => Site.StartAsync(
        """
        {
          "edge": { "publicUrl": "https://hooks.example.com" },
          "routes": {
            "url": { "path": "/url", "replay": "off", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature", "signed": "{url}{body}" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "bot": { "path": "/tg/123456:ABC", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "odd": { "path": "/tg/(a)!*'&$+,=@", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "prefix": { "path": "/some/events/{**rest}", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "based": { "path": "/based/{**rest}", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}/behind/the/door/" },
            "hosted": {
              "path": "/hosted", "hosts": ["hooks.example.com"],
              "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}"
            }
          }
        }
        """,
        arguments: ["--urls", "http://127.0.0.1:0", "--Logging:LogLevel:WebhookEdge", "Debug"]);

    /// <summary>404 by the gate, or 400 or 405 by the server when the target is none at all; never anything at the app.</summary>
    private async Task IsUnknownAsync(string target)
    {
        var seen = Site.Seen;

        var answer = await Site.SendAsync(Site.Signed(target, target));

        Assert.Contains(answer.Status, new[] { 400, 404, 405 });
        Assert.Empty(answer.Body);
        Assert.Equal(seen, Site.Seen);
    }
}
