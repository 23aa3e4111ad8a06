using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using WebhookEdge.Admin;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Page;

/// <summary>The live page in a real browser.</summary>
public sealed class PageTests(Browser browser) : IClassFixture<Browser>
{
    private const string Observing = """ "mode": "observe" """;

    private static readonly string Two = """
        { "routes": {
            "hook": { "path": "/hook", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "upstream": "{upstream}" },
            "other": { "path": "/other", "verify": [{ "scheme": { "header": "X-Sig" }, "secrets": ["file:{dir}/secret"] }], "upstream": "{upstream}" } } }
        """;

    [Fact]
    public async Task Loads_from_this_listener_alone_and_complains_of_nothing()
    {
        await using var gateway = await TestGateway.StartAsync(Two, secrets: Hook.Secrets);
        await using var sheet = await browser.OpenAsync(gateway.Admin);

        await sheet.LiveAsync();
        await sheet["#routes .route"].Nth(1).WaitForAsync();
        var elsewhere = await sheet.Page.EvaluateAsync<string[]>("performance.getEntriesByType('resource').map(entry => entry.name).filter(name => "
            + "!name.startsWith(location.origin) && !name.startsWith('data:'))");

        Assert.Empty(sheet.Complaints);
        Assert.Empty(elsewhere);
        await sheet.SaysAsync("#refusals", "Nothing was refused");
        await sheet.SaysAsync("#revision", gateway.Reloader.Status.Revision);
    }

