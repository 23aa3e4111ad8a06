using System.Collections.Concurrent;
using Microsoft.Playwright;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Page;

/// <summary>Debian's chromium, started once for the tests of the page.</summary>
public sealed class Browser : IAsyncLifetime
{
    private static readonly string[] Arguments =
        ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async Task InitializeAsync()
    {
        _playwright = await Microsoft.Playwright.Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new() { ExecutablePath = Environment.GetEnvironmentVariable("CHROMIUM") ?? "/usr/bin/chromium",
            Args = Arguments });
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
    }

    /// <summary>A page in a profile of its own, at <paramref name="address"/>, with everything it complained of.</summary>
    internal async Task<Sheet> OpenAsync(Uri address, int width = 1280, int height = 900, ColorScheme scheme = ColorScheme.Light, float scale = 1)
    {
        var context = await _browser!.NewContextAsync(new() { ViewportSize = new() { Width = width, Height = height }, ColorScheme = scheme,
            DeviceScaleFactor = scale, ReducedMotion = ReducedMotion.Reduce, Locale = "en-GB", TimezoneId = "UTC" });
        context.SetDefaultTimeout((float)Deadline.Default.TotalMilliseconds);
        var page = await context.NewPageAsync();
        var sheet = new Sheet(context, page);
        await page.GotoAsync(address.ToString(), new() { WaitUntil = WaitUntilState.DOMContentLoaded });
        return sheet;
    }
}

/// <summary>One open page.</summary>
internal sealed class Sheet : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly ConcurrentQueue<string> _complaints = [];

    public Sheet(IBrowserContext context, IPage page)
    {
        _context = context;
        Page = page;
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                _complaints.Enqueue(message.Text);
            }
        };
        page.PageError += (_, error) => _complaints.Enqueue(error);
    }

    public IPage Page { get; }

    /// <summary>Errors and warnings of the console, policy violations among them, and exceptions of the script.</summary>
    public IReadOnlyCollection<string> Complaints => _complaints;

    public ILocator this[string selector] => Page.Locator(selector);

    /// <summary>Those that hold <paramref name="text"/>.</summary>
    public ILocator this[string selector, string text] => Page.Locator(selector, new() { HasText = text });

    /// <summary>Waits until <paramref name="text"/> stands there: the page is drawn in steps, and what is there already says nothing of the rest.</summary>
    public Task SaysAsync(string selector, string text) =>
        Assertions.Expect(this[selector]).ToContainTextAsync(text, new() { Timeout = (float)Deadline.Default.TotalMilliseconds });

    public Task LiveAsync() => this["#live[data-state=live]"].WaitForAsync();

    public ValueTask DisposeAsync() => _context.DisposeAsync();
}
