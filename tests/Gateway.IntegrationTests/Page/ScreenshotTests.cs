using Microsoft.Playwright;

namespace WebhookEdge.IntegrationTests.Page;

/// <summary>
/// A full page, looked at by people: with SCREENSHOTS=FOLDER in the environment the pictures are written there (docs/images holds those of the README).
/// Without it the same scene only has to draw and complain of nothing.
/// </summary>
public sealed class ScreenshotTests(Browser browser) : IClassFixture<Browser>
{
    private static readonly string? Folder = Environment.GetEnvironmentVariable("SCREENSHOTS");

    [Theory]
    [InlineData("page-light", 1280, ColorScheme.Light)]
    [InlineData("page-dark", 1280, ColorScheme.Dark)]
    [InlineData("page-narrow", 390, ColorScheme.Light)]
    public async Task A_busy_minute_is_drawn(string name, int width, ColorScheme scheme)
    {
        await using var scene = await Scene.PlayAsync();
        await using var sheet = await browser.OpenAsync(scene.Gateway.Admin, width, width < 500 ? 844 : 900, scheme);
        await sheet.LiveAsync();
        await sheet["#refusals button"].First.WaitForAsync();

        await sheet["[data-route=real-id] .pill.green"].WaitForAsync();
        await sheet["[data-route=verisync] .pill.yellow"].WaitForAsync();
        await sheet["[data-route=cr3dentials] .pill.yellow"].WaitForAsync();
        await sheet["[data-route=billing] .pill.red"].WaitForAsync();
        await sheet["[data-route=orders] .pill.grey"].WaitForAsync();
        Assert.Empty(sheet.Complaints);
        Assert.True(await sheet.Page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"));
        if (Folder is null)
        {
            return;
        }

        await SaveAsync(sheet, name);
        await sheet["[data-route=cr3dentials] > button"].ClickAsync();
        await sheet["[data-route=real-id] > button"].ClickAsync();
        await sheet.Page.EvaluateAsync("scrollTo(0, 0)");
        await SaveAsync(sheet, name + "-full", full: true);
        await sheet["#refusals button", "address-not-allowed"].First.ClickAsync();
        await sheet["dialog[open]"].WaitForAsync();
        await SaveAsync(sheet, name + "-refusal");
        await sheet.Page.Keyboard.PressAsync("Escape");
        await scene.RefuseReloadAsync();
        scene.Clock.Advance(TimeSpan.FromSeconds(1));
        await sheet["[data-notice=refused]"].WaitForAsync();
        await sheet.Page.EvaluateAsync("scrollTo(0, 0)");
        await SaveAsync(sheet, name + "-refused-reload");
    }

    private static Task<byte[]> SaveAsync(Sheet sheet, string name, bool full = false) =>
        sheet.Page.ScreenshotAsync(new() { Path = Path.Combine(Folder!, name + ".png"), FullPage = full });
}
