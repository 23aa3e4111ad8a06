using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Authentication.Verifiers;

/// <summary>Runs vectors of code verifiers; what they fetch comes from the vector.</summary>
internal static class CodeBench
{
    /// <summary>The corpus files of schemes that are code and fit <paramref name="which"/>.</summary>
    public static IEnumerable<string> Vectors(Func<VendorVector, bool> which) =>
        VendorVector.All.Where(name => CodeVerifiers.Facts.ContainsKey(VendorVector.Load(name).SchemeOf(name).Kind ?? "hmac") && which(VendorVector.Load(name)));

    public static async Task<(Verdict Verdict, Delivery Delivery)> DecideAsync(
        VendorVector vector,
        string? body = null,
        string? target = null,
        string? secret = null,
        DateTimeOffset? now = null,
        RemoteKeys? keys = null,
        ClientAddress client = default,
        params (string Name, StringValues Value)[] headers)
    {
        keys ??= Keys(new CannedAnswers(vector.Keys), now ?? DateTimeOffset.FromUnixTimeSeconds(vector.Now));
        var harness = SchemeHarness.CreateWith(keys, vector.PublicUrl, vector.Path, vector.Scheme!, secret ?? vector.Secret);
        harness.Clock = now ?? DateTimeOffset.FromUnixTimeSeconds(vector.Now);
        var lines = vector.Headers.ToDictionary(static h => h.Key, static h => new StringValues(h.Value), StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in headers)
        {
            if (value.Count == 0)
            {
                lines.Remove(name);
            }
            else
            {
                lines[name] = value;
            }
        }

        var delivery = SchemeHarness.Deliver(lines, new(Encoding.UTF8.GetBytes(body ?? vector.Body)), vector.Method, target ?? vector.Target ?? vector.Path);
        delivery.Client = client;
        var verdict = default(Verdict);
        foreach (var check in harness.Scheme.Checks)
        {
            verdict = await check.CheckAsync(delivery, CancellationToken.None);
            if (!verdict.Passed)
            {
                break;
            }
        }

        return (verdict, delivery);
    }

    public static RemoteKeys Keys(HttpMessageHandler answers, DateTimeOffset now) =>
        new(new HttpMessageInvoker(answers), new StillTime(now), NullLogger<RemoteKeys>.Instance);

    internal sealed class StillTime(DateTimeOffset now) : TimeProvider
    {
        public DateTimeOffset Value { get; set; } = now;

        public override DateTimeOffset GetUtcNow() => Value;

        public override long GetTimestamp() => Value.UtcTicks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        /// <summary>Never fires: no test ends otherwise because the machine was busy.</summary>
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new StillTimer();

        private sealed class StillTimer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => default;
        }
    }

    /// <summary>Answers as a vector's vendor would, and counts.</summary>
    internal sealed class CannedAnswers(IReadOnlyDictionary<string, string>? answers) : HttpMessageHandler
    {
        public List<string> Asked { get; } = [];

        public HttpStatusCode Otherwise { get; set; } = HttpStatusCode.NotFound;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var url = request.RequestUri!.AbsoluteUri;
            lock (Asked)
            {
                Asked.Add(url);
            }

            return Task.FromResult(answers?.TryGetValue(url, out var text) == true
                ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(text) }
                : new HttpResponseMessage(Otherwise));
        }
    }
}