    [Fact]
    public async Task Numbers_and_journal_follow_the_traffic()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Two, upstream.Address, Hook.Secrets);
        await using var sheet = await browser.OpenAsync(gateway.Admin);
        await sheet["[data-route=hook] .pill.grey"].WaitForAsync();

        await gateway.SendAsync(Hook.Event("one"));
        await sheet["[data-route=hook] .pill.green"].WaitForAsync();
        await Assertions.Expect(sheet["[data-route=hook] .spark .delivered"]).Not.ToHaveAttributeAsync("d", "");
        await gateway.SendAsync(Hook.Event("two", secret: "some-other-secret-of-the-same-size"));
        await sheet["#refusals li", "signature-mismatch"].WaitForAsync();

        await sheet["[data-route=hook] .pill.yellow"].WaitForAsync();
        await sheet["[data-route=other] .pill.grey"].WaitForAsync();
        Assert.Empty(sheet.Complaints);
    }

    [Fact]
    public async Task The_journal_is_filtered_by_route_and_by_reason()
    {
        await using var gateway = await TestGateway.StartAsync(Two, secrets: Hook.Secrets);
        await gateway.SendAsync(RawRequest.Post("/hook", "x"));
        await gateway.SendAsync(RawRequest.Post("/other", "x"));
        await gateway.SendAsync(RawRequest.Get("/other"));
        await using var sheet = await browser.OpenAsync(gateway.Admin);
        await Assertions.Expect(sheet["#refusals button"]).ToHaveCountAsync(3);

        await sheet["#filter-route"].SelectOptionAsync("other");
        await Assertions.Expect(sheet["#refusals button"]).ToHaveCountAsync(2);
        await sheet["#filter-reason"].SelectOptionAsync("method-refused");
        await Assertions.Expect(sheet["#refusals button"]).ToHaveCountAsync(1);

        await sheet.SaysAsync("#refusals", "method-refused");
        await sheet["#filter-route"].SelectOptionAsync("hook");
        await sheet["#refusals .empty"].WaitForAsync();
    }

    [Fact]
    public async Task A_refusal_opens_with_all_there_is_to_know_and_nothing_secret()
    {
        await using var gateway = await TestGateway.StartAsync(
            Hook.Routes("\"allow\": [\"198.51.100.0/24\"]", """ "edge": { "clientAddress": { "from": "forwardedFor", "trustedProxies": ["127.0.0.0/8"] } } """), secrets: Hook.Secrets);
        await gateway.SendAsync(Hook.Event("one", path: "/hook?token=kept-out-of-the-query").WithHeader("X-Forwarded-For", "198.51.100.7, 203.0.113.9")
            .WithHeader("Authorization", "Bearer kept-out-of-a-header"));
        await using var sheet = await browser.OpenAsync(gateway.Admin);
        var row = sheet["#refusals button"].First;

        await row.ClickAsync();
        await sheet["dialog[open]"].WaitForAsync();
        var text = await sheet["dialog"].InnerTextAsync();
        await sheet.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(sheet["dialog[open]"]).ToHaveCountAsync(0);

        foreach (var expected in (string[])["address-not-allowed", "198.51.100.7", "203.0.113.9", "127.0.0.1", "right-most", "trustedProxies", "Authorization",
            "not hashed", "POST /hook"])
        {
            Assert.Contains(expected, text, StringComparison.Ordinal);
        }

        Assert.Equal("203.0.113.9", await sheet["dialog .chosen"].TextContentAsync());
        Assert.DoesNotContain("kept-out", await sheet.Page.ContentAsync(), StringComparison.Ordinal);
        Assert.True(await row.EvaluateAsync<bool>("element => element === document.activeElement"));
    }

    [Fact]
    public async Task A_duplicate_is_let_through_from_the_page()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Two, upstream.Address, Hook.Secrets);
        await gateway.SendAsync(Hook.Event("one"));
        await gateway.SendAsync(Hook.Event("one"));
        await using var sheet = await browser.OpenAsync(gateway.Admin);

        await sheet["#refusals button"].ClickAsync();
        await sheet["dialog button", "Forget this event"].ClickAsync();
        await sheet["dialog [role=status]", "Forgotten"].WaitForAsync();

        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();
        Assert.Empty(sheet.Complaints);
    }

    [Fact]
    public async Task A_refused_reload_is_shown_with_its_problems_until_a_good_file_comes()
    {
        await using var gateway = await TestGateway.StartAsync(Two, secrets: Hook.Secrets);
        await using var sheet = await browser.OpenAsync(gateway.Admin);
        await sheet.LiveAsync();

        await gateway.ReloadAsync("""{ "routes": { "hook": { "path": "/hook", "uptsream": "<img src=x onerror=alert(1)>" } } }""");
        await sheet["[data-notice=refused]", "uptsream"].WaitForAsync();
        Assert.Equal(0, await sheet["[data-notice=refused] img"].CountAsync());
        await gateway.ReloadAsync(Hook.Routes());
        await sheet["[data-notice=refused]"].WaitForAsync(new() { State = WaitForSelectorState.Detached });

        await sheet["[data-route=other]"].WaitForAsync(new() { State = WaitForSelectorState.Detached });
        Assert.Empty(sheet.Complaints);
    }

    [Fact]
    public async Task Observe_mode_is_loud()
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(Observing), upstream.Address, Hook.Secrets);
        await gateway.SendAsync(RawRequest.Post("/hook", "unsigned"));
        await using var sheet = await browser.OpenAsync(gateway.Admin);

        await sheet["[data-notice=observing]", "hook"].WaitForAsync();
        await sheet["[data-route=hook] .tag.yellow", "observing"].WaitForAsync();
        await sheet["#refusals .tag", "let through"].WaitForAsync();
        await sheet["[data-route=hook] .pill.yellow"].WaitForAsync();
    }

    [Fact]
    public async Task A_secret_unused_for_a_day_beside_one_in_use_is_called_removable()
    {
        await using var gateway = await TestGateway.StartAsync(Two, secrets: Hook.Secrets);
        var now = TimeProvider.System.GetUtcNow();
        gateway.Host.Services.GetRequiredService<AdminState>().SecretUses = () =>
            [new("hook", "env:NEW", now.AddDays(-2), now), new("hook", "env:OLD", now.AddDays(-2), now.AddHours(-25)),
                new("other", "env:ONLY", now.AddDays(-2), now.AddHours(-25))];
        await using var sheet = await browser.OpenAsync(gateway.Admin);

        await sheet["[data-route=hook] > button"].ClickAsync();
        await sheet["[data-route=other] > button"].ClickAsync();

        Assert.Contains("safe to remove", await sheet["[data-route=hook] li", "env:OLD"].InnerTextAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain("safe to remove", await sheet["[data-route=hook] li", "env:NEW"].InnerTextAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain("safe to remove", await sheet["[data-route=other] li", "env:ONLY"].InnerTextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Everything_is_reached_by_keyboard()
    {
        await using var gateway = await TestGateway.StartAsync(Two, secrets: Hook.Secrets);
        await gateway.SendAsync(RawRequest.Post("/hook", "x"));
        await using var sheet = await browser.OpenAsync(gateway.Admin);
        await sheet["#refusals button"].WaitForAsync();

        var reached = new List<string>();
        for (var i = 0; i < 12 && !reached.Contains("dialog-opener"); i++)
        {
            await sheet.Page.Keyboard.PressAsync("Tab");
            reached.Add(await sheet.Page.EvaluateAsync<string>("(e => e.id || (e.closest('[data-route]')?.dataset.route ?? (e.closest('#refusals') ? "
                + "'dialog-opener' : e.className)))(document.activeElement)"));
            Assert.NotEqual("none", await sheet.Page.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineStyle"));
        }

        await sheet.Page.Keyboard.PressAsync("Enter");
        await sheet["dialog[open]"].WaitForAsync();
        Assert.Equal(["skip", "hook", "other", "filter-route", "filter-reason", "dialog-opener"], reached);
    }

    [Theory]
    [InlineData(390)]
    [InlineData(768)]
    [InlineData(1280)]
    public async Task Nothing_sticks_out_at_the_side(int width)
    {
        await using var gateway = await TestGateway.StartAsync(Two.Replace("\"hook\":", $"\"{new string('h', 60)}\":", StringComparison.Ordinal),
            secrets: Hook.Secrets);
        await gateway.SendAsync(RawRequest.Post("/hook/" + new string('x', 300), "x")
            .WithHeader("X-Forwarded-For", string.Join(',', Enumerable.Repeat("2001:db8::1", 12))));
        await gateway.SendAsync(RawRequest.Post("/hook", "x").WithHeader("X-" + new string('n', 200), "v"));
        await gateway.ReloadAsync("""{ "routes": { "averyveryverylongname": 1 } }""");
        await using var sheet = await browser.OpenAsync(gateway.Admin, width);
        await sheet["#refusals button"].First.WaitForAsync();
        await sheet["[data-route] > button"].First.ClickAsync();

        Assert.Empty(await sheet.Page.EvaluateAsync<string[]>("document.documentElement.scrollWidth <= innerWidth ? [] : "
            + "[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => `${e.tagName} ${e.id || "
            + "e.className}`)"));
        await sheet["#refusals button"].First.ClickAsync();
        await sheet["dialog[open]"].WaitForAsync();
        Assert.True(await sheet.Page.EvaluateAsync<bool>("(d => d.scrollWidth <= d.clientWidth && d.getBoundingClientRect().right <= "
            + "innerWidth)(document.querySelector('dialog'))"));
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Text_is_readable_in_both_schemes(ColorScheme scheme)
    {
        await using var upstream = TestUpstream.Start();
        await using var gateway = await TestGateway.StartAsync(Two, upstream.Address, Hook.Secrets);
        await gateway.SendAsync(Hook.Event("one"));
        await gateway.SendAsync(RawRequest.Post("/hook", "x"));
        await gateway.ReloadAsync("{");
        await using var sheet = await browser.OpenAsync(gateway.Admin, scheme: scheme);
        await sheet["#refusals button"].First.WaitForAsync();
        await sheet["[data-route=hook] > button"].ClickAsync();

        var paper = await sheet.Page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor");
        var faint = await sheet.Page.EvaluateAsync<string[]>(Contrast);

        Assert.Equal(scheme == ColorScheme.Dark ? "rgb(14, 17, 22)" : "rgb(246, 247, 249)", paper);
        Assert.Empty(faint);
    }

    [Fact]
    public async Task A_lost_connection_is_said_and_found_again()
    {
        await using var gateway = await TestGateway.StartAsync(Two, secrets: Hook.Secrets);
        await using var relay = FaultRelay.Start(new(System.Net.IPAddress.Loopback, gateway.Admin.Port));
        await using var sheet = await browser.OpenAsync(new($"http://{relay.EndPoint}/"));
        await sheet.LiveAsync();

        relay.Refuse();
        relay.Cut();
        await sheet["#live[data-state=lost]"].WaitForAsync();
        relay.Accept();
        await sheet.LiveAsync();
    }

    [Fact]
    public async Task Without_a_place_on_the_stream_the_page_says_so_and_waits_for_one()
    {
        await using var gateway = await TestGateway.StartAsync(Two, secrets: Hook.Secrets);
        using var http = new HttpClient();
        var others = await Task.WhenAll(Enumerable.Range(0, LiveStream.MostListeners)
            .Select(_ => Deadline.WaitAsync(http.GetStreamAsync(new Uri(gateway.Admin, "/api/stream")), "a stream")));
        await using var sheet = await browser.OpenAsync(gateway.Admin);

        await sheet["#live[data-state=lost]", "Too many pages"].WaitForAsync();
        Array.ForEach(others, static other => other.Dispose());
        await sheet.LiveAsync();
    }

    [Fact]
    public async Task With_a_token_the_page_asks_for_it_and_keeps_it_out_of_reach_of_scripts()
    {
        await using var gateway = await TestGateway.StartAsync(Two, secrets: Hook.Secrets,
            arguments: ["--urls", "http://127.0.0.1:0", "--Admin:Token", "the-token-of-the-operator"]);
        await using var sheet = await browser.OpenAsync(gateway.Admin);
        await sheet["#signin:not([hidden])"].WaitForAsync();
        Assert.Equal(0, await sheet["#routes .route"].CountAsync());

        await sheet["#token"].FillAsync("a-token-that-is-wrong");
        await sheet.Page.Keyboard.PressAsync("Enter");
        await sheet["#signin-fault", "Admin:Token"].WaitForAsync();
        await sheet["#token"].FillAsync("the-token-of-the-operator");
        await sheet.Page.Keyboard.PressAsync("Enter");
        await sheet.LiveAsync();

        var cookie = Assert.Single(await sheet.Page.Context.CookiesAsync());
        Assert.True(cookie.HttpOnly);
        Assert.Equal(SameSiteAttribute.Strict, cookie.SameSite);
        Assert.DoesNotContain("operator", cookie.Value, StringComparison.Ordinal);
        await sheet.Page.ReloadAsync();
        await sheet.LiveAsync();
        await sheet["#signout"].ClickAsync();
        await sheet["#signin:not([hidden])"].WaitForAsync();
        Assert.Empty(await sheet.Page.Context.CookiesAsync());
    }

    /// <summary>Texts whose contrast with what is behind them is below 4.5 (WCAG 2.2 §1.4.3).</summary>
    private const string Contrast = """
        () => {
          const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
          const rgba = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
          const behind = element => { for (let e = element; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; };
          const light = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
          const faint = new Set();
          for (const element of document.querySelectorAll('main *, .bar *')) {
            if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) || element.closest('svg') || !element.checkVisibility()) continue;
            const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
            const ratio = (a + .05) / (b + .05);
            if (ratio < 4.5) faint.add(`${element.className || element.tagName} "${element.textContent.slice(0, 20)}" ${ratio.toFixed(2)}`);
          }
          return [...faint];
        }
        """;
}
