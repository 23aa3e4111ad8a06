using System.Buffers;
using System.Diagnostics.Metrics;
using System.IO.Pipelines;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.Verdicts;

namespace WebhookEdge.TestKit;

/// <summary>One instance of the gateway as far as replay protection goes: a guard, a route's check, and deliveries to put through it.</summary>
internal sealed class ReplayBench : IAsyncDisposable
{
    public static readonly ForwardOutcome Accepted = new(200);
    public static readonly ForwardOutcome Failed = new(0);

    private readonly Meter _meter = new("ReplayBench");
    private readonly TimeProvider _time;

    public ReplayBench(TimeProvider time, IReplayStore? store = null, bool closed = false, TimeSpan? timeout = null, int memory = 100_000,
        ILogger<ReplayGuard>? logger = null)
    {
        _time = time;
        Memory = new(time, memory);
        Guard = new(Memory, time, new(_meter), logger ?? NullLogger<ReplayGuard>.Instance);
        Link = store is null ? null : Guard.Links.Link(store);
        Check = new(EventKeyRecipe.Compile("kyc", null, "", []), new(TimeSpan.FromHours(72), timeout ?? TimeSpan.FromSeconds(8.5), closed), Guard, Link);
    }

    /// <summary>Where the guard measures.</summary>
    public Meter Meter => _meter;

    public MemoryReplayStore Memory { get; }

    public ReplayGuard Guard { get; }

    public ResilientReplayStore? Link { get; }

    public ReplayCheck Check { get; }

    /// <summary>A delivery whose last body byte has just come.</summary>
    public Delivery Receive(string body)
    {
        var delivery = new Delivery();
        delivery.Open(RoutePolicy.None, "POST", "/", default, Delivery.EmptyHeaders, null, PipeReader.Create(Stream.Null));
        delivery.HoldBody(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body)));
        delivery.BodyCompletedAt = _time.GetTimestamp();
        return delivery;
    }

    public async Task<(Verdict Verdict, Delivery Delivery)> ClaimAsync(string body, CancellationToken cancellationToken = default)
    {
        var delivery = Receive(body);
        return (await Check.CheckAsync(delivery, cancellationToken), delivery);
    }

    /// <summary>The key under which a delivery with this body is remembered.</summary>
    public EventKey KeyOf(string body) => EventKeyRecipe.Compile("kyc", null, "", []).KeyOf(Receive(body));

    /// <summary>Claims and, when passed, settles: what a whole delivery is to this stage.</summary>
    public async Task<Verdict> DeliverAsync(string body, ForwardOutcome outcome)
    {
        var (verdict, delivery) = await ClaimAsync(body);
        if (verdict.Passed)
        {
            await delivery.Claim!.SettleAsync(outcome);
        }

        return verdict;
    }

    public async ValueTask DisposeAsync()
    {
        await Guard.DisposeAsync();
        if (Link is not null)
        {
            await Link.DisposeAsync();
        }

        _meter.Dispose();
    }
}
