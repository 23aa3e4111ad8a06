using System.Globalization;

namespace WebhookEdge.LoadTests;

/// <summary>Asks the app behind the contenders how many requests reached it, so that what a contender answered can be held against what it did.</summary>
internal sealed class UpstreamCounter(int port) : IDisposable
{
    private readonly HttpClient _client = new() { BaseAddress = new($"http://127.0.0.1:{port}") };
    private long _asked;

    /// <summary>Requests that reached the app so far, this counter's own not counted.</summary>
    public async Task<long> ReadAsync(CancellationToken cancellationToken)
    {
        var status = await _client.GetStringAsync("/counted", cancellationToken);
        return Parse(status) - ++_asked;
    }

    public void Dispose() => _client.Dispose();

    /// <summary>The third number of the third line of nginx' stub_status.</summary>
    internal static long Parse(string status)
    {
        var numbers = status.Split('\n')[2].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return long.Parse(numbers[2], CultureInfo.InvariantCulture);
    }
}
