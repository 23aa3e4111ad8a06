using Microsoft.Extensions.Configuration.Memory;

namespace WebhookEdge.Hosting;

/// <summary>
/// Addresses written as <c>urls</c> or <c>https_ports</c>. Kestrel takes a changed certificate over only for endpoints that have a section of their own: where
/// it is to listen with https, all of them get one.
/// </summary>
internal static class ListenUrls
{
    private const string Endpoints = "Kestrel:Endpoints";

    public static void NameEndpoints(WebApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        var urls = Split(configuration["urls"]);
        if (urls.Length == 0)
        {
            urls = [.. Split(configuration["http_ports"]).Select(static port => $"http://*:{port}"),
                .. Split(configuration["https_ports"]).Select(static port => $"https://*:{port}")];
        }

        if (!Array.Exists(urls, static url => url.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
            || configuration.GetSection(Endpoints).GetChildren().Any())
        {
            return;
        }

        ((IConfigurationBuilder)configuration)
            .Add(new MemoryConfigurationSource { InitialData = urls.Select(static (url, i) =>
            new KeyValuePair<string, string?>($"{Endpoints}:{i + 1}:Url", url)) });
        foreach (var key in (string[])["urls", "http_ports", "https_ports"])
        {
            builder.WebHost.UseSetting(key, "");
        }
    }

    private static string[] Split(string? list) => (list ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
