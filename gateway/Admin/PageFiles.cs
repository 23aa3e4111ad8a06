namespace WebhookEdge.Admin;

/// <summary>The live page: three files inside the assembly, so that it works from a read-only container and asks nobody else for anything.</summary>
internal static class PageFiles
{
    public static void Map(WebApplication application)
    {
        Map(application, "/", "index.html", "text/html; charset=utf-8");
        Map(application, "/page.css", "page.css", "text/css; charset=utf-8");
        Map(application, "/page.js", "page.js", "text/javascript; charset=utf-8");
    }

    /// <summary>No data is in them, so they need no token: the page asks for it.</summary>
    private static void Map(WebApplication application, string path, string name, string type)
    {
        var bytes = Read(name);
        application.MapGet(path, () => Results.Bytes(bytes, type)).NeedsNoToken();
    }

    private static byte[] Read(string name)
    {
        using var stream = typeof(PageFiles).Assembly.GetManifestResourceStream("WebhookEdge.Admin.Page." + name)
            ?? throw new InvalidOperationException($"the page's {name} is not in the assembly");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
