using System.Text;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>What the app is told about a request is said by the gateway alone, whatever the sender writes.</summary>
public class Forwarded_headers : SiteTests
{
    private static readonly string[] Ours =
    [
        "X-Webhook-Route", "X-Webhook-Provider", "X-Webhook-Trust", "X-Webhook-Key-Id", "X-Webhook-Event-Key", "X-Webhook-Replay-Store", "X-Request-Id",
        "Idempotency-Key",
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
    ];

    public static TheoryData<string> Aliases
    {
        get
        {
            var data = new TheoryData<string>();
            foreach (var name in Ours.Where(static name => name != "Idempotency-Key").Append("X-Webhook-Sender-Idempotency-Key"))
            {
                data.Add(name);
                data.Add(name.ToUpperInvariant());
                data.Add(name.ToLowerInvariant());
                foreach (var c in "_.!#$%&'*+^`|~")
                {
                    data.Add(name.Replace('-', c));
                }
            }

            data.Add("X-Webhook_Trust");
            data.Add("X_Webhook-Trust");
            return data;
        }
    }

    public static TheoryData<string> ClientIpHeaders =>
    [
        "Forwarded", "X-Real-IP", "X_Real_IP", "X-Client-IP", "Client-IP", "X-Cluster-Client-IP", "X-Originating-IP", "X-Remote-IP", "X-Remote-Addr",
        "True-Client-IP",
        "CF-Connecting-IP", "Fastly-Client-IP", "X-Original-Forwarded-For", "X-Forwarded", "Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Prefix",
        "X-Original-URL", "X-Rewrite-URL",
        "X-HTTP-Method-Override",

        // What common frameworks and platforms believe when a gateway says it: the client, the user, another path or step.
        "X-Envoy-External-Address", "X-Envoy-Internal", "CF-Connecting-IPv6", "Fly-Client-IP", "X-Azure-ClientIP", "X-Appengine-User-IP", "X-ClientIP",
            "X-ProxyUser-Ip", "X-Host", "X-Original-Host",
        "X-Original-For", "X-Original-URI", "X-Script-Name", "X-Accel-Redirect", "X-Middleware-Subrequest", "X-Authenticated-User", "X-WEBAUTH-USER",
        "X_WebAuth_Email", "X-User", "SSL-Client-Verify", "SSL_CLIENT_S_DN",
        "X-SSL-Client-S-DN", "X-MS-CLIENT-PRINCIPAL", "X-MS-CLIENT-PRINCIPAL-NAME", "X-Goog-Authenticated-User-Email", "Cf-Access-Authenticated-User-Email",
        "Cf-Access-Jwt-Assertion", "X-Amzn-Oidc-Identity",
        "X-Amzn-Mtls-Clientcert", "Remote-Groups", "Remote-Email", "Remote-Name", "Remote_User", "X-Consumer-Username", "X-Consumer-Custom-ID",
        "X-Grafana-User", "Client-Cert", "Client-Cert-Chain",
        "X-Auth-Request-Groups", "X-Remote-Group", "Impersonate-User", "Tailscale-User-Login", "X-Forwarded-User", "X-Forwarded-Client-Cert",
        "Ali-CDN-Real-IP", "Akamai-Client-IP", "CDN-Src-IP", "X-Auth-Email", "Logon-User", "LOGON_USER", "Eppn", "X-Shib-User", "SSL-Cert",
        "X-TLS-Client-Cert", "X-Override-URL", "X-Proxy-URL",
    ];

