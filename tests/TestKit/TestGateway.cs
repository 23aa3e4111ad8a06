using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookEdge.Hosting;
using WebhookEdge.Observability;
using WebhookEdge.Routes;

namespace WebhookEdge.TestKit;

/// <summary>
/// A whole gateway on port 0, from a routes.json in a folder of its own. In the text <c>{upstream}</c> stands for the upstream's address and
/// <c>{dir}</c> for the folder, where <see cref="WriteSecret"/> puts secrets (<c>"file:{dir}/name"</c>).
/// </summary>
internal sealed class TestGateway : IAsyncDisposable
{
    private readonly TempDirectory _directory;
    private readonly ConcurrentDictionary<string, string> _placeholders;

    private TestGateway(GatewayHost host, TempDirectory directory, ConcurrentDictionary<string, string> placeholders, LogCapture logs, MetricCapture metrics)
    {
        Host = host;
        _directory = directory;
        _placeholders = placeholders;
        Logs = logs;
        Metrics = metrics;
    }

    public GatewayHost Host { get; }

    public LogCapture Logs { get; }

    public MetricCapture Metrics { get; }

    public string Directory => _directory.Path;

    public string RoutesPath => Path.Combine(Directory, "routes.json");

    /// <summary>The public listener.</summary>
    public IPEndPoint EndPoint => new(IPAddress.Loopback, Host.Addresses[0].Port);

    public Uri Address => new($"{Host.Addresses[0].Scheme}://127.0.0.1:{EndPoint.Port}");

    public Uri Admin => Host.Admin;

    public RoutesReloader Reloader => Host.Services.GetRequiredService<RoutesReloader>();

    public RejectJournal Journal => Host.Services.GetRequiredService<RejectJournal>();

    /// <summary>Starts a gateway whose secrets (name → text) are files in its folder.</summary>
    public static async Task<TestGateway> StartAsync(
        string routes,
        string upstream = "http://127.0.0.1:9",
        IReadOnlyDictionary<string, string>? secrets = null,
        TimeProvider? time = null,
        IReadOnlyList<string>? arguments = null,
        IReadOnlyDictionary<string, string>? placeholders = null,
        Action<IServiceCollection>? services = null)
    {
        var directory = new TempDirectory();
        var known = new ConcurrentDictionary<string, string>(placeholders ?? new Dictionary<string, string>()) { ["{dir}"] = directory.Path,
            ["{upstream}"] = upstream };
        foreach (var (name, text) in secrets ?? new Dictionary<string, string>())
        {
            await File.WriteAllTextAsync(Path.Combine(directory.Path, name), text);
        }

        await File.WriteAllTextAsync(Path.Combine(directory.Path, "routes.json"), Fill(routes, known));
        var logs = new LogCapture();
        MetricCapture? metrics = null;
        try
        {
            var host = await Deadline.WaitAsync(
                GatewayHost.StartAsync(new()
                {
                    RoutesPath = Path.Combine(directory.Path, "routes.json"),
                    // A test counts lines and may cause many of them in a second; those about the bound name one.
                    Arguments = ["--Logging:RefusalsPerSecond", "0", .. arguments ?? ["--urls", "http://127.0.0.1:0"], "--Admin:Url", "http://127.0.0.1:0"],
                    Time = time ?? TimeProvider.System,
                    Logging = logging => logging.ClearProviders().SetMinimumLevel(LogLevel.Debug).AddProvider(logs),
                    Services = services,
                }),
                "the gateway to start");
            metrics = new MetricCapture(host.Services.GetRequiredService<Observability.GatewayMetrics>().Meter);
            return new(host, directory, known, logs, metrics);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    public void WriteSecret(string name, string text) => File.WriteAllText(Path.Combine(Directory, name), text);

    /// <summary>Replaces routes.json (by rename) and takes it. True when a new revision is in force.</summary>
    public async Task<bool> ReloadAsync(string routes)
    {
        // Compared before and after: the watcher in the background may be the one that takes it.
        var before = Reloader.Status.Revision;
        var next = RoutesPath + ".next";
        await File.WriteAllTextAsync(next, Fill(routes));
        File.Move(next, RoutesPath, overwrite: true);
        await Deadline.WaitAsync(Reloader.ReloadOnceAsync(CancellationToken.None), "the reload");
        return Reloader.Status.Revision != before;
    }

    public string Fill(string routes) => Fill(routes, _placeholders);

    /// <summary>One request on a connection of its own.</summary>
    public Task<RawResponse> SendAsync(RawRequest request, IPAddress? from = null) => RawHttpClient.SendOnceAsync(EndPoint, request, from);

    /// <summary>
    /// Waits until nothing is under way: a delivery is settled after its answer was sent, and a clock that jumps meanwhile ends what it waits for.
    /// </summary>
    public Task QuietAsync() => Deadline.UntilAsync(() => Metrics.Observe("webhookedge.in_flight") == 0, "nothing is in flight");

    public Task<RawHttpClient> ConnectAsync(IPAddress? from = null) => RawHttpClient.ConnectAsync(EndPoint, from);

    public async ValueTask DisposeAsync()
    {
        await Deadline.WaitAsync(Host.DisposeAsync().AsTask(), "the gateway to stop", TimeSpan.FromSeconds(45));
        Metrics.Dispose();
        Logs.Dispose();
        _directory.Dispose();
    }

    private static string Fill(string routes, IEnumerable<KeyValuePair<string, string>> placeholders)
    {
        var text = new StringBuilder(routes);
        foreach (var (name, value) in placeholders)
        {
            text.Replace(name, value);
        }

        return text.ToString();
    }
}