    [Theory]
    [MemberData(nameof(Aliases))]
    public async Task A_header_that_only_the_gateway_may_set_is_not_the_senders(string name)
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed($"alias {name}").WithHeader(name, "forged").WithHeader(name, "forged-again"))).Status);

        var got = Site.Upstream.Requests[^1];
        Assert.DoesNotContain("forged", got.HeadText, StringComparison.Ordinal);
        Assert.Equal("hook", got.Headers["X-Webhook-Route"]);
        Assert.Equal("verified", got.Headers["X-Webhook-Trust"]);
        Assert.Equal("127.0.0.1", got.Headers["X-Forwarded-For"]);
    }

    [Theory]
    [MemberData(nameof(ClientIpHeaders))]
    public async Task Other_spellings_of_who_the_client_is_go_no_further(string name)
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed($"client ip {name}").WithHeader(name, "203.0.113.66"))).Status);

        Assert.DoesNotContain("203.0.113.66", Site.Upstream.Requests[^1].HeadText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("X-Webhook-Trust")]
    [InlineData("close, X-Webhook-Trust, X-Webhook-Route, X-Forwarded-For, Idempotency-Key, X-Request-Id")]
    [InlineData("keep-alive, Content-Type, X-Signature, X-Kept, Content-Length, Host")]
    public async Task Connection_cannot_name_away_what_the_gateway_sets_or_the_sender_signed(string connection)
    {
        var request = Site.Signed($"connection {connection}").WithHeader("Content-Type", "application/json").WithHeader("X-Kept", "yes")
            .WithHeader("Connection", connection);

        Assert.Equal(200, (await Site.SendAsync(request)).Status);

        var got = Site.Upstream.Requests[^1];
        Assert.All(Ours.Except(["X-Webhook-Provider", "X-Webhook-Replay-Store"]), name => Assert.True(got.Headers.Contains(name), name));
        Assert.Equal("application/json", got.Headers["Content-Type"]);
        Assert.Equal("yes", got.Headers["X-Kept"]);
        Assert.False(got.Headers.Contains("Connection"));
    }

    [Theory]
    [InlineData("Keep-Alive", "timeout=5")]
    [InlineData("Proxy-Connection", "keep-alive")]
    [InlineData("Proxy-Authorization", "Basic eDp5")]
    [InlineData("TE", "trailers")]
    [InlineData("Trailer", "X-Late")]
    [InlineData("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")]
    [InlineData("Expect", "100-continue")]
    public async Task Hop_by_hop_headers_and_Expect_go_no_further(string name, string value)
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed($"hop {name}").WithHeader(name, value))).Status);

        Assert.False(Site.Upstream.Requests[^1].Headers.Contains(name));
    }

    [Fact]
    public async Task Everything_else_comes_through_in_order_and_as_written()
    {
        var request = Site.Signed("all the rest") with
        {
            Headers =
            [
                ("X-Signature", Site.Sign("all the rest"u8)),
                ("Content-Type", "application/json; charset=\"utf-8\""),
                ("Content-Language", "de, en"),
                ("Content-MD5", "not checked"),
                ("Accept", "*/*"),
                ("Accept-Encoding", "gzip, br"),
                ("User-Agent", "Odd (agent; with \"quotes\") /1.0"),
                ("Date", "not a date"),
                ("If-Match", "not an etag"),
                ("Cookie", "a=1; b=2"),
                ("Authorization", "Bearer of-the-sender"),
                ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                ("X-Empty", ""),
                ("X-Utf8", Encoding.Latin1.GetString("grüße 架空"u8)),
                ("X-Real-ID-Signature", "of somebody else"),
                ("X-Webhookish", "not ours"),
                ("_underscored", "kept"),
            ],
        };

        Assert.Equal(200, (await Site.SendAsync(request)).Status);

        var got = Site.Upstream.Requests[^1].Headers;
        foreach (var (name, value) in request.Headers)
        {
            Assert.Equal((name, value), (name, got[name]));
        }
    }

    [Fact]
    public async Task Lines_of_one_name_all_come_through()
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed("two lines").WithHeader("X-Twice", "one").WithHeader("X-Twice", "two"))).Status);

        Assert.Equal("one, two", string.Join(", ", Site.Upstream.Requests[^1].Headers.All("X-Twice")));
    }

    [Theory]
    [InlineData("token", "X-Api_Key", "X-Api_Key")]
    [InlineData("token", "X-Api_Key", "x-api_key")]
    [InlineData("dotted", "X.Api.Key", "X.Api.Key")]
    public async Task A_credential_in_a_header_of_an_unusual_name_is_taken_off_as_well(string route, string header, string sent)
    {
        Assert.Equal(200, (await Site.SendAsync(RawRequest.Post($"/{route}", $"{header} {sent}").WithHeader(sent, Site.Token))).Status);

        var got = Site.Upstream.Requests[^1];
        Assert.DoesNotContain(Site.Token, got.HeadText, StringComparison.Ordinal);
        Assert.Equal("authenticated", got.Headers["X-Webhook-Trust"]);
    }

    [Fact]
    public async Task A_copy_of_the_credential_under_an_alias_is_taken_off_too()
    {
        var request = RawRequest.Post("/token", "alias of a credential").WithHeader("X-Api_Key", Site.Token).WithHeader("X-Api-Key", Site.Token)
            .WithHeader("X_Api_Key", Site.Token);

        Assert.Equal(200, (await Site.SendAsync(request)).Status);
        Assert.DoesNotContain(Site.Token, Site.Upstream.Requests[^1].HeadText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Credentials_stay_where_the_route_says_so()
    {
        Assert.Equal(200, (await Site.SendAsync(RawRequest.Post("/keeps", "keeps").WithHeader("Authorization", "Bearer " + Site.Token))).Status);

        Assert.Equal("Bearer " + Site.Token, Site.Upstream.Requests[^1].Headers["Authorization"]);
    }

    [Fact]
    public async Task A_configured_transform_cannot_speak_for_the_gateway()
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed("transformed", "/transformed"))).Status);

        var got = Site.Upstream.Requests[^1].Headers;
        Assert.Equal("yes", got["X-Added"]);
        Assert.DoesNotContain("forged", got.ToString(), StringComparison.Ordinal);
        Assert.Equal("verified", got["X-Webhook-Trust"]);
        Assert.Equal("transformed", got["X-Webhook-Route"]);
    }

    [Theory]
    [InlineData("/no-replay", "Idempotency-Key", false)]
    [InlineData("/watched", "Idempotency-Key", false)]
    [InlineData("/no-replay", "idempotency_key", false)]
    [InlineData("/hook", "Idempotency-Key", true)]
    [InlineData("/hook", "Idempotency.Key", true)]
    [InlineData("/transformed", "Idempotency-Key", true)]
    public async Task A_senders_own_Idempotency_Key_travels_on_and_is_never_taken_for_the_gateways(string route, string name, bool hasKey)
    {
        // Unsigned on the route in observe mode: the gateway sets no key for what proved nothing.
        var request = route == "/watched" ? RawRequest.Post(route, $"own key {name}") : Site.Signed($"own key {route} {name}", route);

        Assert.Equal(200, (await Site.SendAsync(request.WithHeader(name, "the senders"))).Status);

        var got = Site.Upstream.Requests[^1].Headers;
        Assert.Equal("the senders", got["X-Webhook-Sender-Idempotency-Key"]);
        Assert.Equal(hasKey, got.Contains("Idempotency-Key"));
        Assert.Equal(got["X-Webhook-Event-Key"], got["Idempotency-Key"]);
        Assert.Single(got.Lines, line => line.Value.Contains("the senders", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("X-Webhook-ID")]
    [InlineData("X-Webhook-Signature")]
    [InlineData("X-Webhook-Timestamp")]
    [InlineData("X-Webhook-Anything")]
    [InlineData("X-Webhook-")]
    [InlineData("x_webhook_id")]
    public async Task Other_headers_of_the_sender_that_begin_with_X_Webhook_travel_on(string name)
    {
        Assert.Equal(200, (await Site.SendAsync(Site.Signed($"own header {name}").WithHeader(name, "the senders"))).Status);
        Assert.Equal("the senders", Site.Upstream.Requests[^1].Headers[name]);

        Assert.Equal(200, (await Site.SendAsync(Site.Signed($"own header {name}", "/transformed").WithHeader(name, "the senders"))).Status);
        Assert.Equal("the senders", Site.Upstream.Requests[^1].Headers[name]);
    }

    [Fact]
    public async Task A_header_about_the_user_reaches_the_app_of_a_route_that_names_it()
    {
        var request = Site.Signed("named", "/named").WithHeader("X-User", "somebody").WithHeader("X_Remote_User", "else").WithHeader("Remote-User", "not named")
            .WithHeader("X-Webhook-Trust", "forged");

        Assert.Equal(200, (await Site.SendAsync(request)).Status);

        var got = Site.Upstream.Requests[^1].Headers;
        Assert.Equal(("somebody", "else", "verified"), (got["X-User"], got["X_Remote_User"], got["X-Webhook-Trust"]));
        Assert.False(got.Contains("Remote-User"));
    }

    [Fact]
    public async Task A_content_header_comes_through_a_route_with_transforms_too()
    {
        var request = Site.Signed("content", "/transformed").WithHeader("Content-Type", "application/json; charset=\"utf-8\"")
            .WithHeader("Content-Language", "de, en");

        Assert.Equal(200, (await Site.SendAsync(request)).Status);

        var got = Site.Upstream.Requests[^1];
        Assert.Equal(("application/json; charset=\"utf-8\"", "de, en", "7"),
            (got.Headers["Content-Type"], got.Headers["Content-Language"], got.Headers["Content-Length"]));
        Assert.Equal("content", got.BodyText);
    }

    [Fact]
    public async Task A_list_of_wanted_headers_asks_for_none_that_means_one_connection_or_frames_a_body()
    {
        var request = Site.Signed("wanted", "/wanted").Chunked(3).WithHeader("Content-Type", "text/plain").WithHeader("X-Kept", "yes")
            .WithHeader("X-Other", "no").WithHeader("TE", "trailers").WithHeader("Expect", "100-continue");

        Assert.Equal(200, (await Site.SendAsync(request)).Status);

        var got = Site.Upstream.Requests[^1];
        Assert.Equal(("text/plain", "yes", "6", false), (got.Headers["Content-Type"], got.Headers["X-Kept"], got.Headers["Content-Length"], got.IsChunked));
        Assert.All((string[])["X-Other", "TE", "Expect", "Transfer-Encoding"], name => Assert.False(got.Headers.Contains(name), name));
    }

    [Theory]
    [InlineData("", "HTTP/1.1")]
    [InlineData(null, "HTTP/1.0")]
    [InlineData("some.example", "HTTP/1.1")]
    public async Task The_app_gets_one_Host_whatever_the_request_had(string? host, string version)
    {
        var request = Site.Signed($"host {host} {version}", "/original") with { Host = host, Version = version };

        Assert.Equal(200, (await Site.SendAsync(request)).Status);

        Assert.Equal(string.IsNullOrEmpty(host) ? Site.Upstream.EndPoint.ToString() : host, Site.Upstream.Requests[^1].Headers["Host"]);
    }

    private protected override Task<Site> StartAsync() => Site.StartAsync(
        """
        {
          "routes": {
            "hook": { "path": "/hook", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "no-replay": { "path": "/no-replay", "replay": "off", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "transformed": {
              "path": "/transformed",
              "transforms": [{ "RequestHeader": "X-Added", "Set": "yes" }, { "RequestHeader": "X_Webhook_Trust", "Set": "forged" }, { "RequestHeader": "X.Webhook.Route", "Append": "forged" }],
              "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}"
            },
            "watched": { "path": "/watched", "mode": "observe", "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "named": { "path": "/named", "forwardHeaders": ["X-User", "X-Remote-User"], "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "wanted": { "path": "/wanted", "transforms": [{ "RequestHeadersAllowed": "Content-Type;X-Kept;TE;Expect;Transfer-Encoding;Content-Length" }], "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "original": { "path": "/original", "transforms": [{ "RequestHeaderOriginalHost": "true" }], "verify": [{ "scheme": { "kind": "hmac", "header": "X-Signature" }, "secrets": ["file:{dir}/signing"] }], "upstream": "{upstream}" },
            "token": { "path": "/token", "verify": [{ "scheme": { "kind": "token", "header": "X-Api_Key" }, "secrets": ["file:{dir}/token"] }], "upstream": "{upstream}" },
            "dotted": { "path": "/dotted", "verify": [{ "scheme": { "kind": "token", "header": "X.Api.Key" }, "secrets": ["file:{dir}/token"] }], "upstream": "{upstream}" },
            "keeps": { "path": "/keeps", "forwardCredentials": true, "verify": [{ "scheme": { "kind": "bearer" }, "secrets": ["file:{dir}/token"] }], "upstream": "{upstream}" }
          }
        }
        """);
}
